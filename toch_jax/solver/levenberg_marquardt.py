"""Levenberg-Marquardt (damped Gauss-Newton) for hand trajectories, and the covariance of the solution."""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.base.programs import program
from toch_jax.hand.model import HandModel
from toch_jax.solver.kinematics import HandState, joint_points, pose_bones, project, step_state
from toch_jax.solver.normal_equations import Linear, factor, frame_covariance, no_terms, solve
from toch_jax.solver.problem import Problem, linearize

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-4, 0.1, 10.0
DAMPING_FLOOR = 1e-7
"""Damping at the start, its factors after a step that lowers the cost and after one that does not (Marquardt 1963), and
its least value, relative to the diagonal of the normal equations; chosen by hand."""
ENOUGH = 1e-4
"""The solver stops when the next step is predicted to lower the cost by less than this fraction of it. Chosen by
hand: twice as fast as without."""


State = TypeVar("State")


class Solution(struct.PyTreeNode, Generic[State]):
    """Result of the solver."""

    state: State
    """State of one hand, or a tuple of the states of hands that were solved together."""
    linear: Linear
    """The problem linearised at `state`."""
    costs: Float[Array, "iterations"]
    """Cost at the start and after each step that was tried; the last is repeated if the solver stopped early. It never
    rises: a step that does not lower it is not taken."""


def damped(linear: Linear, damping: Float[Array, ""]) -> Linear:
    """Normal equations with the diagonal raised by `damping` times itself and a small part of its mean."""
    system = linear.system
    diagonal = jnp.diagonal(system.diagonal, axis1=1, axis2=2)
    raised = damping * (diagonal + 1e-3 * diagonal.mean())
    corner = jnp.diagonal(system.corner)
    return linear.replace(
        system=system.replace(
            diagonal=system.diagonal + jnp.eye(diagonal.shape[1]) * raised[:, :, None],
            corner=system.corner + jnp.diag(damping * corner + 1e-6),
        )
    )


@program("iterations")
def solve_trajectory(model: HandModel, problem: Problem, start: HandState, iterations: int) -> Solution[HandState]:
    """Minimise the cost from `start`. At most `iterations` steps are tried; one is taken only if it lowers the cost."""
    nothing = no_terms(start.wrist.shape[0], start.betas.shape[0])
    return descend(partial(linearize, model, problem), step_state, start, nothing, iterations)


def descend(
    linearize_at: Callable[[State], Linear],
    step_by: Callable[[State, Array, Array], State],
    start: State,
    nothing: Linear,
    iterations: int,
) -> Solution[State]:
    """Levenberg-Marquardt for any problem, as `solve_trajectory`.

    `around(state)` gives the linearised problem, `step_by(state, frames, shape)` the state after a step; `nothing`, a
    problem without terms, fixes the sizes.
    """

    def goes_on(carry: tuple[State, Linear, State, Array, Array, Array, Array]) -> Bool[Array, ""]:
        _, linear, _, _, promised, _, tried = carry
        return (tried <= iterations) & ~(promised < ENOUGH * linear.cost)

    def step(
        carry: tuple[State, Linear, State, Array, Array, Array, Array],
    ) -> tuple[State, Linear, State, Array, Array, Array, Array]:
        state, linear, proposed, damping, _, costs, tried = carry
        proposed_linear = linearize_at(proposed)
        better = proposed_linear.cost < linear.cost  # False for NaN, which float32 gives if the damping is too small
        keep = partial(jax.tree.map, partial(jnp.where, better))
        state, linear = keep(proposed, state), keep(proposed_linear, linear)
        damping = jnp.where(better, jnp.maximum(damping * DAMPING_DOWN, DAMPING_FLOOR), damping * DAMPING_UP)
        raised = damped(linear, damping)
        frames, shape = solve(raised.system, factor(raised.system), raised.frames, raised.shape)
        promised = 0.5 * (jnp.sum(frames * linear.frames) + jnp.sum(shape * linear.shape))
        costs = jnp.where(jnp.arange(iterations + 1) < tried, costs, linear.cost)
        return state, linear, step_by(state, frames, shape), damping, promised, costs, tried + 1

    # The start is the first proposal, and its cost is below infinity: so the problem is linearised in one place only.
    nothing = nothing.replace(cost=jnp.asarray(jnp.inf))
    costs = jnp.full(iterations + 1, jnp.inf)
    carry = (start, nothing, start, jnp.asarray(DAMPING_START / DAMPING_DOWN), nothing.cost, costs, jnp.asarray(0))
    state, linear, *_, costs, _ = jax.lax.while_loop(goes_on, step, carry)
    return Solution(state, linear, costs)


@program()
def joint_sigma(model: HandModel, solution: Solution[HandState]) -> Float[Array, "T 21"]:
    """Standard deviation of a joint's coordinates (root mean square over the three), m, from the normal equations."""
    return joint_spread(model, solution.state, covariance(solution))


def covariance(solution: Solution[State]) -> Float[Array, "T n n"]:
    """Covariance of each frame's unknowns."""
    return frame_covariance(factor(damped(solution.linear, jnp.asarray(DAMPING_FLOOR)).system))


def joint_spread(model: HandModel, state: HandState, covariance: Float[Array, "T 51 51"]) -> Float[Array, "T 21"]:
    """Standard deviation of each joint's coordinates (metres, as `joint_sigma`) from the unknowns' covariance."""
    bones = pose_bones(model, state)
    axes = jnp.broadcast_to(jnp.eye(3), (bones.position.shape[0], 21, 3, 3))
    by_frame, _ = project(bones, joint_points(model, bones), axes)
    variance = jnp.einsum("tri,tij,trj->tr", by_frame, covariance, by_frame)
    return jnp.sqrt(variance.reshape(-1, 21, 3).mean(axis=-1))
