"""HO-Cap: two hands, several objects, in the world of a tag."""

import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_hand import near, pose_space, posed_as
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import hand_arguments

pytestmark = pytest.mark.usefixtures("open_mano")
SIDES = ("right", "left")


def test_hocap(tmp_path):
    """The right hand is first; rows of -1 are absent; coefficients and the mean; quaternions xyzw."""
    true = {"right": clip("right"), "left": clip("left")}
    folder = written.write_hocap(tmp_path, true, {side: pose_space(side) for side in SIDES}, lost=5)
    with pytest.raises(InputError, match="--object-key: expected one of G01_1, G01_2, found none"):
        read_tracked(folder)
    reading = Reading(object_key="G01_1")
    tracked = read_tracked(folder, reading)
    assert (tracked.format, tracked.sides, tracked.object_name) == ("hocap", ("right", "left"), "G01_1")
    found, _ = hand_arguments("", tracked, Reading())
    kept = np.arange(28) != 5
    near(found["hand_pose"][0][kept], true["right"].pose[kept])
    near(found["hand_pose"][1], true["left"].pose)
    near(tracked.mano.transl[1], true["left"].transl)
    assert np.isnan(tracked.mano.transl[0, 5]).all()
    assert np.isnan(tracked.object_poses[5]).all()
    # the world is the tag's, which is at TO_WORLD before the first camera
    near(tracked.camera.from_world[0], written.TO_WORLD)
    posed_as(
        written.write_hocap(tmp_path / "b", {"right": true["right"]}, {"right": pose_space("right")}, 5),
        true["right"],
        reading=reading,
    )
    other = read_tracked(folder, Reading(object_key="G01_2"))
    near(other.object_poses[:, :3, 3], true["right"].object_poses[:, :3, 3] + [1, 0, 0])
