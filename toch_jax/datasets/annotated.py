"""Data sets of annotated video, each from its own files by its reader in trackers/: one converter for all of them.

annotation_folders.py says how a set's recordings and their splits are found in its folder. A recording is read as
`toch convert` reads it: poses made absolute, the left hand's betas those of the corrected MANO_LEFT.pkl, one shape for
the clip, everything in one frame of reference, the mesh of the set beside it.

Each run of frames in which the object's pose and a hand are known becomes a clip, if it is MIN_FRAMES long and a hand
touches the object in it. In a clip, frames without a hand have its nearest known pose and hand_valid false.

A set whose spec has `bridges_gaps = true` leaves out frames now and then: over gaps as short as those that
trackers/resampling.py bridges, the object's pose is interpolated, and the clip goes on.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from toch_jax.base.errors import bad_input
from toch_jax.datasets.annotation_folders import SETS, Annotation
from toch_jax.datasets.arctic import touches
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.prepared import Example, default_data_dir
from toch_jax.datasets.recordings import runs
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side, rest_joints
from toch_jax.object.mesh import orient_outward
from toch_jax.trackers.detections import rotation_vectors
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.resampling import Between, between, poses_at
from toch_jax.trackers.to_sequence import hand_arguments, object_of
from toch_jax.trackers.tracked import Tracked

MIN_FRAMES = 16
"""Shortest clip: half a window of 32 frames."""
GENERATION = 1
"""Increase when the same files would give different clips: cached ones are then not reused."""
SIDES: tuple[Side, Side] = ("right", "left")


def prepare(name: str, source: str | Path, data_dir: str | Path | None = None) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `source` is the folder of the set's own files; MANO must be where `load_hand("mano")` finds it. The folder also gets
    the recordings left out, with the reasons (skipped.json). Raises InputError if nothing is there, or MANO is missing.
    """
    spec, source = load_spec(name), Path(source)
    data_dir = Path(data_dir or default_data_dir())
    models = {side: load_hand("mano", side) for side in SIDES}
    found = list(SETS[spec.name.partition("_")[0]](spec, source))
    if not found:
        raise bad_input(source, spec.name, f"recordings ({spec.how_to_get})", "none")
    facts = {"fps": spec.fps, "generation": GENERATION, "source": source.resolve()}
    cached = data_dir / "work" / f"{spec.name}-{fingerprint(facts, models)}"
    tasks = [Task(each.split, cached / f"{each.id}.npz", partial(convert, spec, models, each)) for each in found]
    files, skipped = convert_all(spec, tasks)
    return write_dataset(spec, files, data_dir, shuffled=False, skipped=skipped)


def convert(spec: DatasetSpec, models: Mapping[Side, HandModel], annotation: Annotation) -> list[Example]:
    """The clips of one recording. Raises InputError."""
    reading = Reading(object_key=annotation.object_key)
    tracked = read_tracked(annotation.path, reading)
    if tracked.object_poses is None:
        raise bad_input(annotation.path, "object poses", "poses beside the hands", "none")
    hands, _ = hand_arguments(annotation.path, tracked, reading)
    if "hand_betas" not in hands:
        raise bad_input(annotation.path, "hand", "parameters of MANO", "joints alone")
    vertices, faces = _mesh(annotation.path, tracked)
    betas, transl = one_shape([models[side] for side in tracked.sides], hands["hand_betas"], hands["hand_transl"])
    arrays = {
        "hand_global_orient": hands["hand_global_orient"],
        "hand_pose": hands["hand_pose"],
        "hand_transl": transl,
    }
    valid = np.all([np.isfinite(each).all(axis=-1) for each in arrays.values()], axis=0)
    poses, with_hand = tracked.object_poses, valid.any(axis=0)
    if spec.extra.get("bridges_gaps"):
        with_object = np.isfinite(poses).all(axis=(1, 2))
        if min(with_object.sum(), with_hand.sum()) < MIN_FRAMES // 2:
            return []
        poses = poses_at(_bridged(with_object, spec.fps), poses[with_object])
        with_hand = _bridged(with_hand, spec.fps).known
    turns = rotation_vectors(annotation.path, "object poses", poses[:, :3, :3])
    places = poses[:, :3, 3]
    known = np.isfinite(turns).all(axis=1) & np.isfinite(places).all(axis=1) & with_hand
    clips = []
    for frames in runs(known, MIN_FRAMES):
        kept = np.flatnonzero(valid[:, frames].any(axis=1))
        seen = valid[kept, frames]
        clip = {
            "object": tracked.object_name or "object",
            "fps": spec.fps,
            "hand_side": " ".join(tracked.sides[hand] for hand in kept),
            **{key: _filled(each[kept, frames], seen) for key, each in arrays.items()},
            "hand_betas": betas[kept],
            "hand_valid": seen,
            "object_vertices": vertices,
            "object_faces": faces,
            "object_vertex_part": np.zeros(len(vertices), np.int32),
            "object_rotation": turns[None, frames],
            "object_translation": places[None, frames],
        }
        touching = [touches(clip, row, models[tracked.sides[hand]]) for row, hand in enumerate(kept)]
        clip |= {"id": f"{annotation.id}_{frames.start}", "grasp": np.stack(touching) & seen}
        if clip["grasp"].any():
            clips.append(clip)
    return clips


def one_shape(
    models: Sequence[HandModel], betas: Float[np.ndarray, "H *T S"], transl: Float[np.ndarray, "H T 3"]
) -> tuple[Float[np.ndarray, "H S"], Float[np.ndarray, "H T 3"]]:
    """The mean of betas that were estimated in each frame, and translations with which the wrists stay in place."""
    if betas.ndim == 2:
        return betas, transl
    mean = betas.mean(axis=1)

    def wrists(model: HandModel, shapes: Float[np.ndarray, "N S"]) -> Float[np.ndarray, "N 3"]:
        return np.asarray(rest_joints(model, jnp.asarray(shapes, jnp.float32)), np.float64)[:, 0]

    rows = zip(models, betas, mean, strict=True)
    shift = np.stack([wrists(model, each) - wrists(model, whole[None]) for model, each, whole in rows])
    return mean, transl + shift


def _bridged(known: Bool[np.ndarray, "T"], fps: float) -> Between:
    """For every frame, the known frames before and after it."""
    return between(np.flatnonzero(known) / fps, np.arange(len(known)) / fps)


def _filled(values: Float[np.ndarray, "H T K"], seen: Bool[np.ndarray, "H T"]) -> Float[np.ndarray, "H T K"]:
    """The values with those of the nearest seen frame where a hand is not seen."""
    frames = np.arange(values.shape[1])
    found = []
    for rows, known in zip(values, seen, strict=True):
        at = np.flatnonzero(known)
        found.append(rows[at[np.abs(frames[:, None] - at).argmin(axis=1)]])
    return np.stack(found)


def _mesh(path: Path, tracked: Tracked) -> tuple[np.ndarray, np.ndarray]:
    if tracked.object_mesh is None:
        raise bad_input(path, "object", f"the mesh of {tracked.object_name} in the set's folder", "none")
    change = tracked.mesh_to_object
    return _oriented(tracked.object_mesh, tracked.centre_mesh, None if change is None else tuple(change.ravel()))


@lru_cache(maxsize=32)
def _oriented(mesh: Path, centre: bool, change: tuple[float, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    """A set's mesh, which many of its recordings share, in the frame of its poses, with outward triangles."""
    to_object = None if change is None else np.reshape(change, (4, 4))
    of_mesh = Tracked(format="", sides=(), centre_mesh=centre, mesh_to_object=to_object)
    loaded = object_of(mesh, of_mesh, mesh, 1.0)
    return loaded.vertices, orient_outward(loaded.vertices, loaded.faces)
