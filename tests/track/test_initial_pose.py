import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation
from support.grasps import grasp, joints_of

from toch_jax.hand.model import HandModel
from toch_jax.track.initial_pose import follow, pose_from_joints


def test_bones_point_along_the_joints(hand: HandModel) -> None:
    """For joints of the mean hand all joints are reproduced; for another shape, the directions of the bones."""
    truth = grasp()
    mean = truth.replace(betas=jnp.zeros(10))
    joints = joints_of(hand, mean)
    np.testing.assert_allclose(joints_of(hand, pose_from_joints(hand, joints)), joints, atol=2e-5)
    joints = joints_of(hand, truth)
    found = joints_of(hand, pose_from_joints(hand, joints))
    for root, end in ((1, 2), (2, 3), (3, 17), (13, 14), (15, 16)):
        bones = [at[:, end] - at[:, root] for at in (joints, found)]
        cosine = np.einsum("ta,ta->t", *bones) / np.prod([np.linalg.norm(bone, axis=-1) for bone in bones], axis=0)
        assert (cosine > 1 - 1e-5).all()


def test_follow_moves_a_hand_as_its_points_move(hand: HandModel) -> None:
    params = grasp(5)
    rng = np.random.default_rng(0)
    turns, shifts = Rotation.from_rotvec(rng.normal(size=(5, 3))), rng.normal(size=(5, 3))
    source = rng.normal(size=(5, 9, 3))
    target = np.stack([turn.apply(at) + shift for turn, at, shift in zip(turns, source, shifts, strict=True)])
    moved = joints_of(hand, follow(hand, params, source, target))
    before = joints_of(hand, params)
    wanted = np.stack([turn.apply(at) + shift for turn, at, shift in zip(turns, before, shifts, strict=True)])
    np.testing.assert_allclose(moved, wanted, atol=1e-5)
