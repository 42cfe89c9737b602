"""HOT3D: a folder with `mano_hand_pose_trajectory.jsonl`, also one level down in `hand_data`.

A line for each time stamp: {timestamp_ns, hand_poses {"0" (left), "1" (right): {wrist_xform {q_wxyz, t_xyz}, pose (15),
betas (10)}}}: coefficients of MANO's principal directions, relative to its mean (smplx with num_pca_comps=15 and the
default flat_hand_mean=False), and smplx's orientation and translation, in the world. Each hand is in its own side's
parameters (facebookresearch/hot3d, data_loaders/MANOHandDataProvider.py, mano_layer.py). Stamps of two cameras
alternate in recordings of glasses: one that follows within a millisecond is left out.

`dynamic_objects.csv`, beside it or in `ground_truth`, has the objects: object_uid, timestamp[ns], t_wo_{x,y,z}[m],
q_wo_{w,x,y,z}. `--object-key UID` chooses one where there are several.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, Table, array, need, open_source
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import ManoTrack, Tracked

HANDS, OBJECTS = "mano_hand_pose_trajectory.jsonl", "dynamic_objects.csv"
SIDES: tuple[tuple[str, Side], ...] = (("0", "left"), ("1", "right"))
SHORTEST_STEP = 1e-3
"""Seconds between stamps of different frames; those of the two cameras are 0.09 ms apart."""
PLACE = tuple(f"t_wo_{axis}[m]" for axis in "xyz")
TURN = tuple(f"q_wo_{axis}" for axis in "xyzw")


def _file(folder: Path, name: str, inner: str) -> Path | None:
    return next((path for path in (folder / name, folder / inner / name) if path.is_file()), None)


def hands_file(source: Source) -> Path:
    """The file of hands of a recording."""
    path = _file(source.path, HANDS, "hand_data") if source.is_folder else source.path
    assert path is not None
    return path


def objects_file(hands: Path) -> Path | None:
    """The file of objects that belongs to a file of hands; None if there is none."""
    folder = hands.parent.parent if hands.parent.name == "hand_data" else hands.parent
    return _file(folder, OBJECTS, "ground_truth")


def fits(source: Source) -> bool:
    if source.is_folder:
        return _file(source.path, HANDS, "hand_data") is not None
    content = source.content
    return isinstance(content, list) and bool(content) and _is_line(content[0])


def _is_line(line: Any) -> bool:
    return isinstance(line, dict) and {"timestamp_ns", "hand_poses"} <= set(line)


def read(source: Source, reading: Reading) -> Tracked:
    """The folder of a recording, or its file of hands. Raises InputError."""
    path = hands_file(source)
    lines = open_source(path).content if source.is_folder else source.content
    if not isinstance(lines, list) or not all(_is_line(line) for line in lines):
        raise bad_input(path, "hand_poses", "this key and timestamp_ns in each line", "none")
    stamps = array(path, "timestamp_ns", [line["timestamp_ns"] for line in lines], "T")
    kept = _one_a_frame(1e-9 * (stamps - stamps[0]))
    seconds = 1e-9 * (stamps[kept] - stamps[0])
    index, fps, said, clock = on_grid(path, seconds)
    count = int(index.max()) + 1
    tracks = {}
    for key, side in SIDES:
        rows = [lines[frame]["hand_poses"].get(key) for frame in kept]
        if any(row is not None for row in rows):
            tracks[side] = _hand(path, rows, index, count)
    if not tracks:
        raise bad_input(path, "hand_poses", "a hand in one line at least", "none")
    stacked = {
        name: np.stack([each[name] for each in tracks.values()]) for name in ("orient", "pose", "transl", "betas")
    }
    every = np.full(count, np.nan)
    every[index] = seconds
    return Tracked(
        format="hot3d",
        sides=tuple(tracks),
        mano=ManoTrack(
            stacked["orient"], stacked["pose"], stacked["transl"], stacked["betas"], is_relative=True, is_pca=True
        ),
        is_world=True,
        fps=fps,
        seconds=clock + 1e-9 * stamps[0],
        object_poses=_object(path, every, float(stamps[0]), reading),
        said=said,
    )


def _one_a_frame(seconds: Float[np.ndarray, "N"]) -> Int[np.ndarray, "T"]:
    """Indices of the stamps, without those that follow another within SHORTEST_STEP."""
    steps = np.diff(seconds)
    return np.flatnonzero(np.append(True, ~((steps >= 0) & (steps < SHORTEST_STEP))))


def _hand(path: Path, rows: list[Any], index: Int[np.ndarray, "K"], count: int) -> dict[str, np.ndarray]:
    sizes = {"orient": 3, "pose": 15, "transl": 3, "betas": 10}
    track = {name: np.full((count, size), np.nan) for name, size in sizes.items()}
    for frame, row in zip(index, rows, strict=True):
        if row is None:
            continue
        wrist = need(path, row, "wrist_xform")
        quaternion = array(path, "q_wxyz", need(path, wrist, "q_wxyz"), "4")
        if abs(np.linalg.norm(quaternion) - 1) > 1e-2:
            raise bad_input(path, "q_wxyz", "quaternions of length 1", f"{np.linalg.norm(quaternion):.3g}")
        track["orient"][frame] = Rotation.from_quat(np.roll(quaternion, -1)).as_rotvec()
        track["transl"][frame] = array(path, "t_xyz", need(path, wrist, "t_xyz"), "3")
        track["pose"][frame] = array(path, "pose", need(path, row, "pose"), "15")
        track["betas"][frame] = array(path, "betas", need(path, row, "betas"), "10")
    return track


def _object(
    path: Path, seconds: Float[np.ndarray, "T"], first: float, reading: Reading
) -> Float[np.ndarray, "T 4 4"] | None:
    """The object's pose in each frame of the hands, by the nearest stamp; None if there are no objects beside them."""
    table = objects_file(path)
    if table is None or reading.object_poses is not None:
        return None
    content = open_source(table).content
    if not isinstance(content, Table):
        raise bad_input(table, "file", "a table", "none")
    rows = content.numbers(table, ("object_uid", "timestamp[ns]", *PLACE, *TURN))
    uids = [f"{uid:.0f}" for uid in np.unique(rows[:, 0])]
    uid = reading.object_key or (uids[0] if len(uids) == 1 else None)
    if uid not in uids:
        raise bad_input(table, "--object-key", f"one of {', '.join(uids)}", uid or "none")
    own = rows[rows[:, 0] == float(uid)]
    own = own[np.argsort(own[:, 1])]
    stamps = 1e-9 * (own[:, 1] - first)
    after = np.searchsorted(stamps, seconds).clip(max=len(stamps) - 1)
    before = (after - 1).clip(min=0)
    nearest = np.where(np.abs(stamps[before] - seconds) < np.abs(stamps[after] - seconds), before, after)
    near = np.abs(stamps[nearest] - seconds) < 0.5 * np.nanmedian(np.diff(seconds))
    found = np.full((len(seconds), 4, 4), np.nan)
    found[near] = np.eye(4)
    found[near, :3, :3] = Rotation.from_quat(own[nearest[near], 5:]).as_matrix()
    found[near, :3, 3] = own[nearest[near], 2:5]
    return found
