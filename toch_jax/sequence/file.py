"""The sequence file, version 1: a plain .npz of arrays, no pickles. Metres, radians, column vectors.

| key | shape | meaning |
|---|---|---|
| format, version | () | "toch-sequence", 1 |
| fps | () | frames a second |
| hand_side | (H,) | "right" or "left" |
| hand_valid | (H,T) bool, optional | false where the tracker lost the hand; NaN in the data means the same |
| hand_model | (), optional | "open", "mano" or a path: what the parameters belong to |
| hand_global_orient, hand_pose, hand_transl, hand_betas | (H,T,3), (H,T,45), (H,T,3), (H,S) or (H,T,S) | axis-angle,
  absolute; see HandParams |
| hand_joints | (H,T,21,3) | OpenPose order |
| hand_vertices, hand_vertex_order | (H,T,K,3), () | "mano", "open" or "unordered" (the default) |
| object_vertices, object_faces, object_vertex_part | (Vo,3), (Fo,3), (Vo,) optional | the mesh; or a mesh file |
| object_rotation, object_translation | (P,T,3), (P,T,3) | each part to the world, axis-angle |
| truth_* | as hand_* | ground truth: truth_global_orient, truth_pose, ..., truth_vertex_order |
| hand_joint_sigma | (H,T,21) | one standard deviation of each joint (OpenPose order) |

At least one of parameters, joints and vertices is there; parameters win, then joints, then vertices.
"""

import math
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from toch_jax.errors import bad_input
from toch_jax.object.mesh import check_mesh, load_mesh
from toch_jax.sequence.record import MESH_KEYS, OBJECT_KEYS, record_from_sequence, sequence_from_record
from toch_jax.sequence.types import Sequence


def load_sequence(path: str | Path, object_mesh: str | Path | None = None, *, object_scale: float = 1.0) -> Sequence:
    """The sequence of a file; the mesh of `object_mesh` takes the place of the mesh within.

    `object_mesh` is any file that trimesh reads, or another sequence file (.npz) that holds a mesh.
    `object_scale` multiplies the vertices of the mesh, whichever of the two it is: 0.001 for one in millimetres.
    Raises InputError: one line for whatever is wrong with either file.
    """
    record = read_arrays(path)
    if not 0 < object_scale < math.inf:
        raise bad_input(path, "object_scale", "a factor above 0", f"{object_scale:g}")
    mesh = None
    if object_mesh is not None and Path(object_mesh).suffix == ".npz":
        record |= _mesh_arrays(object_mesh)
        object_mesh = None
    if object_mesh is not None:
        mesh = load_mesh(object_mesh, object_scale)
    elif object_scale != 1 and "object_vertices" in record and "object_faces" in record:
        mesh = check_mesh(path, record["object_vertices"], record["object_faces"], scale=object_scale)
    if mesh is not None:
        record["object_vertices"], record["object_faces"] = mesh
    return sequence_from_record(path, record)


def holds_mesh(path: str | Path) -> bool:
    """Whether the sequence file has the object's mesh, which may also be given beside it."""
    return "object_vertices" in read_arrays(path)


def _mesh_arrays(path: str | Path) -> dict[str, np.ndarray]:
    mesh = {key: value for key, value in read_arrays(path).items() if key in MESH_KEYS}
    if "object_vertices" not in mesh:
        raise bad_input(path, "object_vertices", "this key, as the file is to give the object's mesh", "none")
    return mesh


def save_sequence(path: str | Path, sequence: Sequence, keep: str | Path | None = None) -> None:
    """Write the file whole or not at all.

    `keep` is the file that the sequence came from: its arrays of the object are written as they came, bit for bit; its
    mesh only if it is the sequence's, which may have been read from another file, or scaled.
    """
    record = record_from_sequence(sequence)
    if keep is not None:
        kept = {key: value for key, value in read_arrays(keep).items() if key in OBJECT_KEYS}
        vertices = kept.get("object_vertices")
        if vertices is None or not np.array_equal(vertices.astype(np.float32), sequence.object_vertices):
            kept = {key: value for key, value in kept.items() if key not in MESH_KEYS}
        else:
            record = {key: value for key, value in record.items() if key not in OBJECT_KEYS}
        record |= kept
    path = Path(path)
    if not path.parent.is_dir():
        raise bad_input(path, "output", "a folder that exists", f"no folder {path.parent}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **record)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file, nothing unpickled. Raises InputError where it can't be read."""
    if not Path(path).is_file():
        raise bad_input(path, "file", "a .npz file", "no such file")
    arrays: dict[str, np.ndarray] = {}
    key = "file"
    try:
        with zipfile.ZipFile(path):
            pass
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                arrays[key] = file[key]
                if not isinstance(arrays[key], np.ndarray):
                    raise bad_input(path, key, "an array", "other bytes")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise bad_input(path, key, "a whole .npz file (a zip of arrays)", " ".join(str(error).split())) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise bad_input(path, key, "a plain array", "a pickled object, which is never read") from error
        raise
    return arrays
