"""DexCap: the folder of a recording, with a folder frame_N for each frame.

frame_N has right_hand_joint.txt and left_hand_joint.txt (21, 3), metres, OpenPose's order (the glove's names: hand,
thumb proximal, medial, distal, tip, ...); their orientations *_ori.txt (21, 4), quaternions xyzw, the wrist first; and
poses (4, 4) in the world of the tracking cameras: pose.txt of the chest's, pose_2.txt of the left wrist's, pose_3.txt
of the right wrist's. Beside the frames stand the corrections of the calibration: calib_offset.txt (3) and
calib_ori_offset.txt (3, Euler angles about the fixed axes x, y, z, radians) of the right hand, *_left.txt of the left
(j96w/DexCap, STEP1_collect_data, redis_glove_server.py, data_recording.py, visualizer.py `_load_frame_data`).

The joints relative to the wrist are turned back by the wrist's orientation, z is flipped, then they are turned by -90
degrees about y, 90 about x, -90 about z and by the correction, moved by the other correction and by the lever to the
tracking camera (0, -0.032, 0) of the left and (0, -0.064, 0) of the right wrist, and taken into the world by its pose.
The colour camera looks along pose.txt times a turn of 180 degrees about x and a shift of 0.076 m in y.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, open_source
from toch_jax.trackers.tracked import Camera, Tracked

SIDES: tuple[Side, Side] = ("left", "right")
_FRAME = re.compile(r"frame_(\d{1,9})")
_POSES: dict[Side, str] = {"left": "pose_2.txt", "right": "pose_3.txt"}
_ENDINGS: dict[Side, str] = {"left": "_left.txt", "right": ".txt"}
LEVERS: dict[Side, Float[np.ndarray, "3"]] = {"left": np.array([0, -0.032, 0]), "right": np.array([0, -0.064, 0])}
"""From the tracking camera to the wrist, metres."""
TO_TRACKER = Rotation.from_euler("xyz", [90, 0, -90], degrees=True) * Rotation.from_euler("y", -90, degrees=True)
"""From the glove's axes to those of the tracking camera, after z is flipped."""
INTRINSICS = np.array([[898.2010498046875, 0, 657.4981079101562], [0, 897.86669921875, 364.30950927734375], [0, 0, 1]])
"""Of the colour camera, pixels of 1280 x 720."""
CAMERA_SHIFT = np.array([0.0, 0.076, 0.0])


def _frames(source: Source) -> dict[int, Path]:
    if not source.is_folder:
        return {}
    named = {name: _FRAME.fullmatch(name) for name in source.content}
    return {int(found.group(1)): source.content[name] for name, found in named.items() if found}


def fits(source: Source) -> bool:
    frames = _frames(source)
    return bool(frames) and (frames[min(frames)] / "right_hand_joint_ori.txt").is_file()


def read(source: Source, reading: Reading) -> Tracked:
    """Both hands in the world of the tracking cameras. Raises InputError."""
    where, frames = source.path, _frames(source)
    every, index = frame_grid(where, sorted(frames))
    joints = np.full((2, len(every), 21, 3), np.nan)
    camera = np.full((len(every), 4, 4), np.nan)
    corrections = [_correction(where, side) for side in SIDES]
    for frame, number in zip(index, sorted(frames), strict=True):
        folder = frames[number]
        for hand, side in enumerate(SIDES):
            points = _numbers(folder / f"{side}_hand_joint.txt", "21 3")
            turn = _numbers(folder / f"{side}_hand_joint_ori.txt", "21 4")[0]
            pose = _numbers(folder / _POSES[side], "4 4")
            if not turn.any():
                continue  # the glove had sent nothing yet
            local = on_tracker(points, turn, *corrections[hand]) + LEVERS[side]
            joints[hand, frame] = local @ pose[:3, :3].T + pose[:3, 3]
        chest = _numbers(folder / "pose.txt", "4 4")
        camera[frame] = np.linalg.inv(chest @ _camera_on_chest())
    poses = camera if np.isfinite(camera).all() else None
    return Tracked(
        format="dexcap",
        sides=SIDES,
        joints=joints,
        is_world=True,
        numbers=every,
        camera=Camera(INTRINSICS, (1280.0, 720.0), poses) if poses is not None else None,
    )


def on_tracker(
    points: Float[np.ndarray, "21 3"],
    wrist: Float[np.ndarray, "4"],
    shift: Float[np.ndarray, "3"],
    angles: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "21 3"]:
    """A glove's joints in the axes of its wrist's tracking camera, metres, without its lever."""
    local = Rotation.from_quat(wrist).inv().apply(points - points[0]) * np.array([1.0, 1.0, -1.0])
    return (Rotation.from_euler("xyz", angles) * TO_TRACKER).apply(local) + shift


def _camera_on_chest() -> Float[np.ndarray, "4 4"]:
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = CAMERA_SHIFT
    return pose


def _correction(folder: Path, side: Side) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    shift, angles = (_numbers(folder / f"calib_{name}{_ENDINGS[side]}", "3") for name in ("offset", "ori_offset"))
    return shift, angles


def _numbers(path: Path, shape: str) -> np.ndarray:
    content = open_source(path).content
    numbers = getattr(content, "numbers", None)
    if numbers is None:
        raise bad_input(path, "file", f"lines of numbers ({shape})", type(content).__name__)
    return array(path, path.stem, numbers(path), shape)
