"""Other people's pose conventions, turned into this project's absolute axis-angle."""

from jaxtyping import Array, Float

from toch_jax.hand.model import HandModel


def absolute_pose(
    model: HandModel, pose: Float[Array, "*batch 45"], *, flat_hand_mean: bool
) -> Float[Array, "*batch 45"]:
    """The absolute pose from one in smplx's convention: with `flat_hand_mean=False` the model's mean is to be added."""
    return pose if flat_hand_mean else pose + model.pose_mean


def pose_from_pca(
    model: HandModel, coefficients: Float[Array, "*batch K"], *, flat_hand_mean: bool
) -> Float[Array, "*batch 45"]:
    """The absolute pose from K <= 45 coefficients of the model's own pose space, as smplx reads them."""
    pose = coefficients @ model.pose_components[: coefficients.shape[-1]]
    return absolute_pose(model, pose, flat_hand_mean=flat_hand_mean)
