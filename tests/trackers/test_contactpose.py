"""ContactPose: one grasp of an object that is turned."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support import annotation_files as written
from support.annotated_hand import near, pose_space, skin_of
from support.mano_files import pose_hand
from support.tracker_clip import clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked

pytestmark = pytest.mark.usefixtures("open_mano")


def test_contactpose(tmp_path):
    """aTb is the pose of b in a; the fit is in a frame of its own; 15 coefficients and the mean."""
    true, space, arrays = clip("right"), pose_space("right"), hand_arrays("right")
    coefficients = ((true.pose[20] - space["mean"]) @ space["components"].T)[:15]
    pose = coefficients @ space["components"][:15] + space["mean"]
    template = arrays["v_template"] + arrays["shapedirs"][..., :10] @ true.betas
    skin = pose_hand(arrays, template, true.orient[20:21], pose[None], np.zeros((1, 3)))[0]
    grasp = {
        "pose": np.concatenate([true.orient[20], coefficients]),
        "joints": true.joints[20] - true.transl[20],
        "to_hand": written.inside(Rotation.from_rotvec([0.5, 1, -0.4]).as_matrix(), np.array([0.1, 0.02, 0.05])),
    }
    folder, of_fit = written.write_contactpose(tmp_path, true, grasp)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.sides, tracked.object_name) == ("contactpose", ("right",), "mug")
    assert (tracked.fps, tracked.object_mesh) == (None, folder / "mug.ply")
    near(tracked.object_poses, true.object_poses)
    near(tracked.joints[0], np.einsum("tab,jb->tja", of_fit[:, :3, :3], grasp["joints"]) + of_fit[:, None, :3, 3])
    near(np.linalg.inv(tracked.camera.from_world[0]), written.TO_WORLD)
    expected = np.einsum("tab,vb->tva", of_fit[:, :3, :3], skin) + of_fit[:, None, :3, 3]
    near(skin_of(tracked), expected)


def test_contactpose_of_a_hand_that_is_still(tmp_path):
    """It is in the object's frame."""
    true = clip("right")
    grasp = {"pose": np.zeros(18), "joints": true.joints[20], "to_hand": np.eye(4)}
    folder, _ = written.write_contactpose(tmp_path, true, grasp)
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    content["hands"][1]["moving"] = False
    path.write_text(json.dumps(content))
    joints = read_tracked(folder).joints[0]
    poses = true.object_poses
    near(joints, np.einsum("tab,jb->tja", poses[:, :3, :3], true.joints[20]) + poses[:, None, :3, 3])
    content["hands"][1]["valid"] = False
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="valid: expected a hand, and a frame, found none"):
        read_tracked(folder)
