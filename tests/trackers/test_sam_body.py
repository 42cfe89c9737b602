"""SAM 3D Body: the hands among the 70 keypoints, by the names that its metadata give them."""

import json

import numpy as np
import pytest
from support.tracker_clip import clip
from support.tracker_files import dump, write_camera

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

# metadata/mhr70.py: names of 21 to 62 in order; OpenPose's joint of each
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
NAMES = [
    f"{side}-{name}"
    for side in ("right", "left")
    for name in (
        *(f"{f}-{p}" for f in FINGERS for p in ("tip", "first-joint", "second-joint", "third-joint")),
        "wrist",
    )
]
PLACES = {"tip": 4, "first-joint": 3, "second-joint": 2, "third-joint": 1}


def openpose(name):
    _, part, *joint = name.split("-", 2)
    return 0 if part == "wrist" else 4 * FINGERS.index(part) + PLACES[joint[0]]


FOCAL = 1300.0


def person(clips, t, shift=0.0):
    """The hands of one person; keypoints about the body, half a metre beside the camera's axis."""
    body = np.array([0.3 + shift, 0.1, 1.5])
    points = np.random.default_rng(t).normal(size=(70, 3))
    for number, name in enumerate(NAMES, 21):
        side = name.split("-")[0]
        points[number] = clips[side].joints[t, openpose(name)] + [shift, 0, 0] - body if side in clips else 0
    return {"pred_keypoints_3d": points, "pred_cam_t": body, "focal_length": np.float32(FOCAL), "bbox": np.zeros(4)}


BOTH = {side: clip(side) for side in ("left", "right")}


def test_both_hands(tmp_path):
    frames = [[person(BOTH, t)] for t in range(6)]
    tracked = read_tracked(dump(tmp_path / "a.pkl", frames))
    assert (tracked.format, tracked.sides) == ("sam-3d-body", ("left", "right"))
    for hand, side in enumerate(tracked.sides):
        np.testing.assert_allclose(tracked.joints[hand], BOTH[side].joints[:6], atol=1e-6)
    assert tracked.said == ("depth as for the file's focal length of 1300 pixels",)


def test_the_real_camera(tmp_path):
    """Each hand stays at its pixel: the virtual camera looks at the middle of the image, as the real one."""
    (tmp_path / "camera.json").write_text(
        json.dumps({"fx": 650, "fy": 650, "cx": 640, "cy": 360, "width": 1280, "height": 720})
    )
    frames = {f"{t:04d}.jpg": [person(BOTH, t)] for t in range(6)}
    tracked = read_tracked(dump(tmp_path / "a.pkl", frames), Reading(camera=str(tmp_path / "camera.json")))
    for hand, side in enumerate(tracked.sides):
        wrist, true = tracked.joints[hand, :, 0], BOTH[side].joints[:6, 0]
        np.testing.assert_allclose(wrist[:, 2], true[:, 2] / 2, rtol=1e-6)
        np.testing.assert_allclose(650 * wrist[:, 0] / wrist[:, 2], FOCAL * true[:, 0] / true[:, 2], rtol=1e-6)
        sizes = [
            np.linalg.norm(points[:, 12] - points[:, 0], axis=1)
            for points in (tracked.joints[hand], BOTH[side].joints[:6])
        ]
        np.testing.assert_allclose(*sizes, rtol=1e-6)
    assert "depth x 0.5" in tracked.said[0]


def test_a_second_person_and_a_hand_that_was_not_estimated(tmp_path):
    right = {"right": BOTH["right"]}
    frames = [[person(right, t), person(right, t, shift=1.0)] for t in range(4)]
    tracked = read_tracked(dump(tmp_path / "a.pkl", [[person(right, 0)], *frames, []]))
    assert tracked.sides == ("right",)
    np.testing.assert_allclose(tracked.joints[0, 1:5], BOTH["right"].joints[:4], atol=1e-6)
    assert any("4 detections of a second hand" in phrase for phrase in tracked.said)


def test_faults(tmp_path):
    frames = [[person(BOTH, t)] for t in range(3)]
    del frames[1][0]["focal_length"]
    with pytest.raises(InputError, match="focal_length: expected this key, found none"):
        read_tracked(dump(tmp_path / "a.pkl", frames), Reading(camera=str(write_camera(tmp_path))))
    with pytest.raises(InputError, match="--format"):
        read_tracked(
            dump(tmp_path / "a.pkl", [[{**frames[0][0], "pred_keypoints_3d": np.zeros((21, 3))}]]),
            Reading(format="sam-3d-body"),
        )
