"""Cost of differences from the tracked hand: rotations and wrist position, with Student's t distribution, and shape.

sum_t sum_g (f / 2) log(1 + w_tg |log(R_tracked^T R)|^2 / f), the same for the wrist position; 0.5 w |betas - tracked|^2
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.solver.linear import Linear, inverse_right_jacobian, rotation_vectors, spread, student
from toch_jax.solver.settings import FitSettings, Levels
from toch_jax.solver.state import N_UNKNOWNS, WRIST_SCALE, HandState

GAUSSIAN = 1e6
"""Degrees of freedom with which Student's t is practically Gaussian."""


class TrackedTerm(struct.PyTreeNode):
    """The tracked hand as an observation, with Student's t errors: gross errors count little. Weights 1/rad2, 1/m2."""

    state: HandState
    rotation_weight: Float[Array, "T 16"]
    wrist_weight: Float[Array, "T"]
    shape_weight: Float[Array, ""]
    dof: Float[Array, ""]
    """Degrees of freedom of Student's t."""


def tracked_term(
    tracked: HandState, observed: Bool[Array, "T"], noise: Levels, settings: FitSettings, robust: bool
) -> TrackedTerm:
    """Tracked term, weights 1 / variance from `noise`, 0 in frames not `observed`; Gaussian if not `robust`."""
    times, most = settings.finger_bias
    fingers = jnp.maximum(noise.fingers, jnp.minimum(times * noise.fingers, most))
    noise = noise.replace(fingers=fingers)
    weight = 1 / (noise.by_group() ** 2 + settings.tracked_floor.by_group() ** 2)
    return TrackedTerm(
        state=tracked,
        rotation_weight=observed[:, None] * weight[:16],
        wrist_weight=observed * weight[16],
        shape_weight=jnp.asarray(1 / settings.tracked_shape**2, jnp.float32),
        dof=jnp.asarray(settings.tracked_dof if robust else GAUSSIAN, jnp.float32),
    )


def add_tracked(linear: Linear, term: TrackedTerm, state: HandState) -> Linear:
    """Add the tracked term to a linearised problem."""
    rotation_error = rotation_vectors(jnp.swapaxes(term.state.rotations, -1, -2) @ state.rotations)
    moved = state.wrist - term.state.wrist
    residual = jnp.concatenate([rotation_error, moved[:, None]], axis=1)
    derivative = jnp.concatenate(
        [inverse_right_jacobian(rotation_error), jnp.broadcast_to(WRIST_SCALE * jnp.eye(3), (len(moved), 1, 3, 3))],
        axis=1,
    )
    weight = jnp.concatenate([term.rotation_weight, term.wrist_weight[:, None]], axis=1)
    cost, trust = student(weight * jnp.sum(residual**2, axis=-1), term.dof)
    weight = weight * trust
    blocks = jnp.einsum("tg,tgai,tgaj->tgij", weight, derivative, derivative)
    shape = state.betas - term.state.betas
    system = linear.system
    return Linear(
        cost=linear.cost + cost.sum() + 0.5 * term.shape_weight * jnp.sum(shape**2),
        system=system.replace(
            diagonal=system.diagonal + spread(blocks),
            corner=system.corner + term.shape_weight * jnp.eye(shape.shape[0]),
        ),
        frames=linear.frames - jnp.einsum("tg,tgai,tga->tgi", weight, derivative, residual).reshape(-1, N_UNKNOWNS),
        shape=linear.shape - term.shape_weight * shape,
    )
