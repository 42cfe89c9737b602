"""Joints of another skeleton, bound to the bones of the hand model."""

import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation
from support.grasps import N_FRAMES, grasp, joints_of, per_frame, shaken

from toch_jax.hand.joint_binding import bind_joints, carry_joints
from toch_jax.hand.model import HandModel, HandParams

FINGERS = ((1, 2, 3, 17), (4, 5, 6, 18), (10, 11, 12, 19), (7, 8, 9, 20), (13, 14, 15, 16))
"""Indices of each finger's three joints and its tip among the 21."""


def other_skeleton(hand: HandModel, params: HandParams, offset: np.ndarray) -> np.ndarray:
    """The model's joints moved by `offset` (21, 3) in the frames of their bones.

    The frames are products of SciPy's rotations along each finger.
    """
    joints = np.array(joints_of(hand, params))
    pose = np.asarray(params.pose).reshape(-1, 15, 3)
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient))
    joints[:, 0] += wrist.apply(offset[0])
    for finger in FINGERS:
        turn = wrist
        for joint in finger:
            joints[:, joint] += turn.apply(offset[joint])
            if joint < 16:
                turn = turn * Rotation.from_rotvec(pose[:, joint - 1])
    return joints


def test_offsets_are_found_and_carried_to_other_poses(hand: HandModel) -> None:
    offset = np.random.default_rng(0).normal(0, 0.005, (21, 3))
    observed = np.arange(N_FRAMES) != 3
    first, then = (per_frame(shaken(grasp(), 0.01, 0.3, seed)) for seed in (0, 1))
    joints = other_skeleton(hand, first, offset)
    joints[3] += 1.0
    joints[5, 7] = np.nan
    joints[:, 20] = np.nan
    found = bind_joints(hand, first, jnp.asarray(joints, jnp.float32), jnp.asarray(observed))
    offset[20] = 0
    np.testing.assert_allclose(found, offset, atol=2e-6)
    carried = carry_joints(hand, then, found)
    np.testing.assert_allclose(np.asarray(carried), other_skeleton(hand, then, offset), atol=5e-6)
