"""Axes and bends of the sampled hand, against SciPy and the hand itself."""

import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.search.hands import HandSamples, bend_to_pose, digit_chains, finger_rotations
from toch_jax.hand.model import HandModel, rest_joints


def test_bends_are_rotations_about_the_joints_axes(samples: HandSamples) -> None:
    bend = np.random.default_rng(0).uniform(-1, 1, (4, 15, 3)).astype(np.float32)
    wanted = Rotation.from_rotvec(bend_to_pose(samples.axes, bend).reshape(-1, 3)).as_matrix().reshape(4, 15, 3, 3)
    np.testing.assert_allclose(finger_rotations(samples.axes, jnp.asarray(bend)), wanted, atol=2e-6)


def test_bending_moves_fingers_to_the_palm(model: HandModel, samples: HandSamples) -> None:
    # the open hand's palm faces -y; a positive rotation about the flexion axis must move each bone in that direction
    joints = np.asarray(rest_joints(model, jnp.zeros(10)))
    tips = np.asarray(model.v_template)[np.asarray(model.tips)]
    for chain, tip in list(zip(digit_chains(model), tips, strict=True))[1:]:
        for joint in chain:
            assert np.cross(np.asarray(samples.axes)[joint - 1, 0], tip - joints[joint])[1] < 0
