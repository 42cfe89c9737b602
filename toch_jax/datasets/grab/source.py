"""Reader of GRAB's files, after its own code (otaheri/GRAB: tools/utils.py, tools/objectmodel.py).

grab/<subject>/<object>_<action>.npz holds pickled dicts; tools/ holds the object meshes and the subjects' hands.
Results are in this package's conventions (metres, absolute hand pose, world = R v + t); conventions.py has GRAB's.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from toch_jax.base.errors import bad_input
from toch_jax.base.pickles import read_npz
from toch_jax.datasets.grab.conventions import LABELS, N_PCA, absolute_pose, rotation_of_column_vectors
from toch_jax.datasets.original_files import entry, need_file, numbers
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandModel, Side
from toch_jax.object.mesh import load_mesh, orient_outward

SIDES: tuple[Side, Side] = ("right", "left")
KEYS: dict[Side, str] = {"right": "rhand", "left": "lhand"}
MESH = "tools/object_meshes/contact_meshes/{}.ply"
POSE_TOLERANCE = 0.01
"""Largest difference (rad) allowed between the file's two finger poses, `hand_pose` (PCA) and `fullpose`."""


@dataclass(frozen=True)
class Hand:
    """One hand of a recording, subsampled to the data set's frame rate. Radians (axis-angle), metres."""

    template: str
    """Path of the mesh of the subject's unposed hand, relative to the raw folder."""
    global_orient: Float[np.ndarray, "T 3"]
    pose: Float[np.ndarray, "T 45"]
    """Axis-angle, absolute (MANO's mean pose not subtracted)."""
    transl: Float[np.ndarray, "T 3"]
    touches: Bool[np.ndarray, "T"]
    """Whether GRAB labels any object vertex as in contact with this hand."""


@dataclass(frozen=True)
class Grab:
    """One recording, subsampled to the data set's frame rate; metres."""

    hands: dict[Side, Hand]
    object_rotation: Float[np.ndarray, "T 3"]
    """Axis-angle; world = R v + t."""
    object_translation: Float[np.ndarray, "T 3"]
    vertices: Float[np.ndarray, "Vo 3"]
    faces: np.ndarray


def recordings(spec: DatasetSpec, raw: Path) -> list[Path]:
    """Paths of all recordings. Raises InputError if a subject's recordings or an object's mesh are missing."""
    found: list[Path] = []
    for subject in spec.extra["subjects"]:  # type: ignore[attr-defined]
        folder = need_file(spec, raw / "grab" / subject)
        paths = sorted(folder.glob("*.npz"))
        if not paths:
            need_file(spec, folder / "*.npz")
        found += paths
    for name in sorted({object_of(path) for path in found}):
        need_file(spec, raw / MESH.format(name))
    return found


def object_of(path: Path) -> str:
    """Name of the object: the first part of the recording's file name."""
    return path.stem.split("_")[0]


def template_paths(path: Path) -> dict[Side, str]:
    """Paths of the unposed hands of a recording's subject, relative to the raw folder."""
    content = read_npz(path, KEYS.values())
    return {side: _template(path, content[key]) for side, key in KEYS.items()}


def read_template(spec: DatasetSpec, path: Path, model: HandModel) -> Float[np.ndarray, "V 3"]:
    """Vertices of a subject's unposed hand, metres.

    Raises InputError if the file is missing or unreadable, or its number of vertices is not the model's.
    """
    need_file(spec, path)
    try:
        vertices = np.asarray(trimesh.load_mesh(path, process=False, maintain_order=True).vertices)
    except Exception as error:  # trimesh's readers raise whatever their format's parser does
        raise bad_input(path, "hand mesh", "a mesh that trimesh reads", f"{error!r:.100}") from error
    return numbers(path, "hand mesh vertices", vertices, model.v_template.shape)


def read_recording(spec: DatasetSpec, raw: Path, path: Path, models: dict[Side, HandModel]) -> Grab:
    """One recording. Raises InputError if the file is truncated or its contents are not GRAB's."""
    content = read_npz(path, ("framerate", "obj_name", "object", "contact", *KEYS.values()))
    rate = float(numbers(path, "framerate", content["framerate"], ()))
    step = round(rate / spec.fps)
    if step < 1 or abs(step * spec.fps - rate) > 1e-3:
        raise bad_input(path, "framerate", f"a multiple of {spec.fps:g}", f"{rate:g}")
    if (name := str(content["obj_name"])) != object_of(path):
        raise bad_input(path, "obj_name", repr(object_of(path)), f"{name!r:.60}")
    vertices, faces = _mesh(raw / MESH.format(object_of(path)))

    def of_object(name: str, rows: int | None) -> np.ndarray:
        return numbers(path, f"object.params.{name}", entry(path, content["object"], "params", name), (rows, 3))

    rotation = of_object("global_orient", None)
    frames = len(rotation)
    translation = of_object("transl", frames)
    contact = numbers(path, "contact.object", entry(path, content["contact"], "object"), (frames, len(vertices)))

    def hand(side: Side) -> Hand:
        key, stored = KEYS[side], content[KEYS[side]]
        orient, coefficients, transl = (
            numbers(path, f"{key}.params.{name}", entry(path, stored, "params", name), (frames, size))[::step]
            for name, size in (("global_orient", 3), ("hand_pose", N_PCA), ("transl", 3))
        )
        pose = absolute_pose(coefficients, models[side])
        params = entry(path, stored, "params")
        if isinstance(params, dict) and "fullpose" in params:
            full = numbers(path, f"{key}.params.fullpose", params["fullpose"], (frames, 45))[::step]
            apart = float(np.abs(full - pose).max())
            if apart > POSE_TOLERANCE:
                expected = f"what hand_pose gives with this MANO, within {POSE_TOLERANCE} rad"
                raise bad_input(path, f"{key}.params.fullpose", expected, f"{apart:.3f} rad away")
        touches = np.asarray(np.isin(contact[::step], LABELS[side]).any(axis=1))
        return Hand(_template(path, stored), orient, pose, transl, touches)

    return Grab(
        hands={side: hand(side) for side in SIDES},
        object_rotation=rotation_of_column_vectors(rotation[::step]),
        object_translation=translation[::step],
        vertices=vertices,
        faces=faces,
    )


def _template(path: Path, hand: object) -> str:
    found = entry(path, hand, "vtemp")
    if not isinstance(found, str) or Path(found).is_absolute() or ".." in Path(found).parts:
        raise bad_input(path, "vtemp", "a path below the raw folder", f"{found!r:.60}")
    return found


@lru_cache(maxsize=4)
def _mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = load_mesh(path)
    return vertices, orient_outward(vertices, faces)
