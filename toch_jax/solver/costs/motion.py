"""Costs of the motion, with Student's t distribution: differences from the tracked hand, and changes over time.

Tracked hand: rotations, wrist position and shape, with f degrees of freedom,
sum_t sum_g (f / 2) log(1 + w_tg |log(R_tracked^T R)|^2 / f), the same for the wrist position; 0.5 w |betas - tracked|^2

Smooth motion: first and second differences of each rotation and of the wrist position,
sum_t (f / 2) log(1 + w |s_t|^2 / f) with s_t = log(R_t^T R_t+1), and the same for s_t+1 - s_t
"""

import itertools

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.solver.kinematics import N_UNKNOWNS, WRIST_SCALE, HandState
from toch_jax.solver.normal_equations import N_GROUPS, Linear, inverse_right_jacobian, rotation_vectors, spread, student
from toch_jax.solver.settings import FitSettings, Levels

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


class SmoothTerm(struct.PyTreeNode):
    """Velocity and acceleration of 16 rotations and of the wrist position, with Student's t distribution.

    In most frames of a grasp the hand is still, in a few it is fast: few degrees of freedom suit this, many make the
    term plain least squares. Weights are for differences per frame (1/rad2, 1/m2), not per second.
    """

    velocity_weight: Float[Array, "17"]
    acceleration_weight: Float[Array, "17"] | Float[Array, "T 17"]
    """If given for each frame, it is for the second difference centred on that frame."""
    dof: Float[Array, "T"]
    """Degrees of freedom of Student's t in each frame."""


def smooth_term(
    settings: FitSettings,
    fps: float | Float[Array, ""],
    speed: Float[Array, "T 17"] | None,
    dof: Float[Array, "T"],
) -> SmoothTerm:
    """Motion term at this frame rate (1/s).

    `speed` is that of each group (rad/s and m/s per coordinate): the standard deviation of its acceleration is in
    proportion to it, and that of `settings.acceleration` if it is None.
    """
    usual = settings.acceleration.by_group()
    acceleration = usual if speed is None else settings.acceleration_per_speed.by_group() * speed
    return SmoothTerm(
        velocity_weight=(fps / settings.velocity.by_group()) ** 2,
        acceleration_weight=(fps**2 / acceleration) ** 2,
        dof=dof,
    )


def add_smooth(linear: Linear, term: SmoothTerm, state: HandState, frame_mask: Bool[Array, "T"]) -> Linear:
    """Add the motion term to a linearised problem; derivatives are with respect to a frame and the next two."""
    n_frames = state.wrist.shape[0]
    rotation_step = rotation_vectors(jnp.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:])
    step = jnp.concatenate([rotation_step, jnp.diff(state.wrist, axis=0)[:, None]], axis=1)
    unit = jnp.broadcast_to(WRIST_SCALE * jnp.eye(3), (n_frames - 1, 1, 3, 3))
    by_here = -jnp.concatenate([inverse_right_jacobian(-rotation_step), unit], axis=1)
    by_next = jnp.concatenate([inverse_right_jacobian(rotation_step), unit], axis=1)
    linked = frame_mask[:-1] & frame_mask[1:]

    diagonal = jnp.zeros((n_frames, N_GROUPS, 3, 3))
    next_one, next_two = jnp.zeros_like(diagonal), jnp.zeros_like(diagonal)
    gradient = jnp.zeros((n_frames, N_GROUPS, 3))

    weight = term.velocity_weight * linked[:, None]
    cost, trust = student(weight * jnp.sum(step**2, axis=-1), term.dof[:-1, None])
    total = cost.sum()
    weight = weight * trust
    parts = (by_here, by_next)
    for i, a in enumerate(parts):
        gradient = gradient.at[i : n_frames - 1 + i].add(jnp.einsum("tg,tgai,tga->tgi", weight, a, step))
        diagonal = diagonal.at[i : n_frames - 1 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, a))
    next_one = next_one.at[:-1].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, by_here, by_next))

    bend = step[1:] - step[:-1]
    acceleration = jnp.broadcast_to(term.acceleration_weight, (n_frames, N_GROUPS))[1:-1]
    weight = acceleration * (linked[:-1] & linked[1:])[:, None]
    cost, trust = student(weight * jnp.sum(bend**2, axis=-1), term.dof[1:-1, None])
    total = total + cost.sum()
    weight = weight * trust
    pieces = (-by_here[:-1], by_here[1:] - by_next[:-1], by_next[1:])
    for i, a in enumerate(pieces):
        gradient = gradient.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tga->tgi", weight, a, bend))
        diagonal = diagonal.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, a))
    for i, (a, b) in enumerate(itertools.pairwise(pieces)):
        next_one = next_one.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, b))
    next_two = next_two.at[:-2].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, pieces[0], pieces[2]))

    system = linear.system
    return linear.replace(
        cost=linear.cost + total,
        system=system.replace(
            diagonal=system.diagonal + spread(diagonal),
            next_one=system.next_one + spread(next_one),
            next_two=system.next_two + spread(next_two),
        ),
        frames=linear.frames - gradient.reshape(n_frames, N_UNKNOWNS),
    )
