"""The trajectory of one hand that best explains the clean field, the tracked hand and smooth motion.

TOCH refits from random numbers by 2,100 steps of Adam and reads the tracked hand only through the field. Here the
tracked hand is the start and an observation like any other, so where the field says nothing the hand stays put.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.fit.build import no_joints, no_surface, prior_term, smooth_term, tracked_term, watched_vertices
from toch_jax.fit.noise import estimate_noise
from toch_jax.fit.problem import ContactTerm, JointTerm, Problem, SurfaceTerm
from toch_jax.fit.settings import DEFAULT, FitSettings, Levels
from toch_jax.fit.solve import joint_sigma, solve_trajectory
from toch_jax.fit.state import params_from_state, state_from_params
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import ObjectModel, ObjectMotion


class Fitted(struct.PyTreeNode):
    """A hand's trajectory and how sure it is."""

    params: HandParams
    """(T, ...) axes; betas (S,), one shape for the clip."""
    joint_sigma: Float[Array, "T 21"]
    """One standard deviation of each joint's coordinates (16 of the skeleton, then the tips), metres."""
    costs: Float[Array, "iterations"]
    """Of the last pass, after each step."""
    noise: Levels
    """What the tracked trajectory's noise was taken to be."""


def bucket(n_frames: int) -> int:
    """Frames to pad to, so that clips of many lengths share compiled code: 16, 32, 64, then multiples of 64."""
    return next((size for size in (16, 32, 64) if n_frames <= size), -(-n_frames // 64) * 64)


def pad_frames(values: Float[Array, "T *rest"], size: int) -> Float[Array, "T2 *rest"]:
    """The last frame repeated up to `size` frames."""
    return jnp.concatenate([values, jnp.repeat(values[-1:], size - values.shape[0], axis=0)])


@jax.jit
def _fit(
    model: HandModel,
    tracked: HandParams,
    seen: Bool[Array, "T"],
    valid: Bool[Array, "T"],
    fps: Float[Array, ""],
    contact: ContactTerm,
    surface: SurfaceTerm,
    joints: JointTerm,
    settings: FitSettings,
) -> Fitted:
    start = state_from_params(model, tracked)
    noise = estimate_noise(start, seen, settings.tracked_assumed)

    def problem(robust: bool) -> Problem:
        return Problem(
            surface=surface,
            joints=joints,
            tracked=tracked_term(start, seen, noise, settings, robust),
            smooth=smooth_term(settings, fps, robust),
            prior=prior_term(model, settings),
            contact=contact,
            frame_valid=valid,
        )

    smoothed = solve_trajectory(model, problem(robust=False), start, settings.smooth_steps)
    final = problem(robust=True)
    solution = solve_trajectory(model, final, smoothed.state, settings.steps)
    return Fitted(
        params=params_from_state(model, solution.state),
        joint_sigma=joint_sigma(model, final, solution.state),
        costs=solution.costs,
        noise=noise,
    )


def fit_trajectory(
    model: HandModel,
    tracked: HandParams,
    seen: Bool[Array, "T"],
    fps: float,
    object: ObjectModel,
    motion: ObjectMotion,
    surface: SurfaceTerm | None = None,
    joints: JointTerm | None = None,
    settings: FitSettings = DEFAULT,
) -> Fitted:
    """Fit one hand over T frames, T >= 1.

    `tracked` ((T, ...) axes, betas (S,)) and the parts' `motion` are in the fit's frame; `seen` is false where the
    tracker lost the hand: the values there are a start and no more. `surface` and `joints` are what a denoiser says,
    over the same frames.
    """
    n_frames = tracked.pose.shape[0]
    size = bucket(n_frames)
    pad = partial(pad_frames, size=size)
    valid = jnp.arange(size) < n_frames
    frames = HandParams(pad(tracked.global_orient), pad(tracked.pose), tracked.betas, pad(tracked.transl))
    contact = ContactTerm(
        object=object.without_mesh(),
        motion=ObjectMotion(jax.vmap(pad)(motion.rotation), jax.vmap(pad)(motion.translation)),
        vertices=jnp.asarray(watched_vertices(model)),
        weight=valid / settings.depth**2,
        margin=jnp.asarray(settings.margin),
    )
    fitted = _fit(
        model,
        frames,
        jnp.concatenate([seen, jnp.zeros(size - n_frames, bool)]),
        valid,
        jnp.asarray(fps, jnp.float32),
        contact,
        no_surface(size) if surface is None else jax.tree.map(pad, surface),
        no_joints(size) if joints is None else jax.tree.map(pad, joints),
        settings,
    )
    params = fitted.params
    return fitted.replace(
        params=HandParams(
            params.global_orient[:n_frames], params.pose[:n_frames], params.betas, params.transl[:n_frames]
        ),
        joint_sigma=fitted.joint_sigma[:n_frames],
    )
