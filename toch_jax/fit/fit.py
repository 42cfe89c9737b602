"""The most likely trajectory of one hand, given the denoised field, the tracked hand and smooth motion.

TOCH fits by 2,100 steps of Adam from random values, and uses the tracked hand only through the field. Here the tracked
hand is the start and an observation like any other: where the field has no information, the hand stays near it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float
from scipy.ndimage import gaussian_filter1d

from toch_jax.base.arrays import put
from toch_jax.hand.binding import Binding, own_skin
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import DistanceGrid
from toch_jax.solver.costs.penetration import PenetrationTerm, penetration_depth
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.costs.prior import prior_term
from toch_jax.solver.costs.smooth import SmoothTerm, smooth_term
from toch_jax.solver.costs.tracked import GAUSSIAN, TrackedTerm, tracked_term
from toch_jax.solver.levenberg_marquardt import Solution, joint_sigma, solve_trajectory
from toch_jax.solver.problem import Problem
from toch_jax.solver.settings import DEFAULT, FitSettings, Levels, Scalar
from toch_jax.solver.state import HandState, params_from_state, state_from_params
from toch_jax.track.tracked_hand import Track, cut_frames


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
    depth = np.asarray(penetration_depth(model, robust.contact, solution.state))[:n_frames]
    share = push_back_share(depth, float(track.fps), settings)
    if share.max() > 0:
        for depth_sigma in settings.last_depths:
            last = _pushed_back(robust, share, depth_sigma, settings)
            solution = solve_trajectory(model, last, solution.state, settings.last_steps)
    return Solved(model, last, solution, track.smoothed.noise, n_frames)


def push_back_share(depth: Float[np.ndarray, "T"], fps: float, settings: FitSettings) -> Float[np.ndarray, "T"]:
    """Weight of the third pass in each frame, 0 to 1, from the penetration depths after the second pass (metres)."""
    lasting = gaussian_filter1d(np.asarray(depth, np.float64), float(settings.push_back_time) * fps, mode="nearest")
    low, high = (float(level) for level in settings.push_back_from)
    rise = np.clip((lasting - low) / (high - low), 0.0, 1.0)
    return (rise**2 * (3 - 2 * rise)).astype(np.float32)


def fitted_alone(solved: Solved, settings: FitSettings) -> Fitted:
    """Result for a hand that is solved by itself."""
    sigma = joint_sigma(solved.model, solved.solution)
    return as_fitted(solved, solved.solution.state, solved.solution.costs, sigma, settings)


def as_fitted(
    solved: Solved,
    state: HandState,
    costs: Float[Array, "iterations"],
    sigma: Float[Array, "T2 21"],
    settings: FitSettings,
) -> Fitted:
    """Result for a hand with this final state and joint sigma (metres, before `sigma_scale`), without padding."""
    return Fitted(
        params=cut_frames(params_from_state(solved.model, state), solved.n_frames),
        joint_sigma=put(settings.sigma_scale * np.asarray(sigma)[: solved.n_frames]),
        costs=costs,
        noise=solved.noise,
    )


@jax.jit
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
