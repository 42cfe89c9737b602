"""Conventions of hand data: two orders of the 21 joints, and smplx's ways to give a pose.

Joints are in OpenPose's order in a Sequence and in files; in hand models MANO's 16 come first, then the tips.
"""

import numpy as np
from jaxtyping import Array, Float

from toch_jax.hand.model import HandModel

# Index in the model's order of each joint in OpenPose's: wrist, thumb, index, middle, ring, pinky, from root to tip.
OPENPOSE = np.array([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])


def to_openpose(joints: np.ndarray, axis: int = -2) -> np.ndarray:
    """Reorder `axis` (length 21) from the hand model's order (MANO's 16, then the tips) to OpenPose's."""
    return np.take(joints, OPENPOSE, axis)


def from_openpose(joints: np.ndarray, axis: int = -2) -> np.ndarray:
    """The inverse of `to_openpose`."""
    return np.take(joints, np.argsort(OPENPOSE), axis)


def with_left_fault(model: HandModel) -> HandModel:
    """MANO's left hand as MANO_LEFT.pkl of MANO 1.2 has it, with x of its shape directions mirrored (smplx issue 48).

    `load_hand` mends the fault; what was estimated with the file as it is has betas of the hand with the fault.
    """
    return model.replace(shapedirs=model.shapedirs * np.array([-1, 1, 1], np.float32)[:, None])


def without_left_fault(model: HandModel, betas: Float[np.ndarray, "*batch S"]) -> Float[np.ndarray, "*batch S"]:
    """The betas of `model` whose skin, seen from the wrist, is nearest to that of `with_left_fault` of it with `betas`.

    Least squares over the vertices. On the open hand, for betas of standard deviation 1, 1 mm from it on average;
    the betas as they are, 2 to 16 mm.
    """
    count = betas.shape[-1]

    def from_wrist(hand: HandModel) -> np.ndarray:
        directions = np.asarray(hand.shapedirs, np.float64)[..., :count]
        wrist = np.einsum("v,vcs->cs", np.asarray(hand.joint_regressor[0], np.float64), directions)
        return (directions - wrist).reshape(-1, count)

    change = np.linalg.lstsq(from_wrist(model), from_wrist(with_left_fault(model)), rcond=None)[0]
    return betas @ change.T


def absolute_pose(
    model: HandModel, pose: Float[Array, "*batch 45"], *, flat_hand_mean: bool
) -> Float[Array, "*batch 45"]:
    """The absolute pose from a pose of smplx: with `flat_hand_mean=False` the model's mean pose is added."""
    return pose if flat_hand_mean else pose + model.pose_mean


def pose_from_pca(
    model: HandModel, coefficients: Float[Array, "*batch K"], *, flat_hand_mean: bool
) -> Float[Array, "*batch 45"]:
    """The absolute pose from K <= 45 coefficients of the model's principal directions, as in smplx."""
    pose = coefficients @ model.pose_components[: coefficients.shape[-1]]
    return absolute_pose(model, pose, flat_hand_mean=flat_hand_mean)
