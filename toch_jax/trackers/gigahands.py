"""GigaHands: `hand_poses/<session>/params/<sequence>.json`, both hands of a sequence in the world.

{left, right: {poses (T, 48), Rh (T, 3), Th (T, 3), shapes (1 or T, 10)}}, EasyMocap's parameters of MANO with
use_flat_mean=False, by which it adds the mean pose: the first three of poses are zero, the others relative to the mean,
and the hand is turned about the model's origin: a vertex becomes R(Rh) v + Th. Left hands are those of MANO_LEFT.pkl as
it is (Kristen-Z/GigaHands, render_mesh_video.py; zju3dv/EasyMocap, easymocap/smplmodel/body_model.py).

A row is of a frame of the video, 30 a second, that is in one of `../keypoints_3d/<sequence>/chosen_frames_left.json`
and chosen_frames_right.json, in their order; a hand is lost where its own list has not the frame.

Objects: `object_poses/<scene>/<object>/<session>_<sequence>/pose/optimized_pose.json`, {frame of the video:
{mesh_translation, mesh_rotation: a rotation vector, or a quaternion w x y z of PyTorch3D, whose matrix is to be
transposed}}, of the meshes in `object_meta/<scene>/<object>`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import quaternion_vectors
from toch_jax.trackers.frame_numbers import at_frames, frame_grid, frame_numbers, numbered
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import ManoTrack, Tracked, rigid

SIDES: tuple[Side, Side] = ("left", "right")
KEYS = {"poses", "Rh", "Th", "shapes"}
FPS = 30.0
"""Of the videos (render_mesh_video.py; 183 million frames of 51 cameras in 34 hours)."""
NO_TURN = 1e-4
"""Largest rotation in the first three of poses, radians, which Rh stands for."""


def fits(source: Source) -> bool:
    content = source.content
    if source.is_folder or not isinstance(content, dict):
        return False
    return all(isinstance(content.get(side), dict) and set(content[side]) >= KEYS for side in SIDES)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands, and the object where it lies beside them. Raises InputError."""
    where = source.path
    hands = {side: _hand(where, side, source.content[side]) for side in SIDES}
    count = len(hands["left"]["Th"])
    if len(hands["right"]["Th"]) != count:
        raise bad_input(where, "right.Th", f"the {count} frames of the left hand", str(len(hands["right"]["Th"])))
    chosen = _chosen(where, count)
    numbers = np.arange(count) if chosen is None else np.union1d(*chosen.values())
    every, index = frame_grid(where, numbers.tolist())
    for side, own in (chosen or {}).items():
        for values in hands[side].values():
            values[~np.isin(numbers, own)] = np.nan

    sides = tuple(side for side in SIDES if np.isfinite(hands[side]["Th"]).any())
    if not sides:
        raise bad_input(where, "Th", "a hand in one frame at least", "none")

    orient, pose, transl, betas = (
        at_frames(np.stack([hands[side][key] for side in sides]), index, len(every))
        for key in ("Rh", "poses", "Th", "shapes")
    )
    path = _object(where, reading)
    poses = None
    if path is not None and chosen is not None:
        frames, matrices = object_poses(open_source(path))
        at = {int(number): frame for frame, number in enumerate(frames)}
        poses = np.stack(
            [matrices[at[number]] if number in at else np.full((4, 4), np.nan) for number in every.tolist()]
        )
    meshes = [] if path is None else sorted(_beside(where, "object_meta", path.parts[-5], path.parts[-4]).glob("*.obj"))
    return Tracked(
        format="gigahands",
        sides=sides,
        mano=ManoTrack(orient, pose, transl, betas, is_relative=True, turns_about_origin=True, has_left_fault=True),
        is_world=True,
        fps=FPS * (len(every) - 1) / max(int(every[-1] - every[0]), 1) if len(every) > 1 else FPS,
        numbers=None if chosen is None else every,
        object_poses=poses,
        object_name=None if path is None else path.parts[-4],
        object_mesh=meshes[0] if len(meshes) == 1 else None,
        said=(
            *([] if path is None else [f"object {path.parts[-4]}"]),
            *(["frames without gaps, as there are no chosen_frames beside"] if chosen is None else []),
        ),
    )


def _hand(where: Path, side: str, record: dict[str, Any]) -> dict[str, Float[np.ndarray, "T K"]]:
    """The arrays of one hand, the pose without the orientation."""
    found = {key: array(where, f"{side}.{key}", record[key], f"T {size}") for key, size in (("Rh", 3), ("Th", 3))}
    count = len(found["Th"])
    pose = array(where, f"{side}.poses", record["poses"], f"{count} 48")
    if count and np.abs(pose[:, :3]).max() > NO_TURN:
        raise bad_input(where, f"{side}.poses", "zero in the first three, as Rh turns the hand", f"{pose[0, :3]}")
    shapes = array(where, f"{side}.shapes", record["shapes"], "1 10", f"{count} 10")
    return {**found, "poses": pose[:, 3:], "shapes": np.broadcast_to(shapes, (count, 10)).copy()}


def _chosen(where: Path, count: int) -> dict[Side, Int[np.ndarray, "N"]] | None:
    """The frames in which each hand is seen; None where the lists are not beside the file."""
    folder = where.resolve().parent.parent / "keypoints_3d" / where.stem
    files = {side: folder / f"chosen_frames_{side}.json" for side in SIDES}
    if not all(path.is_file() for path in files.values()):
        return None
    lists = {side: (path, open_source(path).content) for side, path in files.items()}
    none = np.zeros(0, np.int64)
    found = {side: frame_numbers(path, "frames", each) if each != [] else none for side, (path, each) in lists.items()}
    union = len(np.union1d(*found.values()))
    if union != count:
        raise bad_input(folder, "chosen_frames", f"the {count} frames of {where.name}", str(union))
    return found


def _beside(where: Path, *names: str) -> Path:
    """A folder beside `hand_poses`."""
    return list(where.resolve().parents)[:4][-1].joinpath(*names)


def tracked_objects(where: Path) -> dict[str, Path]:
    """The files of poses of the objects of a sequence, by the objects' names, where they lie beside the hands."""
    if not where.stem.isdigit():
        return {}
    clip = f"{where.resolve().parent.parent.name}_{int(where.stem):04d}"
    found = sorted(_beside(where, "object_poses").glob(f"*/*/{clip}/pose/optimized_pose.json"))
    return {path.parts[-4]: path for path in found}


def _object(where: Path, reading: Reading) -> Path | None:
    """The only object's poses, or those of the one that `--object-key` names; None where there are none."""
    names = {} if reading.object_poses is not None else tracked_objects(where)
    if not names:
        return None
    name = reading.object_key or (next(iter(names)) if len(names) == 1 else None)
    if name not in names:
        raise bad_input(where, "--object-key", f"one of {', '.join(names)}", name or "none")
    return names[name]


def has_object_poses(content: Any) -> bool:
    """Whether the content of a file is that of an optimized_pose.json."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and {"mesh_translation", "mesh_rotation"} <= set(first)


def object_poses(source: Source) -> tuple[Int[np.ndarray, "T"], Float[np.ndarray, "T 4 4"]]:
    """The frames of an optimized_pose.json and the object's pose in each, metres. Raises InputError."""
    where = source.path
    records = numbered(where, source.content)
    every, index = frame_grid(where, list(records))
    turns, places = [], []
    for record in records.values():
        turn = array(where, "mesh_rotation", need(where, record, "mesh_rotation"), "3", "4")
        # PyTorch3D multiplies row vectors, by a quaternion's matrix: for column vectors it is the inverse
        turns.append(-quaternion_vectors(turn) if len(turn) == 4 else turn)
        places.append(array(where, "mesh_translation", need(where, record, "mesh_translation"), "3"))
    found = np.full((len(every), 4, 4), np.nan)
    found[index] = rigid(np.stack(turns), np.stack(places))
    return every, found
