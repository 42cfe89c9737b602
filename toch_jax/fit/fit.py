"""The most likely trajectory of each hand, given the denoised field, the tracked hand and smooth motion; and of several
hands together, so that they do not interpenetrate.

TOCH fits by 2,100 steps of Adam from random values, and uses the tracked hand only through the field. Here the tracked
hand is the start and an observation like any other: where the field has no information, the hand stays near it.

Hands are fitted separately first. If none interpenetrate, the separate optima also minimise the joint problem and are
returned at no further cost. Otherwise the joint problem is solved over all frames, starting from them.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float
from scipy.ndimage import gaussian_filter1d

from toch_jax.base.arrays import pad_last, put
from toch_jax.base.programs import program
from toch_jax.hand.binding import Binding, own_skin
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import DistanceGrid
from toch_jax.solver.costs.hands import HandsTerm, faced
from toch_jax.solver.costs.motion import GAUSSIAN, SmoothTerm, TrackedTerm, smooth_term, tracked_term
from toch_jax.solver.costs.penetration import PenetrationTerm, penetration_depth
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.costs.prior import prior_term
from toch_jax.solver.kinematics import N_UNKNOWNS, HandState, params_from_state, state_from_params, step_state
from toch_jax.solver.levenberg_marquardt import (
    Solution,
    covariance,
    descend,
    joint_sigma,
    joint_spread,
    solve_trajectory,
)
from toch_jax.solver.normal_equations import no_terms
from toch_jax.solver.problem import Problem, linearize_hands
from toch_jax.solver.settings import DEFAULT, FitSettings, Levels, Scalar
from toch_jax.track.reference_frame import Pose, relative_pose
from toch_jax.track.tracked_hand import Track, cut_frames

ROUNDS = 4
"""Maximum number of rounds: recompute facing weights (`faced`), then solve. Chosen by hand."""
LEAST_GAIN = 0.01
"""Smallest relative decrease of the cost in a round after which another round is made; chosen by hand."""


class Fitted(struct.PyTreeNode):
    """Fitted trajectory of a hand, with its uncertainty."""

    params: HandParams
    """Axes (T, ...), in the fit's frame; betas (S,), one shape for the clip."""
    joint_sigma: Float[Array, "T 21"]
    """Standard deviation of each joint's coordinates (16 of the skeleton, then the tips), metres."""
    costs: Float[Array, "iterations"]
    """Cost at the start of the last pass and after each of its steps."""
    noise: Levels
    """Estimated noise of the tracked trajectory."""
    solution: Solution[Any] | None = None
    """What was solved, over the padded frames; of hands that were solved together, the solution of all."""
    place: int = struct.field(pytree_node=False, default=0)
    """Index of this hand among those of `solution`."""


class Solved(struct.PyTreeNode):
    """Solution for one hand over the padded frames, and the problem that was solved."""

    model: HandModel
    problem: Problem
    """Problem of the last pass."""
    solution: Solution[HandState]
    noise: Levels
    n_frames: int = struct.field(pytree_node=False)
    """Frames of the clip, without padding."""


def solve_hand(
    model: HandModel,
    track: Track,
    grid: DistanceGrid,
    surface: SurfaceTerm | None = None,
    joints: JointTerm | None = None,
    settings: FitSettings = DEFAULT,
    skin: Binding | None = None,
) -> Solved:
    """Fit one hand to its track, in the track's frame of reference.

    `grid` is the object's. `surface` and `joints` are a denoiser's estimate over the track's padded frames. `skin`: the
    points that must not penetrate the object, the model's vertices if None.
    """
    skin = own_skin(model) if skin is None else skin
    start, smooth, robust = _problems(model, track, grid, surface, joints, settings, skin)
    smoothed = solve_trajectory(model, smooth, start, settings.steps)
    last, solution = robust, solve_trajectory(model, robust, smoothed.state, settings.steps)
    n_frames = int(np.count_nonzero(track.frame_mask))
    assert robust.contact is not None
    depth = np.asarray(penetration_depth(model, robust.contact, solution.state))[:n_frames]
    share = push_back_share(depth, float(track.fps), settings)
    if share.max() > 0:
        for depth_sigma in settings.last_depths:
            last = _pushed_back(robust, share, depth_sigma, settings)
            solution = solve_trajectory(model, last, solution.state, settings.last_steps)
    return Solved(model, last, solution, track.smoothed.noise, n_frames)


def follow_hand(
    model: HandModel,
    track: Track,
    grid: DistanceGrid,
    start: HandParams,
    surface: SurfaceTerm | None,
    joints: JointTerm | None,
    settings: FitSettings,
    steps: int,
) -> Solved:
    """`solve_hand` from a start near the solution, axes (B, ...), betas (S,): at most `steps` of the second pass."""
    _, _, problem = _problems(model, track, grid, surface, joints, settings, own_skin(model))
    solution = solve_trajectory(model, problem, state_from_params(model, start), steps)
    return Solved(model, problem, solution, track.smoothed.noise, int(np.count_nonzero(track.frame_mask)))


def push_back_share(depth: Float[np.ndarray, "T"], fps: float, settings: FitSettings) -> Float[np.ndarray, "T"]:
    """Weight of the third pass in each frame, 0 to 1, from the penetration depths after the second pass (metres)."""
    lasting = gaussian_filter1d(np.asarray(depth, np.float64), float(settings.push_back_time) * fps, mode="nearest")
    low, high = (float(level) for level in settings.push_back_from)
    rise = np.clip((lasting - low) / (high - low), 0.0, 1.0)
    return (rise**2 * (3 - 2 * rise)).astype(np.float32)


def fitted_alone(solved: Solved, settings: FitSettings) -> Fitted:
    """Result for a hand that is solved by itself."""
    sigma = joint_sigma(solved.model, solved.solution)
    return as_fitted(solved, solved.solution.state, solved.solution, sigma, settings)


def as_fitted(
    solved: Solved,
    state: HandState,
    solution: Solution[Any],
    sigma: Float[Array, "T2 21"],
    settings: FitSettings,
    place: int = 0,
) -> Fitted:
    """Result for a hand with this final state and joint sigma (metres, before `sigma_scale`), without padding."""
    return Fitted(
        params=cut_frames(params_from_state(solved.model, state), solved.n_frames),
        joint_sigma=put(settings.sigma_scale * np.asarray(sigma)[: solved.n_frames]),
        costs=solution.costs,
        noise=solved.noise,
        solution=solution,
        place=place,
    )


@program()
def _problems(
    model: HandModel,
    track: Track,
    grid: DistanceGrid,
    surface: SurfaceTerm | None,
    joints: JointTerm | None,
    settings: FitSettings,
    skin: Binding,
) -> tuple[HandState, Problem, Problem]:
    """Start, and problems of the first and second pass."""
    size, mask = len(track.frame_mask), track.frame_mask
    start = state_from_params(model, track.params)
    contact = PenetrationTerm(
        grid=grid,
        motion=track.motion,
        skin=skin,
        # float32 as in the first pass: a weakly typed array would be compiled again.
        weight=jnp.asarray(mask / settings.depth**2, jnp.float32),
        margin=jnp.asarray(settings.margin, jnp.float32),
        push_back=jnp.zeros(size),
    )
    # padding repeats the last frame, which must not count again for the shape
    if surface is not None:
        along, across = (mask[:, None] * each for each in (surface.weight_along, surface.weight_across))
        surface = surface.replace(weight_along=along, weight_across=across)
    if joints is not None:
        joints = joints.replace(weight=mask[:, None] * joints.weight)

    def tracked(robust: bool) -> TrackedTerm:
        return tracked_term(start, track.observed, track.smoothed.noise, settings, robust)

    def motion(dof: Scalar) -> SmoothTerm:
        return smooth_term(settings, track.fps, track.smoothed.speed, jnp.full(size, dof, jnp.float32))

    smooth = Problem(
        surface=surface,
        joints=joints,
        tracked=tracked(robust=False),
        smooth=motion(GAUSSIAN),
        prior=prior_term(model, settings),
        contact=contact.replace(weight=jnp.zeros(size)),
        frame_mask=mask,
    )
    robust = smooth.replace(contact=contact, tracked=tracked(robust=True), smooth=motion(settings.motion_dof))
    return start, smooth, robust


def _pushed_back(problem: Problem, share: Float[np.ndarray, "T"], depth: Scalar, settings: FitSettings) -> Problem:
    """Problem of the third pass: that of the second where `share` is 0. Where `share` is 1, vertices behind a thin part
    are pushed back, `depth` (metres) is the sigma of penetration, and motion is Gaussian: with Student's t the hand
    could jump between frames instead of moving back.
    """
    share = np.pad(share, (0, len(problem.frame_mask) - len(share)))

    def between(second: Scalar, third: Scalar) -> Float[np.ndarray, "T"]:
        return np.exp((1 - share) * np.log(float(second)) + share * np.log(float(third)))

    weight = np.asarray(problem.frame_mask) / between(settings.depth, depth) ** 2
    assert problem.contact is not None
    contact = problem.contact.replace(weight=put(weight, np.float32), push_back=put(share, np.float32))
    dof = put(between(settings.motion_dof, GAUSSIAN), np.float32)
    return problem.replace(contact=contact, smooth=problem.smooth.replace(dof=dof))


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
    found = enumerate(zip(alone, states, _sigmas(models, solution), strict=True))
    return [as_fitted(each, state, solution, sigma, settings, place) for place, (each, state, sigma) in found]


@program("iterations")
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


@program()
def _sigmas(models: tuple[HandModel, ...], solution: Solution[tuple[HandState, ...]]) -> list[Float[Array, "T 21"]]:
    """Standard deviations of the joints' coordinates (metres, as `joint_sigma`) of hands that were solved together."""
    spread = covariance(solution)
    own = [slice(hand * N_UNKNOWNS, (hand + 1) * N_UNKNOWNS) for hand in range(len(models))]
    hands = zip(models, solution.state, own, strict=True)
    return [joint_spread(model, state, spread[:, each, each]) for model, state, each in hands]
