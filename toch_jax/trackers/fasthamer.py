"""fasthamer: the results of a video, as `dataclasses.asdict` gives them: a list, or a dict by image, of results.

A result is {hands, focal, cx, cy, image_size}; a hand {is_right, keypoints_3d (21, 3), vertices (V, 3), cam_t (3),
global_orient (3, 3), hand_pose (15, 3, 3), betas (10)}, parameters null where the model has none (VimalMollyn/
fasterhamer, src/fasthamer/types.py). Points are about the hand, metres, OpenPose's order, x right, y down, z forward,
and those of left hands are a left hand's already; the parameters of left hands are a right hand's, mirrored here.
focal is that of HaMeR's virtual camera: the depth is multiplied by the ratio of the real one's to it. Vertices are
read where they are MANO's 778 and there are no keypoints.
"""

from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.camera import read_camera, to_real_camera
from toch_jax.trackers.detections import Detection, axis_angle, is_right, tracked_hands
from toch_jax.trackers.frame_numbers import frame_number
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.tracked import MIRROR_AXIS_ANGLE, Tracked, mirrored_pose

_KEYS = {"hands", "focal", "image_size"}
_PARAMS = ("global_orient", "hand_pose", "betas")


def _entries(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, dict) and not set(content) >= _KEYS:
        return [(str(name), each) for name, each in content.items()]
    entries = content if isinstance(content, list | tuple) else [content]
    return [("", each) for each in entries]


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and set(value) >= _KEYS and isinstance(value["hands"], list | tuple)


def fits(source: Source) -> bool:
    return not source.is_folder and any(_is_result(each) for _, each in _entries(source.content))


def read(source: Source, reading: Reading) -> Tracked:
    """The hands before the real camera. Raises InputError, also without it."""
    where = source.path
    camera = read_camera(reading.camera) if reading.camera else None
    found, focals = [], list[float]()
    for index, (name, result) in enumerate(_entries(source.content)):
        if not _is_result(result):
            raise bad_input(where, f"image {index}", "a result with hands, focal and image_size", type(result).__name__)
        number = frame_number(name) if name else None
        focal = float(array(where, "focal", result["focal"], ""))
        size = tuple(array(where, "image_size", result["image_size"], "2").tolist())
        hands = []
        for hand in result["hands"]:
            focals.append(focal)
            place = array(where, "cam_t", need(where, hand, "cam_t"), "3")
            hands.append(_hand(source, hand, to_real_camera(where, place, focal, camera, (size[0], size[1]))))
        found.append((index if number is None else number, hands))
    said = []
    if focals and camera is not None and camera.intrinsics is not None:
        real, virtual = camera.intrinsics[0, 0], float(np.median(focals))
        said.append(f"depth x {real / virtual:.4g} (focal {real:.0f} for {virtual:.0f} pixels)")
    return tracked_hands(source, "fasthamer", found, camera, said)


def _hand(source: Source, hand: Any, place: np.ndarray) -> Detection:
    where, right = source.path, is_right(source.path, hand)
    points, skin = hand.get("keypoints_3d"), hand.get("vertices")
    orient = pose = betas = None
    if all(hand.get(key) is not None for key in _PARAMS):
        orient = axis_angle(where, "global_orient", hand["global_orient"], 1)
        pose = axis_angle(where, "hand_pose", hand["hand_pose"], 15)
        betas = array(where, "betas", hand["betas"], "S")
        if not right:
            orient, pose = orient * MIRROR_AXIS_ANGLE, mirrored_pose(pose)
    return Detection(
        side="right" if right else "left",
        place=place,
        joints=None if points is None else array(where, "keypoints_3d", points, "21 3"),
        vertices=None if skin is None or points is not None else array(where, "vertices", skin, "778 3"),
        orient=orient,
        pose=pose,
        betas=betas,
    )
