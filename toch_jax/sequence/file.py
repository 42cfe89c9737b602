"""The sequence file, version 2: a plain .npz of arrays, no pickles. Metres, radians, column vectors.

| key | shape | meaning |
|---|---|---|
| format, version | () | "toch-sequence", 1 or 2 |
| fps | () | frames per second |
| hand_side | (H,) | "right" or "left" |
| hand_valid | (H,T) bool, optional | false where the tracker lost the hand; NaN in the data means the same
  (NaN in single joints: only these joints are missing) |
| hand_model | () | "open", "mano" or a path: the model of the parameters; required with parameters |
| hand_global_orient, hand_pose, hand_transl, hand_betas | (H,T,3), (H,T,45), (H,T,3), (H,S) or (H,T,S) | axis-angle,
  absolute; see HandParams |
| hand_joints | (H,T,21,3) | OpenPose order |
| hand_vertices, hand_vertex_order | (H,T,K,3), () | "mano", "open" or "unordered" (the default) |
| object_vertices, object_faces, object_vertex_part | (Vo,3), (Fo,3), (Vo,) optional | the mesh; may be given by
  another file instead |
| object_rotation, object_translation | (P,T,3), (P,T,3) | from each part's frame to the world, axis-angle |
| object_valid | (P,T) or (T,) bool, optional | false where the tracker lost the part; NaN in its pose means the same |
| camera_rotation, camera_translation | (3,) or (T,3), optional | the world to the camera; from version 2 on |
| camera_intrinsics | (3,3), optional | pixels; from version 2 on |
| truth_* | as hand_* | ground truth: truth_global_orient, truth_pose, ..., truth_vertex_order |
| hand_joint_sigma | (H,T,21) | standard deviation of each coordinate of each joint (OpenPose order) |
| object_pose_sigma | (P,T,6) | standard deviation of each coordinate of the rotation vector, then of the translation |

At least one of parameters, joints and vertices must be given. If there are several, parameters are used, else joints.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import read_arrays, write_arrays
from toch_jax.object.load import load_object
from toch_jax.object.mesh import check_mesh
from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.record import MESH_KEYS, OBJECT_KEYS, record_from_sequence, sequence_from_record
from toch_jax.sequence.types import Sequence


def load_sequence(path: str | Path, object_mesh: str | Path | None = None, *, object_scale: float = 1.0) -> Sequence:
    """The sequence in a file. The mesh in `object_mesh`, if given, replaces the file's own.

    `object_mesh` is any file that trimesh reads, a folder with a mesh for each part, a file of points (see
    `load_object`), or another sequence file (.npz) that holds a mesh.
    `object_scale` multiplies the vertices of the mesh in use: 0.001 for millimetres.
    Raises InputError, with one line for each fault in the files.
    """
    record = read_arrays(path)
    if not 0 < object_scale < math.inf:
        raise bad_input(path, "object_scale", "a factor above 0", f"{object_scale:g}")
    if object_mesh is not None and Path(object_mesh).suffix == ".npz":
        record |= _mesh_arrays(object_mesh)
        object_mesh = None
    notes: tuple[str, ...] = ()
    if object_mesh is not None:
        loaded = load_object(object_mesh, object_scale)
        record |= {"object_vertices": loaded.vertices, "object_faces": loaded.faces}
        record |= {"object_vertex_part": loaded.part} if loaded.names else {}
        notes = loaded.said
    elif object_scale != 1 and "object_vertices" in record and "object_faces" in record:
        mesh = check_mesh(path, record["object_vertices"], record["object_faces"], scale=object_scale)
        record["object_vertices"], record["object_faces"] = mesh
    sequence = sequence_from_record(path, record)
    return sequence.replace(notes=(*notes, *sequence.notes))


def holds_mesh(path: str | Path) -> bool:
    """Whether the sequence file itself has the object's mesh."""
    return "object_vertices" in read_arrays(path)


def _mesh_arrays(path: str | Path) -> dict[str, np.ndarray]:
    mesh = {key: value for key, value in read_arrays(path).items() if key in MESH_KEYS}
    if "object_vertices" not in mesh:
        raise bad_input(path, "object_vertices", "this key, as the file is to give the object's mesh", "none")
    return mesh


def save_sequence(path: str | Path, sequence: Sequence, keep: str | Path | None = None) -> None:
    """Write the sequence to a file, completely or not at all.

    `keep` is the file that the sequence was loaded from. Its mesh and its object motion are copied bit for bit, each
    unless the sequence's own differs: a mesh from another file or scaled, a motion that was corrected.
    Raises InputError if the folder does not exist.
    """
    record = record_from_sequence(sequence)
    if keep is not None:
        kept = {key: value for key, value in read_arrays(keep).items() if key in OBJECT_KEYS}
        vertices = kept.get("object_vertices")
        if vertices is None or not np.array_equal(vertices.astype(np.float32), sequence.object_vertices):
            kept = {key: value for key, value in kept.items() if key not in MESH_KEYS}
        else:
            record = {key: value for key, value in record.items() if key not in MESH_KEYS}
        if not _same_motion(kept, sequence):
            kept = {key: value for key, value in kept.items() if key in MESH_KEYS}
        record |= kept
    path = Path(path)
    if not path.parent.is_dir():
        raise bad_input(path, "output", "a folder that exists", f"no folder {path.parent}")
    write_arrays(path, record)


def _same_motion(arrays: Mapping[str, np.ndarray], sequence: Sequence) -> bool:
    given = motion_from_axis_angle(arrays["object_rotation"], arrays["object_translation"])
    pairs = zip(*map(jax.tree.leaves, (given, sequence.object_motion)), strict=True)
    # the sequence's motion was converted to float32
    return all(np.allclose(mine, theirs, rtol=1e-6, atol=1e-6) for mine, theirs in pairs)
