"""FrankMocap's hand demo: the folder `mocap`, a pickle `<image>_prediction_result.pkl` for each image.

pred_output_list has left_hand and right_hand for each person, empty where there is none: pred_joints_smpl (21, 3),
metres, OpenPose's order, x right, y down, z forward, left hands as left hands; pred_camera (s, tx, ty),
bbox_scale_ratio r and bbox_top_left (facebookresearch/frankmocap@6058433, handmocap/hand_mocap_api.py,
mocap_utils/coordconv.py, demo_utils.py). Its camera is a weak perspective one: a joint (x, y) lies at the pixel
top_left + 112 (1 + s ((x, y) + (tx, ty))) / r, so a metre has 112 s / r pixels. The real camera (`--camera`) puts the
hand at the depth where a metre has as many, with the middle of its joints at its pixel; the depth is that of the hand's
estimated size. pred_hand_pose is that of SMPL-X's hands and is not read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.detections import Detection, tracked_hands
from toch_jax.trackers.frame_numbers import frame_number
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import Tracked

ENDING = "_prediction_result.pkl"
HALF_CROP = 112.0
"""Half the side of the network's crop, pixels."""
SIDES: tuple[Side, Side] = ("left", "right")


def _files(source: Source) -> list[Path]:
    if not source.is_folder:
        return [source.path] if source.path.name.endswith(ENDING) else []
    folder = source.content.get("mocap")
    if folder is not None and folder.is_dir():
        return sorted(folder.glob(f"*{ENDING}"))
    return [child for child in source.content.values() if child.name.endswith(ENDING)]


def fits(source: Source) -> bool:
    return bool(_files(source))


def read(source: Source, reading: Reading) -> Tracked:
    """The hands before the real camera. Raises InputError, also without it."""
    where = source.path
    if reading.camera is None:
        expected = "the camera (--camera FILE), as FrankMocap's is a weak perspective one"
        raise bad_input(where, "camera", expected, "none")
    camera = read_camera(reading.camera)
    intrinsics = camera.intrinsics
    if intrinsics is None or not np.isfinite(intrinsics).all():
        raise bad_input(reading.camera, "camera", "fx, fy, cx and cy", "a focal length alone")
    found = []
    for index, file in enumerate(_files(source)):
        content = open_source(file).content
        kind = need(file, content, "demo_type")
        if kind != "hand":
            raise bad_input(file, "demo_type", "hand", str(kind))
        hands = []
        for person in need(file, content, "pred_output_list"):
            for side in SIDES if isinstance(person, dict) else ():
                if record := person.get(f"{side}_hand"):
                    hands.append(_hand(file, record, side, intrinsics))
        number = frame_number(file.name.removesuffix(ENDING))
        found.append((index if number is None else number, hands))
    return tracked_hands(source, "frankmocap", found, camera, ("depth by the estimated size of the hand",))


def _hand(file: Path, record: Any, side: Side, intrinsics: Float[np.ndarray, "3 3"]) -> Detection:
    joints = array(file, "pred_joints_smpl", need(file, record, "pred_joints_smpl"), "21 3")
    scale, *shift = array(file, "pred_camera", need(file, record, "pred_camera"), "3")
    ratio = float(array(file, "bbox_scale_ratio", need(file, record, "bbox_scale_ratio"), ""))
    corner = array(file, "bbox_top_left", need(file, record, "bbox_top_left"), "2")
    if not (scale > 0 and ratio > 0):
        raise bad_input(file, "pred_camera", "a scale above 0", f"{scale:g}, bbox_scale_ratio {ratio:g}")
    middle = joints.mean(axis=0)
    pixel = corner + HALF_CROP * (1 + scale * (middle[:2] + shift)) / ratio
    focal, centre = np.diag(intrinsics)[:2], intrinsics[:2, 2]
    depth = focal[0] * ratio / (HALF_CROP * scale)
    place = np.append((pixel - centre) * depth / focal, depth)
    return Detection(side, place, joints - middle)
