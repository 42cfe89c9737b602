"""Conversion of smplx's pose conventions to absolute axis-angle (radians)."""

from jaxtyping import Array, Float

from toch_jax.hand.model import HandModel


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
