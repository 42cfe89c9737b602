"""Project Aria's Machine Perception Services: `hand_tracking_results.csv`.

Columns tracking_timestamp_us, {left,right}_tracking_confidence (-1: the hand is missing, its numbers are not to be
used) and t{x,y,z}_{side}_landmark_{0..20}_device, metres in the frame of the glasses. Landmarks: tips from thumb to
pinky, wrist, thumb 2, three of each finger, palm; the thumb's first joint is absent
(facebookresearch/projectaria_tools, core/mps/HandTracking.h, HandTrackingReader.cpp).

A `closed_loop_trajectory.csv` beside it, or in `../slam`, takes the hands into the world: columns
tracking_timestamp_us, t{x,y,z}_world_device and q{x,y,z,w}_world_device. Without it they stay in the glasses' frame.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.joint_orders import to_openpose
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, Table, open_source
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import Tracked

STAMP = "tracking_timestamp_us"
SIDES: tuple[Side, Side] = ("left", "right")


def fits(source: Source) -> bool:
    content = source.content
    return isinstance(content, Table) and {STAMP, "tx_right_landmark_0_device"} <= set(content.names)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of a recording. Raises InputError."""
    where, table = source.path, source.content
    seconds = 1e-6 * table.numbers(where, (STAMP,))[:, 0]
    index, fps, said, clock = on_grid(where, seconds)
    joints = {}
    for side in SIDES:
        names = [f"t{axis}_{side}_landmark_{joint}_device" for joint in range(21) for axis in "xyz"]
        confidence, *flat = table.numbers(where, (f"{side}_tracking_confidence", *names)).T
        if not (confidence >= 0).any():
            continue
        landmarks = np.stack(flat, axis=1).reshape(-1, 21, 3)
        landmarks = np.where((confidence >= 0)[:, None, None], landmarks, np.nan)
        joints[side] = to_openpose(where, landmarks, "aria")[0]
    if not joints:
        raise bad_input(where, "left_tracking_confidence", "a hand in one line at least", "none")
    path = trajectory_of(where)
    if path is not None:
        joints = {side: _in_world(path, seconds, each) for side, each in joints.items()}
    track = np.full((len(joints), int(index.max()) + 1, 21, 3), np.nan)
    track[:, index] = np.stack(list(joints.values()))
    placed = f"in the world by {path.name}" if path else "in the frame of the glasses (no closed_loop_trajectory.csv)"
    return Tracked(
        "aria", tuple(joints), track, is_world=path is not None, fps=fps, seconds=clock, said=(placed, *said)
    )


def trajectory_of(path: Path) -> Path | None:
    """The file of the glasses' poses that belongs to a recording; None if there is none."""
    for folder in (path.parent, path.parent.parent / "slam"):
        if (found := folder / "closed_loop_trajectory.csv").is_file():
            return found
    return None


def _in_world(
    path: Path, seconds: Float[np.ndarray, "T"], points: Float[np.ndarray, "T 21 3"]
) -> Float[np.ndarray, "T 21 3"]:
    """Points in the frame of the glasses, in the world, by the trajectory interpolated to each stamp."""
    rotation, place, within = device_poses(path, seconds)
    moved = np.einsum("tab,tjb->tja", rotation, points) + place[:, None]
    return np.where(within[:, None, None], moved, np.nan)


def device_poses(
    path: Path, seconds: Float[np.ndarray, "T"]
) -> tuple[Float[np.ndarray, "T 3 3"], Float[np.ndarray, "T 3"], Bool[np.ndarray, "T"]]:
    """Rotation and place of the glasses in the world at each stamp, and whether the trajectory has it. Raises
    InputError."""
    table = open_source(path).content
    if not isinstance(table, Table):
        raise bad_input(path, "file", "a table", "none")
    places = (f"t{axis}_world_device" for axis in "xyz")
    turns = (f"q{axis}_world_device" for axis in "xyzw")
    rows = table.numbers(path, (STAMP, *places, *turns))
    rows = rows[np.unique(rows[:, 0], return_index=True)[1]]
    stamps = 1e-6 * rows[:, 0]
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise bad_input(path, STAMP, "two poses at least, all finite", f"{len(rows)}")
    within = (seconds >= stamps[0]) & (seconds <= stamps[-1])
    clipped = seconds.clip(stamps[0], stamps[-1])
    rotation = Slerp(stamps, Rotation.from_quat(rows[:, 4:]))(clipped).as_matrix()
    place = np.stack([np.interp(clipped, stamps, rows[:, 1 + axis]) for axis in range(3)], axis=1)
    return rotation, place, within
