"""The reader of TACO against a folder of its public layout."""

import numpy as np
import pytest
from support.annotated_sets import wrists, write_taco
from support.tracker_clip import clip, write_hand

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import load_any

TOOL = Reading(object_key="tool")


@pytest.fixture
def clips():
    return [clip("left"), clip("right")]


@pytest.fixture
def folder(tmp_path, clips):
    return write_taco(tmp_path, clips, np.tile(np.eye(4), (clips[0].n_frames, 1, 1)))


def test_hands_object_and_camera(folder, clips):
    """Frames are in the order of their numbers; the pose is absolute, and the translation is the wrist's place."""
    tracked = read_tracked(folder, TOOL)
    assert (tracked.format, tracked.sides, tracked.is_world, tracked.fps) == ("taco", ("left", "right"), True, 30)
    assert (tracked.mano.is_relative, tracked.mano.places_wrist, tracked.mano.has_left_fault) == (False, True, True)
    for hand, true in enumerate(clips):
        np.testing.assert_allclose(tracked.mano.transl[hand], wrists(true), atol=1e-6)
        np.testing.assert_allclose(tracked.mano.global_orient[hand], true.orient, atol=1e-6)
        np.testing.assert_allclose(tracked.mano.pose[hand], true.pose, atol=1e-6)
        np.testing.assert_allclose(tracked.mano.betas[hand], true.betas, atol=1e-6)
    np.testing.assert_array_equal(tracked.object_poses, clips[0].object_poses)
    assert tracked.object_name == "007"
    assert tracked.camera.intrinsics.tolist() == [[900, 0, 960], [0, 901, 540], [0, 0, 1]]
    np.testing.assert_allclose(tracked.camera.from_world[-1, :3, 3], [0, 0, 0.2])
    target = read_tracked(folder, Reading(object_key="target"))
    np.testing.assert_array_equal(target.object_poses[:, :3, 3], 0)
    assert target.object_mesh is None


def test_the_mesh_beside_it_is_in_centimetres(folder, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path / "mano")))
    found = load_any(folder, None, 1.0, TOOL)
    np.testing.assert_allclose(found.sequence.object_vertices, clips[0].mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(hand_joints(found.sequence, 1)[:, :20], clips[1].joints[:, :20], atol=1e-5)
    # the same file given by name
    given = load_any(folder, tmp_path / "Object_Models" / "007_cm.obj", 1.0, TOOL).sequence
    np.testing.assert_array_equal(given.object_vertices, found.sequence.object_vertices)
    # the folder's name as it is downloaded
    (tmp_path / "Object_Models").rename(tmp_path / "object_models_released")
    assert read_tracked(folder, TOOL).object_mesh.samefile(tmp_path / "object_models_released" / "007_cm.obj")


def test_bad_input(folder, clips):
    with pytest.raises(InputError, match=r"--object-key: expected one of target \(target_101\), tool \(tool_007\)"):
        read_tracked(folder)
    (folder / "left_hand.pkl").unlink()
    assert read_tracked(folder, TOOL).sides == ("right",)
    short = clip("left")
    write_taco(folder / "other", [clips[1]], short.object_poses[:5])
    with pytest.raises(InputError, match=r"target_101.npy: object poses: expected numbers of shape \(28, 4, 4\)"):
        read_tracked(next((folder / "other" / "Hand_Poses").glob("*/*")), Reading(object_key="target"))
    (folder / "right_hand_shape.pkl").write_bytes((folder / "right_hand.pkl").read_bytes())
    with pytest.raises(InputError, match=r"right_hand_shape.pkl: hand_shape: expected this key, found none"):
        read_tracked(folder, TOOL)
