"""Joint fit of hands that were fitted separately, so that they do not interpenetrate.

If no hands interpenetrate, the separate optima also minimise the joint problem and are returned at no further cost.
Otherwise the joint problem is solved over all frames, starting from them.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toch_jax.base.arrays import pad_last, put
from toch_jax.fit.fit import Fitted, Solved, as_fitted, fitted_alone
from toch_jax.hand.model import HandModel
from toch_jax.solver.costs.hands import HandsTerm, faced
from toch_jax.solver.levenberg_marquardt import Solution, covariance, descend, joint_spread
from toch_jax.solver.linear import no_terms
from toch_jax.solver.problem import Problem, linearize_hands
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.solver.state import N_UNKNOWNS, HandState, step_state
from toch_jax.track.reference_frame import Pose, relative_pose

ROUNDS = 4
"""Maximum number of rounds: recompute facing weights (`faced`), then solve. Chosen by hand."""
LEAST_GAIN = 0.01
"""Smallest relative decrease of the cost in a round after which another round is made; chosen by hand."""


def fit_together(
    alone: Sequence[Solved],
    skins: Sequence[HandModel],
    frames: Sequence[Pose],
    settings: FitSettings = DEFAULT,
) -> list[Fitted]:
    """Joint fit of H hands over the same frames; each result is in the hand's own reference frame.

    `alone` are the separate solutions, `skins` the hands' closed, coarse models, `frames` the poses of the hands'
    reference frames in the world.
    """
    if len(alone) == 1:
        return [fitted_alone(each, settings) for each in alone]
    valid = alone[0].problem.frame_mask
    # relative to the first, so that coordinates are small
    poses = [relative_pose(frame, frames[0]) for frame in frames]
    rotation, translation = (put(np.stack(each)) for each in zip(*poses, strict=True))
    weight = put(np.asarray(valid)[:, None] / settings.depth**2, np.float32)
    term = HandsTerm(
        skins=tuple(skins),
        rotation=pad_last(rotation, len(valid), axis=1),
        translation=pad_last(translation, len(valid), axis=1),
        weights=(weight,) * (len(alone) * (len(alone) - 1)),
        margin=put(np.asarray(settings.margin), np.float32),
    )
    models, problems, states = zip(*((each.model, each.problem, each.solution.state) for each in alone), strict=True)
    solution = None
    for _ in range(ROUNDS):
        round_term, touch = faced(term, states)
        if not touch:
            break
        solution = solve_together(models, problems, round_term, states, settings.last_steps)
        states = solution.state
        if solution.costs[-1] > (1 - LEAST_GAIN) * solution.costs[0]:
            break
    if solution is None:
        return [fitted_alone(each, settings) for each in alone]
    found = zip(alone, states, _sigmas(models, solution), strict=True)
    return [as_fitted(each, state, solution.costs, sigma, settings) for each, state, sigma in found]


@partial(jax.jit, static_argnames="iterations")
def solve_together(
    models: tuple[HandModel, ...],
    problems: tuple[Problem, ...],
    term: HandsTerm,
    starts: tuple[HandState, ...],
    iterations: int,
) -> Solution[tuple[HandState, ...]]:
    """Levenberg-Marquardt for several hands with the term between them; at most `iterations` steps are tried."""
    n_frames, n_shape = len(starts[0].wrist), sum(len(start.betas) for start in starts)
    nothing = no_terms(n_frames, n_shape, len(starts) * N_UNKNOWNS)
    return descend(partial(linearize_hands, models, problems, term), step_hands, starts, nothing, iterations)


def step_hands(
    states: tuple[HandState, ...], frames: Float[Array, "T n"], shape: Float[Array, "S"]
) -> tuple[HandState, ...]:
    """States after a step; `frames` and `shape` hold the unknowns of one hand after the other."""
    by_hand = jnp.split(frames, len(states), axis=1), jnp.split(shape, len(states))
    return tuple(step_state(*each) for each in zip(states, *by_hand, strict=True))


@jax.jit
def _sigmas(models: tuple[HandModel, ...], solution: Solution[tuple[HandState, ...]]) -> list[Float[Array, "T 21"]]:
    """Standard deviations of the joints' coordinates (metres, as `joint_sigma`) of hands that were solved together."""
    spread = covariance(solution)
    own = [slice(hand * N_UNKNOWNS, (hand + 1) * N_UNKNOWNS) for hand in range(len(models))]
    hands = zip(models, solution.state, own, strict=True)
    return [joint_spread(model, state, spread[:, each, each]) for model, state, each in hands]
