"""Reader of ARCTIC's files, after its own code (zc-alexfan/arctic: src/arctic/preprocess_dataset.py).

raw_seqs/<subject>/<object>_<action>_<n>.mano.npy holds a pickled dict, the .object.npy beside it an array;
meta/object_vtemplates/<object>/ holds the object's mesh and parts. Results are as stored, except for the objects:
conventions.py has what must be done to them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import igl
import numpy as np
import trimesh
from jaxtyping import Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.base.pickles import read_npy
from toch_jax.datasets.arctic.conventions import MM, vertex_part
from toch_jax.datasets.hinged import HingedObject
from toch_jax.datasets.original_files import Recording, entry, need_file, numbers, plain_array
from toch_jax.datasets.spec import SPLITS, DatasetSpec
from toch_jax.hand.model import Side
from toch_jax.object.mesh import check_mesh

SIDES: tuple[Side, Side] = ("right", "left")
OBJECT_FILES = ("mesh.obj", "parts.json", "top.obj", "bottom.obj")
HIDDEN = "test"
"""The split whose hands are not public: its missing recordings are skipped without an error."""


@dataclass(frozen=True)
class Hand:
    """One hand as stored in the file. Radians (axis-angle), metres."""

    global_orient: Float[np.ndarray, "T 3"]
    pose: Float[np.ndarray, "T 45"]
    """Relative to MANO's mean (flat_hand_mean=False)."""
    transl: Float[np.ndarray, "T 3"]
    shape: Float[np.ndarray, "10"]


def recordings(spec: DatasetSpec, raw: Path) -> list[Recording]:
    """All recordings of the spec's protocol. Raises InputError naming the first missing file."""
    listing = need_file(spec, raw / "splits_json" / f"protocol_{spec.extra['protocol']}.json")
    try:
        splits = json.loads(listing.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise bad_input(listing, "json", "recordings by split", f"{error!r:.80}") from error
    found = []
    for split in SPLITS:
        names = entry(listing, splits, split)
        if not isinstance(names, list) or not all(isinstance(n, str) and n.count("/") == 1 for n in names):
            raise bad_input(listing, split, 'a list of "subject/recording"', f"{names!r:.60}")
        for name in names:
            path = raw / "raw_seqs" / f"{name}.mano.npy"
            if split == HIDDEN and not path.exists():
                continue
            need_file(spec, path)
            need_file(spec, object_path(path))
            found.append(Recording(name.replace("/", "_"), split, path))
    for name in sorted({object_of(recording.path) for recording in found}):
        need_object(spec, raw, name)
    return found


def object_of(path: Path) -> str:
    """Name of the object: the first part of the recording's file name."""
    return path.name.split("_")[0]


def object_path(path: Path) -> Path:
    """Path of the .object.npy that belongs to a recording's .mano.npy."""
    return path.with_name(path.name.replace(".mano.", ".object."))


def read_hands(path: Path) -> dict[Side, Hand]:
    """Both hands of a .mano.npy. Raises InputError if the file is truncated or its contents are not ARCTIC's."""
    content = read_npy(path)
    frames = len(numbers(path, "right.rot", entry(path, content, "right", "rot"), (None, 3)))

    def hand(side: Side) -> Hand:
        orient, pose, transl = (
            numbers(path, f"{side}.{key}", entry(path, content, side, key), (frames, size))
            for key, size in (("rot", 3), ("pose", 45), ("trans", 3))
        )
        shape = plain_array(path, f"{side}.shape", entry(path, content, side, "shape"))
        # shape is (10,) in ARCTIC's loader and (T, 10) in its documentation; both are accepted
        shapes = numbers(path, f"{side}.shape", np.atleast_2d(shape), (None, 10))
        if len(shapes) not in (1, frames) or np.ptp(shapes, axis=0).max() > 1e-4:
            raise bad_input(path, f"{side}.shape", "one shape for all frames", f"{shape.shape} that change")
        return Hand(orient, pose, transl, shapes[0])

    return {side: hand(side) for side in SIDES}


def read_object_pose(path: Path, frames: int) -> Float[np.ndarray, "T 7"]:
    """ARCTIC's object pose: articulation angle (rad), axis-angle rotation (rad), translation (mm)."""
    return numbers(path, "npy", read_npy(path), (frames, 7)).astype(np.float64)


def need_object(spec: DatasetSpec, raw: Path, name: str) -> Path:
    """The object's folder. Raises InputError naming the first missing file."""
    folder = raw / "meta/object_vtemplates" / name
    for file in OBJECT_FILES:
        need_file(spec, folder / file)
    return folder


def read_object(folder: Path) -> HingedObject:
    """The object of a folder with OBJECT_FILES. Raises InputError if one of them is unreadable or inconsistent."""
    mesh = _load(folder / "mesh.obj")
    vertices, faces = check_mesh(folder / "mesh.obj", np.asarray(mesh.vertices) * MM, np.asarray(mesh.faces))
    return HingedObject(vertices, faces, _vertex_part(folder, np.asarray(mesh.vertices)))


def _vertex_part(folder: Path, vertices: Float[np.ndarray, "Vo 3"]) -> Int[np.ndarray, "Vo"]:
    """Part of each vertex (BOTTOM or TOP) from parts.json."""
    path = folder / "parts.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise bad_input(path, "json", "a label for each vertex", f"{error!r:.80}") from error
    label = numbers(path, "labels", content, (len(vertices),)).astype(bool)
    if label.all() or not label.any():
        raise bad_input(path, "labels", "both 0 and 1", f"only {int(label[0])}")
    to_top, to_bottom = (_distance(folder / f"{part}.obj", vertices) for part in ("top", "bottom"))
    part = vertex_part(label, to_top, to_bottom)
    if part is None:
        raise bad_input(path, "labels", "one of the two parts nearer to top.obj", "both as near")
    return part


def _distance(path: Path, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    mesh = _load(path)
    surface = np.ascontiguousarray(mesh.vertices, np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    return np.sqrt(igl.point_mesh_squared_distance(np.ascontiguousarray(points, np.float64), *surface)[0])


def _load(path: Path) -> trimesh.Trimesh:
    try:
        # process=False keeps the vertices and their order, which parts.json refers to
        mesh = trimesh.load_scene(path, process=False, maintain_order=True, skip_materials=True).to_mesh()
    except Exception as error:  # trimesh's readers raise whatever their format's parser does
        raise bad_input(path, "object mesh", "a mesh that trimesh reads", f"{error!r:.100}") from error
    if not len(mesh.faces):
        raise bad_input(path, "object mesh", "triangles", "none")
    return mesh
