"""The reader of GigaHands against files of its public layout."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.annotated_sets import GIGAHANDS_OBJECT, write_gigahands, write_gigahands_object
from support.tracker_clip import clip, hand_arrays, write_hand

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.object_poses import read_object_poses
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import load_any

SEEN = {"left": [3, 5], "right": [5]}
"""The frames in which each hand is lost."""


@pytest.fixture
def clips():
    return [clip("left"), clip("right")]


@pytest.fixture
def file(clips, tmp_path):
    means = {each.side: hand_arrays(each.side)["hands_mean"] for each in clips}
    places = []
    for each in clips:
        # the wrist is at R w + Th, and at w + transl
        turned = np.einsum("tab,b->ta", Rotation.from_rotvec(each.orient).as_matrix(), each.wrist_offset)
        places.append(each.transl + each.wrist_offset - turned)
    return write_gigahands(tmp_path, clips, means, places)


def test_hands_and_frames(file, clips):
    tracked = read_tracked(file)
    assert (tracked.format, tracked.sides, tracked.fps) == ("gigahands", ("left", "right"), 30)
    mano = tracked.mano
    assert (mano.is_relative, mano.turns_about_origin, mano.places_wrist, mano.has_left_fault) == (1, 1, 0, 1)
    assert tracked.numbers.tolist() == list(range(10, 38))
    for hand, true in enumerate(clips):
        lost = np.isnan(tracked.mano.transl[hand]).any(axis=1)
        assert np.flatnonzero(lost).tolist() == SEEN[true.side]
        np.testing.assert_allclose(tracked.mano.global_orient[hand][~lost], true.orient[~lost])
        pose = true.pose - hand_arrays(true.side)["hands_mean"]
        np.testing.assert_allclose(tracked.mano.pose[hand][~lost], pose[~lost], atol=1e-12)


def test_the_object_beside_it(file, clips):
    """In every second frame of the video, turned as PyTorch3D turns rows."""
    tracked = read_tracked(file)
    found = np.isfinite(tracked.object_poses).all(axis=(1, 2))
    assert np.flatnonzero(found).tolist() == list(range(0, 28, 2))
    np.testing.assert_allclose(tracked.object_poses[found], clips[0].object_poses[::2], atol=1e-9)
    assert tracked.object_name == GIGAHANDS_OBJECT[1]


def test_a_quaternion_is_of_row_vectors(tmp_path):
    """A quarter turn about z by q = (cos 45, 0, 0, sin 45): PyTorch3D moves (1, 0, 0) to the row (1, 0, 0) R(q)."""
    half = np.sqrt(0.5)
    path = tmp_path / "optimized_pose.json"
    record = {"mesh_translation": [0.0, 0, 0.5], "mesh_rotation": [half, 0, 0, half]}
    path.write_text(json.dumps({"000000": record}))
    matrix = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    pose = read_object_poses(path, Reading()).matrices[0]
    moved = pose[:3, :3] @ [1, 0, 0] + pose[:3, 3]
    np.testing.assert_allclose(moved, np.array([1, 0, 0]) @ matrix + [0, 0, 0.5], atol=1e-12)


@pytest.mark.parametrize("as_quaternions", [True, False])
def test_object_poses_that_are_given(as_quaternions, clips, tmp_path):
    poses = clips[0].object_poses
    found = read_object_poses(write_gigahands_object(tmp_path / "a.json", poses, 40, as_quaternions), Reading())
    np.testing.assert_allclose(found.matrices, poses[::2], atol=1e-9)
    assert found.numbers.tolist() == list(range(40, 68, 2))


def test_the_sequence(file, clips, tmp_path, monkeypatch):
    """The right hand, turned about the model's origin, and its mean pose; the mesh beside it."""
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path / "mano")))
    sequence = load_any(file).sequence
    np.testing.assert_allclose(sequence.object_vertices, clips[0].mesh.vertices, atol=1e-6)
    kept = np.arange(28) != 5
    np.testing.assert_allclose(hand_joints(sequence, 1)[kept, :20], clips[1].joints[kept, :20], atol=1e-5)


def test_a_hand_that_is_never_seen(file):
    folder = file.parents[1] / "keypoints_3d" / "033"
    (folder / "chosen_frames_left.json").write_text("[]")
    assert read_tracked(file).sides == ("right",)
    for name in ("left", "right"):
        (folder / f"chosen_frames_{name}.json").write_text("[]")
    file.write_text(json.dumps({side: {key: [] for key in ("poses", "Rh", "Th", "shapes")} for side in SEEN}))
    with pytest.raises(InputError, match=r"033.json: left.Rh: expected numbers"):
        read_tracked(file)


def test_bad_input(file):
    content = json.loads(file.read_text())
    other = file.parents[3] / "object_poses" / "3_other" / "pan" / "p003-instrument_0033" / "pose"
    other.mkdir(parents=True)
    (other / "optimized_pose.json").write_text("{}")
    with pytest.raises(InputError, match="--object-key: expected one of ukelele_scan, pan, found none"):
        read_tracked(file)
    assert read_tracked(file, Reading(object_key="ukelele_scan")).object_poses is not None
    with pytest.raises(InputError, match=r"optimized_pose.json: frames: expected a record"):
        read_tracked(file, Reading(object_key="pan"))
    content["left"]["poses"][0][1] = 0.5
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"left.poses: expected zero in the first three, as Rh turns the hand"):
        read_tracked(file, Reading(object_key="ukelele_scan"))
    content["left"]["poses"][0][1] = 0.0
    file.write_text(json.dumps(content))
    chosen = file.parents[1] / "keypoints_3d" / "033" / "chosen_frames_left.json"
    chosen.write_text("[99]")
    with pytest.raises(InputError, match=r"chosen_frames: expected the 27 frames of 033.json, found 28"):
        read_tracked(file, Reading(object_key="ukelele_scan"))
    chosen.write_text("[1, null]")
    with pytest.raises(InputError, match=r"chosen_frames_left.json: frames: expected"):
        read_tracked(file, Reading(object_key="ukelele_scan"))
    chosen.unlink()
    tracked = read_tracked(file, Reading(object_key="ukelele_scan"))
    assert (tracked.numbers, tracked.object_poses, tracked.n_frames) == (None, None, 27)
