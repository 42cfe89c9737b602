"""The reader of OakInk-Image against files of its public layout."""

import dataclasses
import shutil

import numpy as np
import pytest
from support.annotated_sets import CAMERA, wrists, write_oakink
from support.tracker_clip import clip, matrices, write_hand

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import load_any

FRAMES = [10 + 2 * t + 2 * (t > 20) for t in range(28)]
"""Every second frame, and one of these is missing."""
KEPT = np.arange(29) != 21


@pytest.fixture
def true():
    return clip("right")


def test_the_clip_of_a_file(true, tmp_path):
    """Quaternions w x y z, in any length; the hand in the world; the joints taken there from the camera."""
    tracked = read_tracked(write_oakink(tmp_path, true, FRAMES)[5])
    assert (tracked.format, tracked.sides, tracked.fps, tracked.is_world) == ("oakink", ("right",), 30, True)
    assert not tracked.mano.is_relative
    assert tracked.mano.places_wrist
    np.testing.assert_array_equal(tracked.numbers[KEPT], FRAMES)
    np.testing.assert_allclose(tracked.mano.transl[0][KEPT], wrists(true), atol=1e-6)
    turns = np.concatenate([tracked.mano.global_orient, tracked.mano.pose], axis=-1)[0]
    assert np.flatnonzero(np.isnan(turns).any(axis=1)).tolist() == [21]
    expected = matrices(np.concatenate([true.orient, true.pose], axis=1))
    np.testing.assert_allclose(matrices(turns[KEPT]), expected, atol=1e-5)
    np.testing.assert_allclose(tracked.joints[0][KEPT], true.joints, atol=1e-6)
    assert tracked.object_name == "A01001"
    np.testing.assert_allclose(tracked.object_poses[KEPT], true.object_poses, atol=1e-6)
    np.testing.assert_allclose(tracked.camera.from_world, np.tile(CAMERA, (29, 1, 1)), atol=1e-6)
    assert tracked.camera.intrinsics[1].tolist() == [0, 601, 240]


@pytest.mark.filterwarnings("error:All-NaN")  # of a frame whose next one has no object
def test_the_mesh_is_centred(true, tmp_path, monkeypatch):
    """The poses are of a mesh with the centre of its bounding box at the origin; the file's is a quarter metre off."""
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path / "mano")))
    centre = true.mesh.bounds.mean(axis=0)
    poses = true.object_poses.copy()
    poses[:, :3, 3] += poses[:, :3, :3] @ centre
    centred = dataclasses.replace(true, object_poses=poses)
    sequence = load_any(write_oakink(tmp_path, centred, FRAMES)[0]).sequence
    np.testing.assert_allclose(sequence.object_vertices, true.mesh.vertices - centre, atol=1e-6)
    np.testing.assert_allclose(hand_joints(sequence, 0)[KEPT, :20], true.joints[:, :20], atol=1e-5)
    placed = np.asarray(sequence.object_vertices) @ poses[3, :3, :3].T + poses[3, :3, 3]
    expected = true.mesh.vertices @ true.object_poses[3, :3, :3].T + true.object_poses[3, :3, 3]
    np.testing.assert_allclose(placed, expected, atol=1e-6)


def test_a_folder_of_one_clip(true, tmp_path):
    files = write_oakink(tmp_path / "set", true, FRAMES, with_joints=False)
    (tmp_path / "clip").mkdir()
    for file in files:
        shutil.copy(file, tmp_path / "clip")
    tracked = read_tracked(tmp_path / "clip")
    np.testing.assert_allclose(tracked.mano.transl[0][KEPT], wrists(true), atol=1e-6)
    assert tracked.joints is None
    assert tracked.object_mesh is None


def test_bad_input(true, tmp_path):
    files = write_oakink(tmp_path, true, FRAMES)
    with pytest.raises(InputError, match=r"folder: expected one file of the clip, .* found files of 4 clips"):
        read_tracked(files[0].parent)
    files[0].rename(files[0].parent / "frame.pkl")
    with pytest.raises(InputError, match=r"file name: expected <sequence>__<time>__<hand>__<frame>__<camera>.pkl"):
        read_tracked(files[0].parent / "frame.pkl")
    files[3].write_bytes(b"\x80\x02}.")
    with pytest.raises(InputError, match=f"{files[3].name}: hand_anno: expected this key, found none"):
        read_tracked(files[2])
