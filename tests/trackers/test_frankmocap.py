"""FrankMocap's hand demo, by its own steps from a crop to the image."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
from support.tracker_clip import clip
from support.tracker_files import INTRINSICS, write_camera

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

RATIO, CORNER = 1.6, np.array([500, 200])


def record(true, t):
    """What `regress` saves: the network saw a right hand, in a crop that is flipped for left hands."""
    sign = 1 if true.side == "right" else -1
    centred = true.joints[t] - true.joints[t].mean(axis=0) + [0.01, 0.02, 0.03]
    middle = true.joints[t].mean(axis=0)
    pixel = middle[:2] / middle[2] * np.diag(INTRINSICS)[:2] + INTRINSICS[:2, 2]
    # pixels of a metre of a hand at this depth, in the crop of 224 pixels, whose half is 1
    scale = INTRINSICS[0, 0] / middle[2] * RATIO / 112
    crop = (pixel - CORNER) * RATIO  # convert_bbox_to_oriIm, the other way round
    shift = (crop - 112) / 112 / scale - centred.mean(axis=0)[:2]
    joints, cam = centred * [sign, 1, 1], np.array([scale, sign * shift[0], shift[1]])
    if true.side == "left":  # as hand_mocap_api.py turns the right hand back
        joints, cam = joints * [-1, 1, 1], cam * [1, -1, 1]
    return {
        "pred_joints_smpl": joints.astype(np.float32),
        "faces": np.zeros((3, 3), np.int64),
        "bbox_scale_ratio": RATIO,
        "bbox_top_left": CORNER,
        "pred_camera": cam.astype(np.float32),
        "img_cropped": np.zeros((2, 2, 3), np.uint8),
        "pred_hand_pose": np.zeros((1, 48), np.float32),
        "pred_hand_betas": np.zeros((1, 10), np.float32),
    }


def write(folder, clips, missing=()):
    folder.mkdir(parents=True)
    for t in range(clips[0].n_frames):
        person = {"left_hand": {}, "right_hand": {}}
        person |= {f"{each.side}_hand": record(each, t) for each in clips if t not in missing}
        content = OrderedDict(demo_type="hand", smpl_type="smplx", image_path=f"/x/{t:05d}.png", save_mesh=False)
        content["pred_output_list"] = [person, None]
        (folder / f"{t:05d}_prediction_result.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return folder


@pytest.mark.parametrize("name", ["out/mocap", "mocap"])
def test_hands(name, tmp_path):
    clips = [clip("left"), clip("right")]
    write(tmp_path / name, clips, missing=(3,))
    camera = str(write_camera(tmp_path))
    tracked = read_tracked(tmp_path / name.split("/")[0], Reading(camera=camera))
    assert (tracked.format, tracked.sides) == ("frankmocap", ("left", "right"))
    kept = np.delete(np.arange(clips[0].n_frames), 3)
    for hand, true in enumerate(clips):
        np.testing.assert_allclose(tracked.joints[hand, kept], true.joints[kept], atol=1e-5)
        assert np.isnan(tracked.joints[hand, 3]).all()


def test_faults(tmp_path):
    folder = write(tmp_path / "mocap", [clip("right")])
    with pytest.raises(InputError, match=r"camera: expected the camera \(--camera FILE\), as FrankMocap's is a weak"):
        read_tracked(folder)
    with pytest.raises(InputError, match="fx, fy, cx and cy, found a focal length alone"):
        read_tracked(folder, Reading(camera="900"))
    camera = Reading(camera=str(write_camera(tmp_path)))
    file = folder / "00002_prediction_result.pkl"
    whole = pickle.loads(file.read_bytes())
    for change, message in (
        (lambda content: content.update(demo_type="frank"), "demo_type: expected hand, found frank"),
        (
            lambda content: content["pred_output_list"][0]["right_hand"].pop("pred_camera"),
            "pred_camera: expected this key",
        ),
        (
            lambda content: content["pred_output_list"][0]["right_hand"].update(bbox_scale_ratio=0.0),
            "pred_camera: expected a scale above 0",
        ),
    ):
        content = pickle.loads(pickle.dumps(whole))
        change(content)
        file.write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(InputError, match=message):
            read_tracked(folder, camera)
