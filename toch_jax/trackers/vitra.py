"""VITRA's episode: a pickled dict in an .npy file (microsoft/VITRA, data/data.md), which other data sets use too.

extrinsics (T, 4, 4) world to camera, intrinsics (3, 3), video_decode_frame (T), and for left and right: beta (10,),
global_orient_worldspace (T, 3, 3), hand_pose (T, 15, 3, 3), transl_worldspace (T, 3), the wrist's place, kept_frames
(T) 0 or 1, joints_worldspace (T, 21, 3).

The left hand's finger pose is that of MANO's right hand (mirrored here), but its global orientation is the left hand's
own. Some that write this format mirror the pose themselves (microsoft/VITRA issue 8): `--left-hands own`.
"""

from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import rotation_vectors
from toch_jax.trackers.joint_orders import to_openpose
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked, mirrored_pose

SIDES: tuple[Side, Side] = ("left", "right")


def fits(source: Source) -> bool:
    content = source.content
    if source.is_folder or not isinstance(content, dict) or "extrinsics" not in content:
        return False
    return any(isinstance(content.get(side), dict) and "transl_worldspace" in content[side] for side in SIDES)


def read(source: Source, reading: Reading) -> Tracked:
    """The episode's hands in the world. Raises InputError."""
    where, content = source.path, source.content
    from_world = array(where, "extrinsics", content["extrinsics"], "T 4 4")
    frames = len(from_world)
    found: dict[Side, dict[str, np.ndarray]] = {}
    for side in SIDES:
        hand = content.get(side)
        if isinstance(hand, dict) and "transl_worldspace" in hand:
            arrays = _hand(source, hand, side, frames, reading)
            if np.isfinite(arrays["joints"]).any():
                found[side] = arrays
    if not found:
        raise bad_input(where, "kept_frames", "a frame with a hand", "none")
    stacked = {name: np.stack([each[name] for each in found.values()]) for name in next(iter(found.values()))}
    intrinsics = array(where, "intrinsics", need(where, content, "intrinsics"), "3 3")
    numbers = array(where, "video_decode_frame", content.get("video_decode_frame", np.arange(frames)), f"{frames}")
    how = "taken as it is" if reading.left_hands == "own" else "mirrored here"
    return Tracked(
        format="vitra",
        sides=tuple(found),
        joints=stacked["joints"],
        mano=ManoTrack(stacked["orient"], stacked["pose"], stacked["wrist"], stacked["betas"], places_wrist=True),
        is_world=True,
        numbers=numbers.astype(np.int64),
        camera=Camera(intrinsics, None, from_world),
        said=(f"left finger pose {how}",) if "left" in found else (),
    )


def _hand(source: Source, hand: dict[str, Any], side: Side, frames: int, reading: Reading) -> dict[str, np.ndarray]:
    where = source.path

    def take(key: str, shape: str) -> np.ndarray:
        return array(where, f"{side}.{key}", need(where, hand, key), shape)

    kept = take("kept_frames", f"{frames}") > 0.5
    orient = rotation_vectors(
        where, f"{side}.global_orient_worldspace", take("global_orient_worldspace", f"{frames} 3 3")
    )
    matrices = take("hand_pose", f"{frames} 15 3 3")
    pose = rotation_vectors(where, f"{side}.hand_pose", matrices).reshape(frames, 45)
    if side == "left" and reading.left_hands != "own":
        pose = mirrored_pose(pose)
    joints = take("joints_worldspace", f"{frames} J 3")
    arrays = {
        "orient": orient,
        "pose": pose,
        "wrist": take("transl_worldspace", f"{frames} 3"),
        "joints": to_openpose(where, joints, reading.joint_order)[0],
    }
    lost = {name: np.where(kept.reshape(-1, *[1] * (value.ndim - 1)), value, np.nan) for name, value in arrays.items()}
    return {**lost, "betas": take("beta", "S")}
