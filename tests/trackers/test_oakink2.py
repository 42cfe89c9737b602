"""The reader of OakInk2 against a file of its public layout."""

import numpy as np
import pytest
from support.annotated_sets import CAMERA, OAKINK2_OBJECTS, wrists, write_oakink2
from support.tracker_clip import clip, matrices, write_hand

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import load_any

HELD = Reading(object_key=OAKINK2_OBJECTS[1])
KEPT = np.arange(28) != 5


@pytest.fixture
def clips():
    return [clip("left"), clip("right")]


@pytest.fixture
def file(clips, tmp_path):
    return write_oakink2(tmp_path, clips, lost=5)


def test_hands_object_and_camera(file, clips):
    """Quaternions w x y z; the wrist's place; a frame without hands is lost; the camera rests."""
    tracked = read_tracked(file, HELD)
    assert (tracked.format, tracked.sides, tracked.is_world) == ("oakink2", ("left", "right"), True)
    assert (tracked.mano.is_relative, tracked.mano.places_wrist, tracked.mano.has_left_fault) == (False, True, True)
    assert tracked.numbers.tolist() == list(range(400, 456, 2))
    for hand, true in enumerate(clips):
        np.testing.assert_allclose(tracked.mano.transl[hand][KEPT], wrists(true)[KEPT], atol=1e-6)
        turns = np.concatenate([tracked.mano.global_orient[hand], tracked.mano.pose[hand]], axis=-1)
        assert np.flatnonzero(np.isnan(turns).any(axis=1)).tolist() == [5]
        expected = matrices(np.concatenate([true.orient, true.pose], axis=1))
        np.testing.assert_allclose(matrices(turns[KEPT]), expected[KEPT], atol=1e-5)
        np.testing.assert_allclose(tracked.mano.betas[hand][KEPT], np.tile(true.betas, (27, 1)), atol=1e-6)
    assert tracked.object_name == OAKINK2_OBJECTS[1]
    np.testing.assert_allclose(tracked.object_poses, clips[0].object_poses, atol=1e-6)
    np.testing.assert_allclose(tracked.camera.from_world, np.tile(CAMERA, (28, 1, 1)), atol=1e-6)
    assert tracked.camera.intrinsics[0].tolist() == [610, 0, 424]


@pytest.mark.parametrize(("step", "fps"), [(1, 120), (4, 30)])
def test_the_rate_follows_from_the_numbers(step, fps, clips, tmp_path):
    tracked = read_tracked(write_oakink2(tmp_path, clips, lost=5, step=step), HELD)
    assert tracked.fps == pytest.approx(fps)


def test_the_mesh_beside_it(file, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path / "mano")))
    sequence = load_any(file, None, 1.0, HELD).sequence
    np.testing.assert_allclose(sequence.object_vertices, clips[0].mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(hand_joints(sequence, 1)[KEPT, :20], clips[1].joints[KEPT, :20], atol=1e-5)


def test_bad_input(file, clips, tmp_path):
    with pytest.raises(InputError, match=f"--object-key: expected one of {', '.join(OAKINK2_OBJECTS)}, found none"):
        read_tracked(file)
    with pytest.raises(InputError, match="found O02"):
        read_tracked(file, Reading(object_key="O02"))
    assert read_tracked(file, Reading(object_poses=tmp_path)).object_poses is None
    odd = write_oakink2(tmp_path / "odd", clips, lost=5, without="rh__tsl")
    with pytest.raises(InputError, match=r"odd.*pkl: rh__tsl: expected this key, found none"):
        read_tracked(odd, HELD)
