"""GRAB (Taheri et al. 2020): the data sets grab (both hands, whole recordings) and grab_toch (clips by TOCH's rules).

Conventions that differ from this package's. Each gives wrong hands or objects, without an error, if missed:

- Row vectors: GRAB's objects are v R + t, not R v + t (`rotation_of_column_vectors`).
- Mean pose: hand poses are absolute, flat_hand_mean=True; MANO's mean pose is not added (`absolute_pose`).
- PCA: `hand_pose` is 24 coefficients of MANO's principal directions, not angles (`absolute_pose`).
- Personal template: each subject's unposed hand replaces MANO's (`subject_hands`, `subject_betas`).
- Left hand: it has a template of its own, which is not the right one's mirror image (`subject_hands`).
- Contact labels are numbers of body parts; each hand has sixteen (`LABELS`).

Files are read after GRAB's own code (otaheri/GRAB: tools/utils.py, tools/objectmodel.py).
grab/<subject>/<object>_<action>.npz holds pickled dicts; tools/ holds the object meshes and the subjects' hands.
The rules of TOCH (one hand near the object, the other not in contact with it) are those of its code (kzhou23/toch:
data/grab/preprocessing.py), implemented independently.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.pickles import read_npz
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.prepared import Example, default_data_dir, posed_vertices, stack_hands
from toch_jax.datasets.recordings import Recording, entry, need_file, numbers, runs, with_shapes
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side
from toch_jax.object.mesh import load_mesh, orient_outward

N_PCA = 24
"""Number of coefficients of a finger pose in GRAB's files."""
LABELS: dict[Side, tuple[int, ...]] = {"right": (22, *range(41, 56)), "left": (21, *range(26, 41))}
"""Labels in contact.object of each side: the hand itself, then its fingers."""
SIDES: tuple[Side, Side] = ("right", "left")
KEYS: dict[Side, str] = {"right": "rhand", "left": "lhand"}
MESH = "tools/object_meshes/contact_meshes/{}.ply"
POSE_TOLERANCE = 0.01
"""Largest difference (rad) allowed between the file's two finger poses, `hand_pose` (PCA) and `fullpose`."""
NEAR_M = 0.15
"""Largest distance (m) from the centre of the wrist ring to the nearest object sample in a selected frame."""
MIN_FRAMES = 30
"""Shortest run of selected frames that becomes a clip."""
SAMPLES = 8000
"""Surface samples of the object from which the distance is measured."""
GENERATION = 1
"""Increase when the same files would give different clips: cached ones are then not reused."""


def rotation_of_column_vectors(rotation: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """The object's axis-angle rotation for world = R v + t, from GRAB's, whose vectors are rows: v R.

    v R has the values of R^T v, so the rotation is the inverse of GRAB's: of an axis-angle vector, its negative
    (otaheri/GRAB: tools/objectmodel.py).
    """
    return -rotation


def absolute_pose(coefficients: Float[np.ndarray, "T 24"], model: HandModel) -> Float[np.ndarray, "T 45"]:
    """Absolute finger pose (axis-angle) from GRAB's PCA coefficients; no mean pose is added (flat_hand_mean=True)."""
    return coefficients @ np.asarray(model.pose_components, np.float64)[:N_PCA]


def subject_hands(
    mano: dict[Side, HandModel], templates: dict[Side, list[Float[np.ndarray, "V 3"]]]
) -> dict[Side, HandModel]:
    """MANO with one more shape direction for each subject's unposed hand (`templates`, metres).

    MANO's own directions come first, then the right hands, then the left hands (see datasets/recordings.py).
    """
    right, left = (
        np.stack(templates[side], axis=-1) - np.asarray(mano[side].v_template)[..., None] for side in ("right", "left")
    )
    return with_shapes(mano, right, left)


def subject_betas(model: HandModel, side: Side, subject: int, n_subjects: int) -> Float[np.ndarray, "S"]:
    """Shape coefficients for a model of `subject_hands`: 1 for the subject's own hand, 0 for all others."""
    betas = np.zeros(model.shapedirs.shape[-1])
    betas[len(betas) - 2 * n_subjects + (n_subjects if side == "left" else 0) + subject] = 1.0
    return betas


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


def toch_clips(example: Example, models: dict[Side, HandModel]) -> list[Example]:
    """One-hand clips of the recording: for each hand the runs of at least MIN_FRAMES frames that the rules select."""
    clips = []
    for hand, side in enumerate(example["hand_side"].split()):
        others = np.delete(example["grasp"], hand, axis=0).any(axis=0)
        near = wrist_distance(example, hand, models[side]) <= NEAR_M
        for number, frames in enumerate(runs(near & ~others, MIN_FRAMES)):
            clip = _cut(example, hand, frames)
            clips.append(clip | {"hand_side": side, "id": f"{example['id']}_{side}_{number}"})
    return clips


def wrist_distance(example: Example, hand: int, model: HandModel) -> Float[np.ndarray, "T"]:
    """Distance (m) from the centre of the hand's wrist ring to the nearest of SAMPLES points on the object.

    Raises InputError if the hand's mesh is closed at the wrist.
    """
    if not model.wrist_ring.size:
        raise bad_input("MANO", "f", "a mesh that is open at the wrist", "a closed one")
    centre = posed_vertices(example, hand, model)[:, np.asarray(model.wrist_ring)].mean(axis=1)
    rotation = Rotation.from_rotvec(example["object_rotation"][0])
    local = rotation.inv().apply(centre - example["object_translation"][0])
    mesh = trimesh.Trimesh(example["object_vertices"], example["object_faces"], process=False)
    samples = trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)[0]
    return cKDTree(samples).query(local)[0]


def _cut(example: Example, hand: int, frames: slice) -> Example:
    per_hand = ("hand_global_orient", "hand_pose", "hand_transl", "hand_valid", "grasp")
    clip = dict(example)
    clip |= {key: example[key][hand : hand + 1, frames] for key in per_hand}
    clip |= {key: example[key][:, frames] for key in ("object_rotation", "object_translation")}
    return clip | {"hand_betas": example["hand_betas"][hand : hand + 1]}


Templates = dict[Side, list[str]]
"""Paths of the subjects' unposed hands, in the spec's order of subjects, relative to the raw folder."""


def prepare(raw: str | Path, data_dir: str | Path | None = None, toch_rules: bool = False) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `raw` is the folder with GRAB's `grab` and `tools`; MANO must be where `load_hand("mano")` finds it. The data set's
    folder also gets the hand models of the clips (hand/) and the recordings left out, with the reasons (skipped.json).
    Raises InputError if a file or MANO is missing.
    """
    spec, raw = load_spec("grab_toch" if toch_rules else "grab"), Path(raw)
    data_dir = Path(data_dir or default_data_dir())
    found = [_recording(spec, path) for path in recordings(spec, raw)]
    mano = {side: load_hand("mano", side) for side in SIDES}
    subjects = [_some_templates(raw, subject) for subject in spec.extra["subjects"]]  # type: ignore[attr-defined]
    templates: Templates = {side: [each[side] for each in subjects] for side in SIDES}
    unposed = {side: [read_template(spec, raw / path, mano[side]) for path in templates[side]] for side in SIDES}
    models = subject_hands(mano, unposed)

    def convert(recording: Recording) -> list[Example]:
        whole = as_example(spec, raw, recording, models, templates)
        return toch_clips(whole, models) if toch_rules else [whole]

    facts = {"fps": spec.fps, "generation": GENERATION, "raw": raw.resolve(), "toch_rules": toch_rules}
    cached = data_dir / "work" / f"{spec.name}-{fingerprint(facts, models)}"
    tasks = [Task(each.split, cached / f"{each.id}.npz", partial(convert, each)) for each in found]
    files, skipped = convert_all(spec, tasks)
    return write_dataset(spec, files, data_dir, shuffled=False, models=models, skipped=skipped)


def as_example(
    spec: DatasetSpec, raw: Path, recording: Recording, models: dict[Side, HandModel], templates: Templates
) -> Example:
    """The whole recording as an example, right hand first."""
    grab = read_recording(spec, raw, recording.path, models)
    hands = []
    for side in SIDES:
        hand, known = grab.hands[side], templates[side]
        if hand.template not in known:
            raise bad_input(recording.path, f"{KEYS[side]}.vtemp", "a hand of a known subject", hand.template)
        hands.append(
            {
                "hand_global_orient": hand.global_orient,
                "hand_pose": hand.pose,
                "hand_transl": hand.transl,
                "hand_betas": subject_betas(models[side], side, known.index(hand.template), len(known)),
            }
        )
    return {
        "id": recording.id,
        "object": object_of(recording.path),
        "fps": spec.fps,
        **stack_hands(SIDES, hands, np.stack([grab.hands[side].touches for side in SIDES])),
        "object_vertices": grab.vertices,
        "object_faces": grab.faces,
        "object_vertex_part": np.zeros(len(grab.vertices)),
        "object_rotation": grab.object_rotation[None],
        "object_translation": grab.object_translation[None],
    }


def _some_templates(raw: Path, subject: str) -> dict[Side, str]:
    """Paths of the subject's unposed hands, from the first of their recordings that can be read."""
    fault: InputError | None = None
    for path in sorted((raw / "grab" / subject).glob("*.npz")):
        try:
            return template_paths(path)
        except InputError as error:
            fault = fault or error
    assert fault is not None, "a subject has recordings"
    raise fault


def _recording(spec: DatasetSpec, path: Path) -> Recording:
    name = object_of(path)
    for split, objects in spec.splits.items():
        if name in objects:
            return Recording(f"{path.parent.name}_{path.stem}", split, path)
    raise bad_input(path, "object", "one of GRAB's 51", name)
