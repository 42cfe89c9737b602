"""ARCTIC (Fan et al. 2023): the data sets arctic and arctic_p2 from ARCTIC's files.

Conventions that differ from this package's. Each gives wrong hands or objects, without an error, if missed:

- Millimetres: meshes and the object's translation are in mm (`MM`); the hands are in metres.
- Hinge: the top rotates about (0, 0, -1), not +z, before both parts are moved (`object_motion`; datasets/hinged.py).
- Part labels: in the documentation label 1 is the top, in the code 0 is (`vertex_part`).
- Mean pose: hand poses are relative to MANO's mean, flat_hand_mean=False (`absolute_pose`).
- Left shape: ARCTIC uses MANO_LEFT.pkl with its fault in the shape directions (`arctic_hands`).

Files are read after ARCTIC's own code (zc-alexfan/arctic: src/arctic/preprocess_dataset.py).
raw_seqs/<subject>/<object>_<action>_<n>.mano.npy holds a pickled dict, the .object.npy beside it an array;
meta/object_vtemplates/<object>/ holds the object's mesh and parts. What is read is as stored, except for the objects.
"""

import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.base.pickles import read_npy
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.hinged import BOTTOM, TOP, HingedObject, part_motion
from toch_jax.datasets.prepared import Example, default_data_dir, posed_vertices, stack_hands
from toch_jax.datasets.recordings import Recording, entry, need_file, numbers, plain_array, with_shapes
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side
from toch_jax.object.mesh import check_mesh, read_mesh

MM = 1e-3
"""Metres per millimetre."""
N_SHAPES = 10
"""Number of shape coefficients in ARCTIC's files."""
SIDES: tuple[Side, Side] = ("right", "left")
OBJECT_FILES = ("mesh.obj", "parts.json", "top.obj", "bottom.obj")
HIDDEN = "test"
"""The split whose hands are not public: its missing recordings are skipped without an error."""
GENERATION = 1
"""Increase when the same files would give different clips: cached ones are then not reused."""
CONTACT_M = 0.003
"""Largest distance (m) of a hand's vertex to the object in a grasp frame; ARCTIC has no contact labels."""


def object_motion(pose: Float[np.ndarray, "T 7"]) -> tuple[Float[np.ndarray, "2 T 3"], Float[np.ndarray, "2 T 3"]]:
    """Axis-angle rotation and translation (m) of bottom and top in the world.

    `pose` is ARCTIC's: hinge angle (rad), axis-angle rotation (rad), translation (mm).
    """
    return part_motion(pose[:, 0], pose[:, 1:4], pose[:, 4:] * MM)


def vertex_part(
    label: Bool[np.ndarray, "Vo"], to_top: Float[np.ndarray, "Vo"], to_bottom: Float[np.ndarray, "Vo"]
) -> Int[np.ndarray, "Vo"] | None:
    """Part of each vertex (BOTTOM or TOP) from the labels of parts.json; None if the distances cannot tell.

    Of the two meanings of the labels the one is taken with which the vertices are nearer to their part's own mesh:
    `to_top` and `to_bottom` are the distances to top.obj and bottom.obj.
    """
    if_documented = to_top[label].mean() + to_bottom[~label].mean()
    if_coded = to_top[~label].mean() + to_bottom[label].mean()
    if if_documented == if_coded:
        return None
    return np.where(label == (if_documented < if_coded), TOP, BOTTOM).astype(np.int32)


def absolute_pose(pose: Float[np.ndarray, "T 45"], model: HandModel) -> Float[np.ndarray, "T 45"]:
    """Absolute finger pose (axis-angle) from ARCTIC's, which is relative to MANO's mean pose."""
    return pose + np.asarray(model.pose_mean)


def arctic_hands(mano: dict[Side, HandModel]) -> dict[Side, HandModel]:
    """MANO with ten more shape directions: those of the left hand as ARCTIC uses them.

    ARCTIC's code uses MANO_LEFT.pkl unchanged, whose shape directions have the wrong sign of x (smplx issue 48, arctic
    issue 50). `load_hand` corrects it; for ARCTIC's coefficients the uncorrected directions are added again.
    """
    faulty = np.asarray(mano["left"].shapedirs)[..., :N_SHAPES] * np.array([-1.0, 1.0, 1.0])[:, None]
    return with_shapes(mano, faulty[..., :0], faulty)


def arctic_betas(
    n_shapes: int, right: Float[np.ndarray, "10"], left: Float[np.ndarray, "10"]
) -> Float[np.ndarray, "2 S"]:
    """Shape coefficients of both hands for the models of `arctic_hands`: the right's come first, the left's last."""
    betas = np.zeros((2, n_shapes))
    betas[0, :N_SHAPES], betas[1, -N_SHAPES:] = right, left
    return betas


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
    mesh = read_mesh(folder / "mesh.obj")
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
    mesh = read_mesh(path)
    surface = np.ascontiguousarray(mesh.vertices, np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    return np.sqrt(igl.point_mesh_squared_distance(np.ascontiguousarray(points, np.float64), *surface)[0])


Protocol = Literal["p1", "p2"]


def prepare(raw: str | Path, data_dir: str | Path | None = None, protocol: Protocol = "p1") -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `raw` is the folder with ARCTIC's `raw_seqs`, `meta` and `splits_json`; MANO must be where `load_hand("mano")`
    finds it. The data set's folder also gets the hand models of the clips (hand/) and the recordings left out, with
    the reasons (skipped.json). Raises InputError if a file or MANO is missing.
    """
    spec, raw = load_spec("arctic" if protocol == "p1" else f"arctic_{protocol}"), Path(raw)
    data_dir = Path(data_dir or default_data_dir())
    models = arctic_hands({side: load_hand("mano", side) for side in SIDES})
    found = recordings(spec, raw)
    object_named = cache(lambda name: read_object(need_object(spec, raw, name)))

    def convert(recording: Recording) -> list[Example]:
        return [as_example(spec, recording, object_named(object_of(recording.path)), models)]

    facts = {"fps": spec.fps, "generation": GENERATION, "raw": raw.resolve()}
    cached = data_dir / "work" / f"{spec.name}-{fingerprint(facts, models)}"
    tasks = [Task(each.split, cached / f"{each.id}.npz", partial(convert, each)) for each in found]
    files, skipped = convert_all(spec, tasks)
    return write_dataset(spec, files, data_dir, shuffled=False, models=models, skipped=skipped)


def as_example(spec: DatasetSpec, recording: Recording, obj: HingedObject, models: dict[Side, HandModel]) -> Example:
    """The recording as an example, right hand first."""
    found = read_hands(recording.path)
    pose = read_object_pose(object_path(recording.path), len(found["right"].pose))
    rotation, translation = object_motion(pose)
    betas = arctic_betas(models["right"].shapedirs.shape[-1], found["right"].shape, found["left"].shape)
    hands = [
        {
            "hand_global_orient": found[side].global_orient,
            "hand_pose": absolute_pose(found[side].pose, models[side]),
            "hand_transl": found[side].transl,
            "hand_betas": shape,
        }
        for side, shape in zip(SIDES, betas, strict=True)
    ]
    example = {
        "id": recording.id,
        "object": object_of(recording.path),
        "fps": spec.fps,
        **stack_hands(SIDES, hands, np.zeros((2, len(pose)), bool)),
        "object_vertices": obj.vertices,
        "object_faces": obj.faces,
        "object_vertex_part": obj.vertex_part,
        "object_rotation": rotation,
        "object_translation": translation,
    }
    touching = [touches(example, hand, models[side]) for hand, side in enumerate(SIDES)]
    return example | {"grasp": np.stack(touching)}


def touches(example: Example, hand: int, model: HandModel) -> Bool[np.ndarray, "T"]:
    """Frames in which a vertex of the hand is within CONTACT_M (metres) of the surface of a part."""
    skin = posed_vertices(example, hand, model).astype(np.float64)
    near = np.zeros(skin.shape[:2], bool)
    vertices, faces, of_part = (example[f"object_{key}"] for key in ("vertices", "faces", "vertex_part"))
    surface = np.ascontiguousarray(vertices, np.float64)
    for part in range(len(example["object_rotation"])):
        rotation = Rotation.from_rotvec(example["object_rotation"][part]).as_matrix()
        local = np.einsum("tba,tvb->tva", rotation, skin - example["object_translation"][part][:, None])
        own = surface[of_part == part]
        near_box = ((local > own.min(axis=0) - CONTACT_M) & (local < own.max(axis=0) + CONTACT_M)).all(axis=-1)
        if near_box.any():
            own_faces = np.ascontiguousarray(faces[(of_part[faces] == part).all(axis=1)], np.int64)
            squared = igl.point_mesh_squared_distance(np.ascontiguousarray(local[near_box]), surface, own_faces)[0]
            near[near_box] |= squared <= CONTACT_M**2
    return np.asarray(near.any(axis=1))
