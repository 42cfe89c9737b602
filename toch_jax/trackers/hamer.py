"""HaMeR, WiLoR and WiLoR-mini: hands in single images, before a virtual camera.

HaMeR (geopavlakos/hamer, demo.py) and WiLoR (rolpotamias/WiLoR, demo.py) give for each detection `pred_keypoints_3d`
(21, 3) in OpenPose's order and `pred_vertices` (778, 3) about the hand, `pred_cam_t_full` (3,) to be added to them,
`pred_mano_params` {global_orient (1, 3, 3), hand_pose (15, 3, 3), betas (10,)}, absolute, and the flag `is_right` (in
HaMeR's batches `right`). They write no such file themselves: this reads what people save of it (.npz, pickle, JSON; the
arrays with or without an axis for the hands of an image).

Left hands are right hands in a mirrored image: x of points is negated, y and z of rotations; `pred_cam_t_full` is that
of the image as it was. `pred_cam_t_full` belongs to a camera with the focal length `scaled_focal_length`, which is
5000 / 256 times the image's longer side, and looks at the image's middle.

WiLoR-mini (warmshao/WiLoR-mini, wilor_hand_pose3d_estimation_pipeline.py) returns for an image a list of
{hand_bbox, is_right, wilor_preds}, and has mirrored left hands already. Its first versions had not: `--left-hands
mirrored`.
"""

import dataclasses
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.camera import read_camera, to_real_camera
from toch_jax.trackers.detections import Detection, axis_angle, images, is_right, tracked_hands, unmirrored
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array
from toch_jax.trackers.tracked import Tracked

FOCAL, CROP = 5000.0, 256.0
"""Focal length and side of HaMeR's image crops, pixels (EXTRA.FOCAL_LENGTH and MODEL.IMAGE_SIZE of its settings)."""


def is_hamer(value: Any) -> bool:
    """Whether a value of a file is a detection of HaMeR's or WiLoR's."""
    return isinstance(value, dict) and "pred_cam_t_full" in value and "wilor_preds" not in value


def is_wilor_mini(value: Any) -> bool:
    """Whether a value of a file is a detection of WiLoR-mini's; images without predictions have one too."""
    return isinstance(value, dict) and "hand_bbox" in value and "is_right" in value


def fits_hamer(source: Source) -> bool:
    return _some(source, is_hamer)


def fits_wilor_mini(source: Source) -> bool:
    return _some(source, lambda value: is_wilor_mini(value) and "wilor_preds" in value)


def _some(source: Source, is_detection: Any) -> bool:
    """Whether the file, an entry, or an entry of an entry is a detection of the format."""
    if source.is_folder:
        return False
    content = source.content
    entries = list(content.values()) if isinstance(content, dict) else content
    if is_detection(content):
        return True
    if not isinstance(entries, list | tuple):
        return False
    inner = [each for entry in entries if isinstance(entry, list | tuple) for each in entry]
    return any(is_detection(each) for each in (*entries, *inner))


def read_hamer(source: Source, reading: Reading) -> Tracked:
    """HaMeR's or WiLoR's detections. Raises InputError, also without the real camera."""
    return _read(source, reading, "hamer", is_hamer, lambda record: record, "mirrored")


def read_wilor_mini(source: Source, reading: Reading) -> Tracked:
    """WiLoR-mini's detections. Raises InputError, also without the real camera."""
    return _read(source, reading, "wilor-mini", is_wilor_mini, lambda record: record["wilor_preds"], "own")


def _read(source: Source, reading: Reading, name: str, is_detection: Any, predictions: Any, left_hands: str) -> Tracked:
    where = source.path
    camera = read_camera(reading.camera) if reading.camera else None
    left_hands = reading.left_hands or left_hands
    focals, sizes = list[float](), list[bool]()

    def detection(record: dict[str, Any]) -> Detection:
        given = predictions(record)
        if not isinstance(given, dict):
            raise bad_input(where, "detection", "a record of predictions", type(given).__name__)
        right = is_right(where, record)
        size = image_size(source, record) or (camera.size if camera else None)
        focal = virtual_focal(source, given, size)
        focals.append(focal)
        sizes.append(size is not None)
        place = array(where, "pred_cam_t_full", given.get("pred_cam_t_full"), "3")
        found = _hand(source, given, to_real_camera(where, place, focal, camera, size), right)
        return unmirrored(found) if not right and left_hands == "mirrored" else found

    found = [
        (number, [detection(row) for row in rows if predictions(row)]) for number, rows in images(source, is_detection)
    ]
    said = []
    if focals:
        assert camera is not None
        assert camera.intrinsics is not None
        real = camera.intrinsics[0, 0]
        said.append(f"depth x {real / np.median(focals):.4g} (focal {real:.0f} for {np.median(focals):.0f} pixels)")
        if not all(sizes):
            said.append("image size unknown: its middle is taken for the camera's")
    tracked = tracked_hands(source, name, found, camera, said)
    if "left" in tracked.sides:
        how = "mirrored here" if left_hands == "mirrored" else "taken as they are"
        tracked = dataclasses.replace(tracked, said=(*tracked.said, f"left hands {how}"))
    return tracked


def _hand(source: Source, given: dict[str, Any], place: np.ndarray, right: bool) -> Detection:
    where = source.path
    params = given.get("pred_mano_params", given)
    joints, vertices = given.get("pred_keypoints_3d"), given.get("pred_vertices")
    has_params = isinstance(params, dict) and {"global_orient", "hand_pose", "betas"} <= set(params)
    if joints is None and vertices is None and not has_params:
        expected = "pred_keypoints_3d, pred_vertices or pred_mano_params in each detection"
        raise bad_input(where, "hand", expected, ", ".join(map(str, given)))
    return Detection(
        side="right" if right else "left",
        place=place,
        joints=None if joints is None else array(where, "pred_keypoints_3d", joints, "21 3"),
        vertices=None if vertices is None else array(where, "pred_vertices", vertices, "778 3"),
        orient=axis_angle(where, "global_orient", params["global_orient"], 1) if has_params else None,
        pose=axis_angle(where, "hand_pose", params["hand_pose"], 15) if has_params else None,
        betas=array(where, "betas", params["betas"], "S") if has_params else None,
    )


def image_size(source: Source, record: dict[str, Any]) -> tuple[float, float] | None:
    """Width and height of a detection's image, pixels, if it has them."""
    for key in ("img_size", "image_size"):
        if key in record:
            width, height = array(source.path, key, record[key], "2")
            return float(width), float(height)
    return None


def virtual_focal(source: Source, given: dict[str, Any], size: tuple[float, float] | None) -> float:
    """The focal length of the virtual camera, pixels. Raises InputError if it is not known."""
    if "scaled_focal_length" in given:
        return float(array(source.path, "scaled_focal_length", given["scaled_focal_length"], ""))
    if size is None:
        expected = "this key, or img_size, or a camera file with width and height"
        raise bad_input(source.path, "scaled_focal_length", expected, "none")
    return FOCAL / CROP * max(size)
