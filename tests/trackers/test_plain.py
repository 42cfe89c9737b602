"""Plain arrays: shapes, orders of joints, sides, units, and what is ambiguous."""

import json

import numpy as np
import pytest
from support.tracker_clip import clip
from support.tracker_files import skin

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

TRUE = clip("left")
# where MANO's 16 joints and five tips (thumb first) are among OpenPose's
MANO = [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20]


def skeleton(count: int) -> np.ndarray:
    """The hand with metacarpals, a palm and a forearm as WebXR, OpenXR and visionOS have them, other numbers there."""
    wrist, thumb = TRUE.joints[:, :1], TRUE.joints[:, 1:5]
    fingers = [
        (0.7 * wrist + 0.3 * TRUE.joints[:, [5 + 4 * f]], TRUE.joints[:, 5 + 4 * f : 9 + 4 * f]) for f in range(4)
    ]
    webxr = np.concatenate([wrist, thumb, *(part for finger in fingers for part in finger)], axis=1)
    palm, forearm = TRUE.joints[:, [9]] * 0.5 + 0.5 * wrist, wrist - [0, 0.05, 0]
    return {
        25: webxr,
        26: np.concatenate([palm, webxr], axis=1),
        27: np.concatenate([webxr, forearm, 2 * forearm - wrist], axis=1),
    }[count]


def read(path, content, **choices):
    if path.suffix == ".json":
        path.write_text(json.dumps(content.tolist() if isinstance(content, np.ndarray) else content))
    elif path.suffix == ".csv":
        np.savetxt(path, content.reshape(len(content), -1), delimiter=",")
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        np.save(path, content)
    return read_tracked(path, Reading(**{"side": "left", **choices}))


@pytest.mark.parametrize("name", ["a.npy", "a.json", "a.csv", "a.txt"])
def test_kinds_of_files(name, tmp_path):
    if name == "a.txt":
        np.savetxt(tmp_path / name, TRUE.joints.reshape(len(TRUE.joints), -1))
        tracked = read_tracked(tmp_path / name, Reading(side="left"))
    else:
        tracked = read(tmp_path / name, TRUE.joints)
    np.testing.assert_allclose(tracked.joints[0], TRUE.joints, atol=1e-7)
    assert tracked.sides == ("left",)


def test_null_is_a_lost_frame(tmp_path):
    joints = read(tmp_path / "a.json", [None, *TRUE.joints[1:].tolist()]).joints[0]
    assert np.isnan(joints[0]).all()
    np.testing.assert_allclose(joints[1:], TRUE.joints[1:])


@pytest.mark.parametrize("count", [25, 26, 27])
def test_headsets(count, tmp_path):
    np.testing.assert_allclose(read(tmp_path / "a.npy", skeleton(count)).joints[0], TRUE.joints)


def test_orders_by_name_and_by_indices(tmp_path):
    mano = TRUE.joints[:, MANO]
    np.testing.assert_allclose(read(tmp_path / "a.npy", mano, joint_order="mano").joints[0], TRUE.joints)
    indices = ",".join(str(MANO.index(joint)) for joint in range(21))
    np.testing.assert_allclose(read(tmp_path / "a.npy", mano, joint_order=indices).joints[0], TRUE.joints)
    # the option matters
    assert np.abs(read(tmp_path / "a.npy", mano).joints[0] - TRUE.joints).max() > 0.01
    for wrong in ("OpenPose 21", "1,2,3", ",".join(["21"] * 21)):
        with pytest.raises(InputError, match=r"--joint-order: expected openpose, .* or 21 indices below 21"):
            read(tmp_path / "a.npy", mano, joint_order=wrong)
    with pytest.raises(InputError, match="joints: expected the 26 of the order openxr, found 21"):
        read(tmp_path / "a.npy", mano, joint_order="openxr")


def test_millimetres(tmp_path):
    np.testing.assert_allclose(read(tmp_path / "a.npy", 1e3 * TRUE.joints, hand_unit="mm").joints[0], TRUE.joints)


def test_vertices_beside_parameters_and_poses(tmp_path):
    """As TACO's clips are given away: the skin, MANO's 48 numbers, 4 x 4 poses."""
    content = {
        "hand_pose": np.zeros((TRUE.n_frames, 48)),
        "hand_vertices": skin(TRUE),
        "object_pose": TRUE.object_poses,
        "fps": np.float32(30),
    }
    tracked = read(tmp_path / "a.npz", content)
    np.testing.assert_allclose(tracked.vertices[0], skin(TRUE))
    np.testing.assert_allclose(tracked.object_poses, TRUE.object_poses)
    assert tracked.fps == 30


def test_two_hands(tmp_path):
    right = clip("right")
    both = {"joints_left": TRUE.joints, "joints_right": right.joints}
    tracked = read(tmp_path / "a.npz", both, side=None)
    assert tracked.sides == ("left", "right")
    for axis in (0, 1):
        stacked = np.stack([right.joints, TRUE.joints], axis=axis)
        found = read(tmp_path / "a.npy", stacked, side="right,left")
        assert found.sides == ("right", "left")
        np.testing.assert_allclose(found.joints[1], TRUE.joints)
        np.testing.assert_allclose(found.joints[1], tracked.joints[0])


def test_what_is_ambiguous_is_not_guessed(tmp_path):
    with pytest.raises(InputError, match="hand side: expected --side right or --side left"):
        read(tmp_path / "a.npy", TRUE.joints, side=None)
    several = {"raw": TRUE.joints, "smooth": TRUE.joints + 1}
    with pytest.raises(InputError, match=r"one array of joints or vertices \(--hand-key KEY\), found raw, smooth"):
        read(tmp_path / "a.npz", several)
    np.testing.assert_allclose(read(tmp_path / "a.npz", several, hand_key="smooth").joints[0], TRUE.joints + 1)
    with pytest.raises(InputError, match=r"--hand-key: .*\(raw, smooth\), found fine"):
        read(tmp_path / "a.npz", several, hand_key="fine")
    with pytest.raises(InputError, match="--side: expected the sides of 1 hands, with commas, found left,right"):
        read(tmp_path / "a.npy", TRUE.joints, side="left,right")
    with pytest.raises(InputError, match="an axis for 2 hands"):
        read(tmp_path / "a.npy", np.zeros((2, 2, 21, 3)), side="left,right")
