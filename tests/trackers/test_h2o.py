"""H2O: two hands before a moving camera."""

import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_hand import near
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import hand_arguments

pytestmark = pytest.mark.usefixtures("open_mano")


@pytest.mark.parametrize("capitals", [False, True])
def test_h2o(capitals, tmp_path):
    """Before a moving camera, of which the world is made; the left hand is first, with 62 numbers."""
    true = {"right": clip("right"), "left": clip("left")}
    folder, to_world = written.write_h2o(tmp_path, true, lost=5, capitals=capitals)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.sides, tracked.object_name) == ("h2o", ("left", "right"), "cappuccino")
    kept = np.arange(28) != 5
    for hand, side in enumerate(tracked.sides):
        near(tracked.joints[hand][kept], true[side].joints[kept])
        near(tracked.mano.pose[hand][kept], true[side].pose[kept])
        assert np.isnan(tracked.joints[hand, 5]).all()
    near(tracked.object_poses[kept], true["right"].object_poses[kept])
    assert np.isnan(tracked.object_poses[5]).all()
    near(np.linalg.inv(tracked.camera.from_world), to_world)
    assert tracked.camera.size == (1280, 720)
    found, _ = hand_arguments("", tracked, Reading())
    wrists = found["hand_transl"][1] + true["right"].wrist_offset
    near(wrists[kept], true["right"].joints[kept, 0])


def test_h2o_of_two_objects_and_of_missing_frames(tmp_path):
    true = {"right": clip("right"), "left": clip("left")}
    folder, _ = written.write_h2o(tmp_path, true, lost=5)
    file = folder / "obj_pose_rt" / "000003.txt"
    text = file.read_text()
    file.write_text("1 " + text.split(" ", 1)[1])
    with pytest.raises(InputError, match="--object-key: expected one of book, cappuccino, found none"):
        read_tracked(folder)
    tracked = read_tracked(folder, Reading(object_key="book"))
    assert np.flatnonzero(np.isfinite(tracked.object_poses[:, 0, 0])).tolist() == [3]
    file.write_text("9 " + text.split(" ", 1)[1])
    with pytest.raises(InputError, match="the object's number: expected 0 to 8, found 9"):
        read_tracked(folder)
    file.unlink()
    with pytest.raises(
        InputError, match="obj_pose_rt: files: expected the 28 frames of hand_pose_mano, found 27 others"
    ):
        read_tracked(folder)


def test_h2o_of_a_camera_that_is_lost(tmp_path):
    folder, _ = written.write_h2o(tmp_path, {"right": clip("right"), "left": clip("left")}, lost=5)
    file = folder / "cam_pose" / "000003.txt"
    file.write_text(" ".join(["0"] * 16))
    with pytest.raises(InputError, match="cam_pose: expected a pose of the camera in each frame, found zeros or NaN"):
        read_tracked(folder)
    file.write_text("2 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1")
    with pytest.raises(InputError, match="cam_pose: expected rotation matrices"):
        read_tracked(folder)
