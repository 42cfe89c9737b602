"""The reader of the First-Person Hand Action Benchmark against a folder of its public layout."""

import numpy as np
import pytest
from support.annotated_sets import write_fhab
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import load_any

# README.md of guiggh/hand_pose_action: the colour camera's intrinsics (f, u0, v0), R and t (millimetres)
LENS = (1395.749, 935.732544, 540.681030)
TURN = [
    [0.999988496304, -0.00468848412856, 0.000982563360594],
    [0.00469115935266, 0.999985218048, -0.00273845880292],
    [-0.000969709653873, 0.00274303671904, 0.99999576807],
]
SHIFT = [25.7, 1.22, 3.902]


@pytest.fixture
def true():
    return clip("right")


@pytest.mark.parametrize("first", [0, 1])
def test_hand_and_object(first, true, tmp_path):
    """Millimetres; the order of the joints; a matrix column by column; frames are counted from the first."""
    path = write_fhab(tmp_path, true, first)
    for source in (path, path.parent):
        tracked = read_tracked(source)
        assert (tracked.format, tracked.sides, tracked.fps, tracked.mano) == ("fhab", ("right",), 30, None)
        np.testing.assert_allclose(tracked.joints[0], true.joints, atol=1e-8)
        assert tracked.object_name == "juice_bottle"
        known = np.arange(28) != 3
        np.testing.assert_allclose(tracked.object_poses[known], true.object_poses[known], atol=1e-6)
        assert np.isnan(tracked.object_poses[3]).all()


def test_the_pixels_of_the_colour_camera(true, tmp_path):
    """The set's own formula: a joint in millimetres before the depth camera, moved by R and t, then projected."""
    camera = read_tracked(write_fhab(tmp_path, true)).camera
    x, y, z = (1000 * true.joints[4] @ np.array(TURN).T + SHIFT).T
    expected = np.column_stack([LENS[1] + LENS[0] * x / z, LENS[2] + LENS[0] * y / z])
    moved = true.joints[4] @ camera.from_world[4, :3, :3].T + camera.from_world[4, :3, 3]
    found = moved @ camera.intrinsics.T
    np.testing.assert_allclose(found[:, :2] / found[:, 2:], expected, atol=1e-3)


def test_the_sequence(true, tmp_path):
    """Without MANO; the mesh beside it, metres."""
    sequence = load_any(write_fhab(tmp_path, true)).sequence
    np.testing.assert_allclose(np.asarray(sequence.hands.joints[0]), true.joints, atol=1e-6)
    np.testing.assert_allclose(sequence.object_vertices, true.mesh.vertices, atol=1e-6)


def test_bad_input(true, tmp_path):
    path = write_fhab(tmp_path, true)
    objects = (
        tmp_path / "Object_6D_pose_annotation_v1_1" / path.parent.relative_to(tmp_path / "Hand_pose_annotation_v1")
    )
    lines = (objects / "object_pose.txt").read_text().splitlines()
    (objects / "object_pose.txt").write_text("\n".join([lines[1], *lines]))
    with pytest.raises(InputError, match=r"object_pose.txt: frame: expected numbers that increase"):
        read_tracked(path)
    assert read_tracked(path, Reading(object_poses=tmp_path)).object_poses is None
    (objects / "object_pose.txt").write_text("\n".join(["0.5" + lines[0][lines[0].index(" ") :], *lines[1:]]))
    with pytest.raises(InputError, match=r"object_pose.txt: frame: expected frames' numbers, whole and below 1e9"):
        read_tracked(path)
    (objects / "object_pose.txt").write_text("none")
    with pytest.raises(InputError, match=r"object_pose.txt: file: expected lines of 17 numbers, found list"):
        read_tracked(path)
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:5], text[5].rpartition(" ")[0], *text[6:]]))
    with pytest.raises(InputError, match=r"skeleton.txt: table: expected lines of as many numbers each"):
        read_tracked(path)
