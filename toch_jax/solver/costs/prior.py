"""Prior on hands: anatomical poses, joint limits, shapes of people.

0.5 (pose - mean)^T P (pose - mean) + 0.5 w_limit |pose beyond its limits|^2 + 0.5 w_shape |betas|^2
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel
from toch_jax.solver.kinematics import HandState
from toch_jax.solver.normal_equations import Linear, inverse_right_jacobian, rotation_vectors
from toch_jax.solver.settings import FitSettings


class PriorTerm(struct.PyTreeNode):
    """Prior on poses (45 finger joint angles, rad) and shape. Precision and limit weight are in 1/rad2."""

    pose_mean: Float[Array, "45"]
    pose_precision: Float[Array, "45 45"]
    lower: Float[Array, "45"]
    upper: Float[Array, "45"]
    limit_weight: Float[Array, ""]
    shape_weight: Float[Array, ""]


def prior_term(model: HandModel, settings: FitSettings) -> PriorTerm:
    """Prior term for this hand model, with the weights of `settings`."""
    prior = model.prior
    # 0.05 rad is added so that directions in which poses hardly vary have a large precision, but a limited one.
    precision = jnp.linalg.inv(prior.covariance + 0.05**2 * jnp.eye(45))
    return PriorTerm(
        pose_mean=prior.mean,
        pose_precision=settings.pose_prior * precision,
        lower=prior.lower,
        upper=prior.upper,
        limit_weight=jnp.asarray(1 / settings.joint_limit**2, jnp.float32),
        shape_weight=jnp.asarray(1 / settings.shape**2, jnp.float32),
    )


def add_prior(linear: Linear, term: PriorTerm, state: HandState, frame_mask: Bool[Array, "T"]) -> Linear:
    """Add the prior to a linearised problem."""
    n_frames = state.wrist.shape[0]
    angles = rotation_vectors(state.rotations[:, 1:])
    by_turn = inverse_right_jacobian(angles)
    pose = angles.reshape(n_frames, 45)
    valid = frame_mask[:, None].astype(pose.dtype)
    offset = (pose - term.pose_mean) * valid
    beyond = (jnp.minimum(pose - term.lower, 0) + jnp.maximum(pose - term.upper, 0)) * valid
    pull = offset @ term.pose_precision + term.limit_weight * beyond
    stiffness = valid[..., None] * term.pose_precision + jnp.eye(45) * (term.limit_weight * (beyond != 0))[:, :, None]
    stiffness = stiffness.reshape(n_frames, 15, 3, 15, 3)
    stiffness = jnp.einsum("tgai,tgahb,thbj->tgihj", by_turn, stiffness, by_turn).reshape(n_frames, 45, 45)
    gradient = jnp.einsum("tgai,tga->tgi", by_turn, pull.reshape(n_frames, 15, 3)).reshape(n_frames, 45)
    system = linear.system
    fingers = slice(3, 48)
    return Linear(
        cost=linear.cost
        + 0.5 * jnp.einsum("ti,ij,tj->", offset, term.pose_precision, offset)
        + 0.5 * term.limit_weight * jnp.sum(beyond**2)
        + 0.5 * term.shape_weight * jnp.sum(state.betas**2),
        system=system.replace(
            diagonal=system.diagonal.at[:, fingers, fingers].add(stiffness),
            corner=system.corner + term.shape_weight * jnp.eye(state.betas.shape[0]),
        ),
        frames=linear.frames.at[:, fingers].add(-gradient),
        shape=linear.shape - term.shape_weight * state.betas,
    )
