"""The user's own skeleton, moved as the repaired hand, keeps its bone lengths; where nothing was repaired it is the
same."""

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support import tracker_files as written
from support.bvh_files import write_bvh, write_map
from support.tracker_clip import clip

from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.own_skeleton import with_own_bones
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.bvh import hierarchy, motion, poses
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

FINGERS = [[0, *range(first, first + 4)] for first in (1, 5, 9, 13, 17)]
BONES = [bone for finger in FINGERS for bone in pairwise(finger)]
OTHER = Rotation.from_rotvec([0.1, -0.2, 0.15])


def rigid_tips(joints: np.ndarray) -> np.ndarray:
    """The joints with last bones that keep their length, as those of a glove; the skin of a hand bends there."""
    moved = joints.copy()
    for tip in (4, 8, 12, 16, 20):
        bone = joints[:, tip] - joints[:, tip - 1]
        moved[:, tip] = joints[:, tip - 1] + 0.025 * bone / np.linalg.norm(bone, axis=1, keepdims=True)
    return moved


def another_hand(joints: np.ndarray) -> np.ndarray:
    """Repaired joints of a hand that is larger than the user's, elsewhere, turned and differently bent."""
    middle = joints[0].mean(axis=0)
    moved = 1.06 * (joints - middle) @ OTHER.as_matrix().T + middle + [0.03, -0.02, 0.05]
    moved[:, [6, 7, 8]] += np.linspace([0, 0, 0], [0, 0.01, 0.02], len(joints))[:, None]
    return moved


def lengths(joints: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(joints[:, b] - joints[:, a], axis=-1) for a, b in BONES], axis=1)


def directions(joints: np.ndarray) -> np.ndarray:
    bones = np.stack([joints[:, b] - joints[:, a] for a, b in BONES if a], axis=1)
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True)


def test_bones_of_a_rigid_skeleton():
    own = rigid_tips(clip().joints)
    new = another_hand(clip().joints)
    found = with_own_bones(own, new)
    np.testing.assert_allclose(lengths(found), lengths(own), atol=1e-7)
    np.testing.assert_allclose(directions(found), directions(new), atol=1e-7)
    np.testing.assert_allclose(found[:, [0, 1, 5, 9, 13, 17]].mean(axis=1), new[:, [0, 1, 5, 9, 13, 17]].mean(axis=1))
    np.testing.assert_allclose(with_own_bones(own, own), own, atol=1e-9)


def test_bones_that_are_not_rigid_are_the_repaired_ones():
    """Those of a tracker that estimates each frame anew, and the tips of a skin."""
    new = another_hand(clip().joints)
    noisy = clip().joints + np.random.default_rng(0).normal(0, 0.002, clip().joints.shape)
    np.testing.assert_allclose(with_own_bones(noisy, new), new, atol=1e-9)
    own = rigid_tips(clip().joints)
    own[:, 8] += np.linspace([0, 0, 0], [0.005, 0, 0], len(own))
    kept, is_tip = lengths(with_own_bones(own, new)), np.array([bone == (7, 8) for bone in BONES])
    np.testing.assert_allclose(kept[:, is_tip], lengths(new)[:, is_tip], atol=1e-7)
    np.testing.assert_allclose(kept[:, ~is_tip], lengths(own)[:, ~is_tip], atol=1e-7)


WEBXR = [joint for joint in range(25) if joint not in (5, 10, 15, 20)]
METACARPALS = [5, 10, 15, 20]


def headset(joints: np.ndarray) -> np.ndarray:
    """The 25 joints of WebXR: the metacarpals a third of the way from the wrist to the fingers."""
    found = np.zeros((len(joints), 25, 3))
    found[:, WEBXR] = joints
    for metacarpal, root in zip(METACARPALS, (5, 9, 13, 17), strict=True):
        found[:, metacarpal] = (2 * joints[:, 0] + joints[:, root]) / 3
    return found


def saved(path, hands: np.ndarray):
    """An array of one hand in the kind of file of the ending, with another key beside it where there are keys."""
    if path.suffix == ".npy":
        np.save(path, hands)
    elif path.suffix == ".npz":
        np.savez(path, hand=hands, radius=np.ones(25), fps=8.0)
    elif path.suffix == ".csv":
        np.savetxt(path, hands.reshape(len(hands), -1), delimiter=",")
    else:
        path.write_text(json.dumps({"hand": hands.tolist(), "device": "glasses"}))
    return path


@pytest.mark.parametrize("ending", [".npy", ".npz", ".csv", ".json"])
def test_headsets(ending, make, tmp_path):
    own = rigid_tips(clip().joints)
    first, result = saved(tmp_path / f"first{ending}", headset(own)), tmp_path / f"clean{ending}"
    writing = Writing(like=first)
    assert export_sequence(result, make("right", form="joints", hand_joints=own[None]), "plain", writing) == ()
    reading = Reading(side="right", fps=8.0)
    np.testing.assert_allclose(read_tracked(result, reading).joints, read_tracked(first, reading).joints, atol=1e-5)
    new = another_hand(clip().joints)
    (said,) = export_sequence(result, make("right", form="joints", hand_joints=new[None]), "plain", writing)
    off = 1e3 * np.linalg.norm(with_own_bones(own, new) - new, axis=-1).max()
    assert f"at most {off:.1f} mm from the repaired ones" in said
    # the whole file in an order that takes the metacarpals for the last joints of the fingers
    order = ",".join(map(str, [*range(17), *METACARPALS]))
    before, after = (
        read_tracked(path, Reading(side="right", fps=8.0, joint_order=order)).joints[0] for path in (first, result)
    )
    ends = np.stack([after[:, 17 + finger] - after[:, 0] for finger in range(4)], axis=1)
    old = np.stack([before[:, 17 + finger] - before[:, 0] for finger in range(4)], axis=1)
    np.testing.assert_allclose(np.linalg.norm(ends, axis=-1), np.linalg.norm(old, axis=-1), atol=1e-5)
    found = read_tracked(result, reading).joints[0]
    np.testing.assert_allclose(lengths(found), lengths(own), atol=1e-5)
    np.testing.assert_allclose(directions(found), directions(new), atol=1e-3)
    if ending == ".npz":
        with np.load(result) as file:
            assert set(file.files) == {"hand", "radius", "fps"}
            assert file["hand"].dtype == np.float64
    assert ("glasses" in result.read_text()) if ending == ".json" else True


def test_two_hands_in_centimetres(make, tmp_path):
    """(T, H, 21, 3), with the object's poses beside it, which are the repaired ones; a lost frame stays as it was."""
    true = [clip("left"), clip("right")]
    first = tmp_path / "first.npz"
    hands = np.stack([100 * each.joints for each in true], axis=1).astype(np.float32)
    np.savez(first, hands=hands, pose=np.tile(np.eye(4), (clip().n_frames, 1, 1)), fps=8.0)
    valid = np.ones((2, clip().n_frames), bool)
    valid[1, 3] = False
    sequence = make("left", "right", form="joints", hand_valid=valid)
    export_sequence(tmp_path / "clean.npz", sequence, "plain", Writing(like=first, unit="cm"))
    with np.load(tmp_path / "clean.npz") as clean:
        assert clean["hands"].dtype == np.float32
        np.testing.assert_allclose(clean["hands"], hands, atol=0.01)
        np.testing.assert_allclose(clean["pose"], true[0].object_poses, atol=1e-6)


def take(path):
    lines = [line.strip() for line in path.read_text().splitlines()]
    joints, start = hierarchy(path, lines)
    _, rows = motion(path, lines[start:], sum(len(joint.channels) for joint in joints))
    return joints, lines[:start], rows, poses(joints, rows)[0]


@pytest.mark.parametrize("arm", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_bvh(side, arm, make, tmp_path):
    """The hierarchy is the same; the wrist comes to the repaired one, by the arm where there is one."""
    first, result, bones = tmp_path / "first.bvh", tmp_path / "clean.bvh", tmp_path / "bones.txt"
    write_bvh(first, clip(side), "ZXY", arm=arm)
    write_map(bones, side)
    writing = Writing(like=first, bone_map=bones, unit="cm")
    reading = Reading(bone_map=bones, hand_unit="cm")
    own = read_tracked(first, reading).joints[0]
    export_sequence(result, make(side, form="joints", hand_joints=own[None]), "bvh", writing)
    joints, head, rows, before = take(first)
    _, new_head, new_rows, _ = take(result)
    assert new_head == head
    np.testing.assert_allclose(new_rows, rows, atol=1e-3)
    repaired = another_hand(own)
    said = export_sequence(result, make(side, form="joints", hand_joints=repaired[None]), "bvh", writing)
    assert any("from the repaired ones" in line and "at most 0.0 mm" in line for line in said)
    _, _, _, after = take(result)
    parents = [joint.parent for joint in joints]
    for index, parent in enumerate(parents):
        if parent >= 0:
            old, new = (np.linalg.norm(places[:, index] - places[:, parent], axis=-1) for places in (before, after))
            np.testing.assert_allclose(new, old, atol=1e-4)
    found = read_tracked(result, reading).joints[0]
    np.testing.assert_allclose(found, with_own_bones(own, repaired), atol=1e-5)
    np.testing.assert_allclose(directions(found), directions(repaired), atol=1e-3)
    if arm:
        np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-6)


def test_bvh_beyond_the_arms_reach(make, tmp_path):
    """Is said: the wrist is as near as the arm allows."""
    first, bones = tmp_path / "first.bvh", tmp_path / "bones.txt"
    write_bvh(first, clip(), "YXZ", arm=True)
    write_map(bones, "right")
    down = np.array([0.0, 1.0, 0.0])
    place = clip().object_poses[:, :3, 3] - down
    far = make("right", form="joints", hand_joints=clip().joints[None] - down, object_translation=place)
    (said,) = export_sequence(tmp_path / "clean.bvh", far, "bvh", Writing(like=first, bone_map=bones, unit="cm"))
    off = float(said.split(" at most ")[1].split(" mm")[0])
    assert 500 < off < 1100


@pytest.mark.parametrize("trajectory", [True, False])
def test_aria(trajectory, make, tmp_path):
    first, _ = written.write_aria(tmp_path, clip(), missing=4, trajectory=trajectory)
    own = read_tracked(first).joints[0]
    joints = np.where(np.isfinite(own), own, clip().joints)
    valid = np.isfinite(own[:, :1]).all(axis=(1, 2))[None]
    result = tmp_path / "hand_tracking" / "clean.csv"
    sequence = make("right", form="joints", hand_joints=joints[None], hand_valid=valid)
    export_sequence(result, sequence, "aria", Writing(like=first))
    np.testing.assert_allclose(read_tracked(result).joints[0], own, atol=1e-5)
    lines, new = first.read_text().splitlines(), result.read_text().splitlines()
    assert new[0] == lines[0]
    assert new[5] == lines[5]
    shifted = make("right", form="joints", hand_joints=joints[None] + 0.02)
    export_sequence(result, shifted, "aria", Writing(like=first))
    found = read_tracked(result).joints[0]
    np.testing.assert_allclose(found[valid[0]], own[valid[0]] + 0.02, atol=1e-4)
    assert np.isfinite(np.delete(found[4], 1, axis=0)).all()
    confidence = [line.split(",")[72] for line in result.read_text().splitlines()[1:]]
    assert [float(each) for each in confidence] == [0.9 if frame != 4 else 0 for frame in range(clip().n_frames)]


def test_leap(make, tmp_path):
    frames = written.leap_frames(clip("left"), clip("right"), lost=6)
    first = tmp_path / "leap.json"
    for frame in frames[1:]:
        for hand in frame["hands"]:
            hand["palmPosition"] = np.add(hand["wrist"], [0, 10, 0]).tolist()
    first.write_text("\n".join(map(json.dumps, frames)))
    sides, true = ("left", "right"), [clip("left").joints, clip("right").joints]
    sequence = make(*sides, form="joints", hand_joints=np.stack(true))
    export_sequence(
        tmp_path / "clean.json", sequence.replace(hand_valid=sequence.hand_valid), "leap", Writing(like=first)
    )
    found = read_tracked(tmp_path / "clean.json")
    assert found.sides == sides
    np.testing.assert_allclose(found.joints, np.stack(true), atol=1e-4)
    new = [json.loads(line) for line in (tmp_path / "clean.json").read_text().splitlines()]
    assert new[0] == frames[0]
    assert [set(frame) for frame in new] == [set(frame) for frame in frames]
    palms = [hand["palmPosition"] for hand in new[3]["hands"]]
    old = {hand["type"]: hand["palmPosition"] for hand in frames[3]["hands"]}
    np.testing.assert_allclose(palms, [old[side] for side in sides], atol=1e-3)
    assert len(new[7]["hands"]) == 2
