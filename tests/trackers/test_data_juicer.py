"""The tags of Data-Juicer's HaWoR operator."""

import json

import numpy as np
import pytest
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked


def hand(true, frames, joints=True):
    return {
        "frame_ids": frames,
        "global_orient": true.orient[frames].tolist(),
        "hand_pose": true.pose[frames].tolist(),
        "betas": np.tile(true.betas, (len(frames), 1)).tolist(),
        "transl": true.transl[frames].tolist(),
        "joints_cam": true.joints[frames].tolist() if joints else None,
    }


def tags(left_frames, right_frames, joints=True):
    return {
        "fov_x": 1.2,
        "img_focal": 935.3,
        "left": hand(clip("left"), left_frames, joints),
        "right": hand(clip("right"), right_frames, joints),
    }


@pytest.mark.parametrize("form", ["tags", "list", "sample", "lines"])
def test_hands(form, tmp_path):
    """Each hand in its own frames; the parameters of the left are its own."""
    found = tags([0, 1, 3, 4], [2, 3, 4, 5])
    sample = {"videos": ["a.mp4"], "__dj__meta__": {"hand_reconstruction_hawor_tags": [found]}}
    content = {"tags": found, "list": [found], "sample": sample, "lines": sample}[form]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content) + ("\n" + json.dumps({"videos": []}) if form == "lines" else ""))
    tracked = read_tracked(path)
    assert (tracked.format, tracked.sides) == ("data-juicer", ("left", "right"))
    for index, (side, frames) in enumerate({"left": [0, 1, 3, 4], "right": [2, 3, 4, 5]}.items()):
        true, lost = clip(side), [t for t in range(6) if t not in frames]
        np.testing.assert_allclose(tracked.joints[index, frames], true.joints[frames])
        np.testing.assert_allclose(tracked.mano.pose[index, frames], true.pose[frames])
        np.testing.assert_allclose(tracked.mano.transl[index, frames], true.transl[frames])
        assert np.isnan(tracked.joints[index, lost]).all()
    assert tracked.camera.intrinsics[0, 0] == 935.3
    assert not tracked.mano.is_relative


def test_one_hand_without_joints(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(tags([], [0, 1, 2], joints=False)))
    tracked = read_tracked(tmp_path / "a.json")
    assert (tracked.sides, tracked.joints, tracked.n_frames) == (("right",), None, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found["left"].update(transl=[[0, 0, 1]]), "transl: expected the 3 frames of frame_ids, found 1"),
        (lambda found: found["left"].update(frame_ids=[0, 1, 1]), "frame_ids: expected frames from 0 on, each once"),
        (lambda found: found["left"].update(frame_ids=[0, 1, 10**8]), "frame_ids: expected at most 100,000 frames"),
        (lambda found: found["left"].pop("betas"), "betas: expected this key, found none"),
        (lambda found: found["left"].update(hand_pose=[[0] * 48] * 3), "hand_pose: expected numbers of shape"),
    ],
)
def test_faults(change, message, tmp_path):
    found = tags([0, 1, 2], [0, 1, 2])
    change(found)
    (tmp_path / "a.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match=message):
        read_tracked(tmp_path / "a.json")


def test_several_videos_are_not_joined(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([tags([0], [0]), tags([0], [0])]))
    with pytest.raises(InputError, match="the tags of one video alone, found 2 videos"):
        read_tracked(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps(tags([], [])))
    with pytest.raises(InputError, match="a hand in one frame at least"):
        read_tracked(tmp_path / "a.json")
