"""fasthamer: points of left hands as they are, their parameters mirrored."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip, matrices
from support.tracker_files import SIZE, VIRTUAL_FOCAL, dump, right_hand, skin, virtual_place, write_camera

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading


def results(true, with_params=True, lost=-1):
    orient, pose, _ = right_hand(true)
    place = virtual_place(true.transl)
    found = []
    for t in range(true.n_frames):
        hand = {
            "is_right": true.side == "right",
            "bbox": np.zeros(4),
            "vertices": skin(true)[t] - true.transl[t] if with_params else np.zeros((9000, 3)),
            "keypoints_3d": true.joints[t] - true.transl[t],
            "cam_t": place[t],
            "keypoints_2d": np.zeros((21, 2)),
            "global_orient": matrices(orient[t])[0] if with_params else None,
            "hand_pose": matrices(pose[t]) if with_params else None,
            "betas": true.betas if with_params else None,
        }
        hands = [] if t == lost else [hand]
        found.append({"hands": hands, "focal": VIRTUAL_FOCAL, "cx": 640.0, "cy": 360.0, "image_size": SIZE})
    return found


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("form", ["list", "by image"])
def test_hands(side, form, tmp_path):
    true = clip(side)
    content = results(true)
    if form == "by image":
        content = {f"f{5 * t:05d}.png": each for t, each in enumerate(content)}
    tracked = read_tracked(dump(tmp_path / "a.pkl", content), Reading(camera=str(write_camera(tmp_path))))
    assert (tracked.format, tracked.sides) == ("fasthamer", (side,))
    np.testing.assert_allclose(tracked.joints[0], true.joints, atol=1e-6)
    np.testing.assert_allclose(tracked.mano.transl[0], true.transl, atol=1e-6)
    for found, expected in ((tracked.mano.global_orient, true.orient), (tracked.mano.pose, true.pose)):
        turns = [Rotation.from_rotvec(each.reshape(-1, 3)).as_matrix() for each in (found[0], expected)]
        np.testing.assert_allclose(*turns, atol=1e-6)
    assert (tracked.numbers[1] - tracked.numbers[0]) == (5 if form == "by image" else 1)


def test_another_mesh_than_manos_and_lost_frames(tmp_path):
    """As JSON, from a version that has no parameters of MANO."""
    content = json.loads(json.dumps(results(clip(), with_params=False, lost=3), default=np.ndarray.tolist))
    (tmp_path / "a.json").write_text(json.dumps(content))
    tracked = read_tracked(tmp_path / "a.json", Reading(camera=str(write_camera(tmp_path))))
    assert (tracked.mano, tracked.vertices) == (None, None)
    assert np.flatnonzero(np.isnan(tracked.joints[0, :, 0, 0])).tolist() == [3]


def test_faults(tmp_path):
    with pytest.raises(InputError, match=r"camera: expected the real camera .*25000 pixels, found none"):
        read_tracked(dump(tmp_path / "a.pkl", results(clip())))
    camera = Reading(camera=str(write_camera(tmp_path)))
    broken = results(clip())
    del broken[2]["hands"][0]["cam_t"]
    with pytest.raises(InputError, match="cam_t: expected this key, found none"):
        read_tracked(dump(tmp_path / "a.pkl", broken), camera)
    with pytest.raises(InputError, match="image 1: expected a result with hands, focal and image_size, found int"):
        read_tracked(dump(tmp_path / "a.pkl", [broken[0], 5]), camera)
