"""Hands that were fitted on their own, kept out of each other.

Where no hand is inside another, what each found alone is where the joint problem is least as well, and is the answer:
hands that do not meet, and one hand, cost no more. Else the joint problem starts there, over all frames.
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
from toch_jax.object.model import ObjectMotion
from toch_jax.solver.costs.hands import HandsTerm, faced
from toch_jax.solver.levenberg_marquardt import Solution, covariance, descend, joint_spread
from toch_jax.solver.linear import no_terms
from toch_jax.solver.problem import Problem, linearize_hands
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.solver.state import N_UNKNOWNS, HandState, step_state

ROUNDS = 4
"""At most, of telling which skin is on its way into another hand, and solving."""
LEAST_GAIN = 0.01
"""Share of the cost that a round must have taken off for another to be worth it."""


def fit_together(
    alone: Sequence[Solved],
    skins: Sequence[HandModel],
    places: ObjectMotion,
    settings: FitSettings = DEFAULT,
) -> list[Fitted]:
    """What each of H hands over the same frames comes to, in its own reference frame.

    `skins` are the hands' closed, coarse models; `places` ((H, T, ...)) takes each hand's reference frame to one that
    they share.
    """
    if len(alone) == 1:
        return [fitted_alone(each, settings) for each in alone]
    valid = alone[0].problem.frame_mask
    weight = put(np.asarray(valid)[:, None] / settings.depth**2, np.float32)
    term = HandsTerm(
        skins=tuple(skins),
        rotation=pad_last(places.rotation, len(valid), axis=1),
        translation=pad_last(places.translation, len(valid), axis=1),
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
    """`solve_trajectory` of several hands."""
    n_frames, n_shape = len(starts[0].wrist), sum(len(start.betas) for start in starts)
    nothing = no_terms(n_frames, n_shape, len(starts) * N_UNKNOWNS)
    return descend(partial(linearize_hands, models, problems, term), step_hands, starts, nothing, iterations)


def step_hands(
    states: tuple[HandState, ...], frames: Float[Array, "T n"], shape: Float[Array, "S"]
) -> tuple[HandState, ...]:
    """Each hand moved by its share of the step."""
    by_hand = jnp.split(frames, len(states), axis=1), jnp.split(shape, len(states))
    return tuple(step_state(*each) for each in zip(states, *by_hand, strict=True))


@jax.jit
def _sigmas(models: tuple[HandModel, ...], solution: Solution[tuple[HandState, ...]]) -> list[Float[Array, "T 21"]]:
    """`joint_sigma` of hands that were solved together."""
    spread = covariance(solution)
    own = [slice(hand * N_UNKNOWNS, (hand + 1) * N_UNKNOWNS) for hand in range(len(models))]
    hands = zip(models, solution.state, own, strict=True)
    return [joint_spread(model, state, spread[:, each, each]) for model, state, each in hands]
