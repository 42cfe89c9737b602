"""DexYCB: before a camera and in the world."""

import dataclasses

import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_hand import near, pose_space, posed_as
from support.tracker_clip import Clip, clip

from toch_jax.base.errors import InputError
from toch_jax.cli.convert import is_folder_of_clips
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import hand_arguments

pytestmark = pytest.mark.usefixtures("open_mano")


def in_world(true: Clip) -> Clip:
    """The clip's joints and object after TO_WORLD."""
    turn, shift = written.TO_WORLD[:3, :3], written.TO_WORLD[:3, 3]
    return dataclasses.replace(
        true, joints=true.joints @ turn.T + shift, object_poses=written.TO_WORLD @ true.object_poses
    )


def test_dexycb_before_a_camera(tmp_path):
    """45 coefficients and the mean; a hand and a pose of zeros are absent; ycb_grasp_ind counts in ycb_ids."""
    true = clip("right")
    written.write_ycb(tmp_path, true)
    folder = written.write_dexycb(tmp_path, true, pose_space("right"), lost=5)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.sides, tracked.fps) == ("dexycb", ("right",), 30)
    assert (tracked.object_name, tracked.is_world, tracked.mano.has_left_fault) == ("025_mug", False, True)
    kept = np.arange(true.n_frames) != 5
    near(tracked.joints[0][kept], true.joints[kept])
    assert np.isnan(tracked.joints[0, 5]).all()
    assert np.isnan(tracked.mano.pose[0, 5]).all()
    assert np.isnan(tracked.object_poses[5]).all()
    assert tracked.camera.intrinsics[0].tolist() == [614, 0, 320]
    found, _ = hand_arguments("", tracked, Reading())
    near(found["hand_pose"][0][kept], true.pose[kept])
    posed_as(folder, true)
    other = read_tracked(folder, Reading(object_key="021_bleach_cleanser"))
    near(other.object_poses[:, :3, 3], true.object_poses[:, :3, 3] + [1, 0, 0])
    assert other.object_mesh is None
    with pytest.raises(InputError, match="--object-key: expected one of 021_bleach_cleanser, 025_mug, found mug"):
        read_tracked(folder, Reading(object_key="mug"))


def test_dexycb_in_the_world(tmp_path):
    """pose.npz: quaternions xyzw, where the identity is no pose; the hand's pose after the camera's motion."""
    true = clip("right")
    written.write_ycb(tmp_path, true)
    folder = written.write_dexycb(tmp_path, true, pose_space("right"), lost=5).parent
    assert not is_folder_of_clips(folder)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.is_world) == ("dexycb", True)
    assert np.isnan(tracked.object_poses[5]).all()
    assert np.isnan(tracked.mano.transl[0, 5]).all()
    near(tracked.camera.from_world[3] @ tracked.object_poses[3], true.object_poses[3])
    posed_as(folder, in_world(true))


def test_dexycb_of_a_damaged_calibration(tmp_path):
    folder = written.write_dexycb(tmp_path, clip("right"), pose_space("right"), lost=5)
    meta = folder.parent / "meta.yml"
    text = meta.read_text()
    meta.write_text(text.replace("- 12", "- 22"))
    with pytest.raises(InputError, match=r"meta.yml: ycb_ids: expected numbers from 1 to 21, found 22"):
        read_tracked(folder)
    meta.write_text("a: [1")
    with pytest.raises(InputError, match=r"meta.yml: file: expected YAML"):
        read_tracked(folder)
    meta.write_text(f"!!python/object/apply:os.mkdir [{tmp_path / 'ran'}]")
    with pytest.raises(InputError, match=r"meta.yml: file: expected YAML, found could not determine a constructor"):
        read_tracked(folder)
    assert not (tmp_path / "ran").exists()
    meta.write_text(text)
    (tmp_path / "calibration" / "mano_20200709-weiy_right" / "mano.yml").unlink()
    with pytest.raises(InputError, match=r"mano.yml: file: expected a YAML file, found nothing"):
        read_tracked(folder)
