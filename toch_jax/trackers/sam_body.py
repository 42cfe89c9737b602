"""SAM 3D Body: what `process_one_image` returns, a list of persons for each image.

A person is a dict with pred_keypoints_3d (70, 3) and pred_cam_t (3), metres: keypoints are about the body, x right, y
down, z forward, and pred_cam_t is added to them; focal_length is the camera's with which it was estimated, pixels
(facebookresearch/sam-3d-body, sam_3d_body_estimator.py, models/heads/mhr_head.py, camera_head.py). Of the 70, 21 to 40
are the right hand's from thumb to little finger, each from the tip to its root, 41 the right wrist, 42 to 62 the left's
likewise (metadata/mhr70.py). A hand whose keypoints are all the same was not estimated. The parameters are MHR's and
are not read. With `--camera` each hand is put at its pixel and depth before the real camera.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.camera import read_camera, to_real_camera
from toch_jax.trackers.detections import Detection, images, tracked_hands
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, lengths, need
from toch_jax.trackers.tracked import Tracked

N_KEYPOINTS = 70
WRISTS: dict[Side, int] = {"right": 41, "left": 62}
_FINGERS: dict[Side, int] = {"right": 21, "left": 42}


def hand_rows(side: Side) -> list[int]:
    """Where OpenPose's 21 joints of one hand are among the keypoints."""
    first = _FINGERS[side]
    return [WRISTS[side], *(first + 4 * finger + 3 - joint for finger in range(5) for joint in range(4))]


def is_person(value: Any) -> bool:
    if not isinstance(value, dict) or not {"pred_keypoints_3d", "pred_cam_t"} <= set(value):
        return False
    return lengths(value["pred_keypoints_3d"])[-2:] == (N_KEYPOINTS, 3)


def fits(source: Source) -> bool:
    content = source.content
    if source.is_folder:
        return False
    entries = list(content.values()) if isinstance(content, dict) and not is_person(content) else content
    if not isinstance(entries, list | tuple):
        return is_person(content)
    inner = [each for entry in entries if isinstance(entry, list | tuple) for each in entry]
    return any(is_person(each) for each in (*entries, *inner))


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of all persons; of each side the nearest to the last is followed. Raises InputError."""
    where = source.path
    camera = read_camera(reading.camera) if reading.camera else None
    focals = list[float]()

    def hands(person: dict[str, Any]) -> list[Detection]:
        points = array(where, "pred_keypoints_3d", person["pred_keypoints_3d"], f"{N_KEYPOINTS} 3")
        placed = points + array(where, "pred_cam_t", person["pred_cam_t"], "3")
        focals.append(float(array(where, "focal_length", need(where, person, "focal_length"), "")))
        found = []
        for side in WRISTS:
            joints = placed[hand_rows(side)]
            if np.ptp(joints, axis=0).max() > 0:
                found.append(Detection(side, _before(joints[0], focals[-1]), joints - joints[0]))
        return found

    def _before(wrist: Float[np.ndarray, "3"], focal: float) -> Float[np.ndarray, "3"]:
        return wrist if camera is None else to_real_camera(where, wrist, focal, camera, None)

    found = [(number, [hand for row in rows for hand in hands(row)]) for number, rows in images(source, is_person)]
    if not focals:
        raise bad_input(where, "file", "a person in one image at least", "none")
    focal = float(np.median(focals))
    if camera is not None and camera.intrinsics is not None:
        real = camera.intrinsics[0, 0]
        said = f"depth x {real / focal:.4g} (focal {real:.0f} for {focal:.0f} pixels)"
    else:
        said = f"depth as for the file's focal length of {focal:.0f} pixels"
    return tracked_hands(source, "sam-3d-body", found, camera, (said,))
