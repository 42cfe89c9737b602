"""Where a tracker puts the whole hand wrongly for seconds on end, told by touch.

Errors that change from frame to frame show in the track itself; a bias or a slow drift does not. But a hand that is
off by a centimetre floats over what it holds on one side and sinks into it on the other. The error is a vector that
wanders slowly (AR(1)); every frame says how well each vector of a grid would make the hand touch; a forward and a
backward pass over the frames give its mean and variance, and how much better it explains the track than no error does.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.fit.noise import estimate_noise
from toch_jax.fit.settings import DEFAULT, FitSettings, Levels
from toch_jax.fit.smooth import smooth_track
from toch_jax.fit.state import state_from_params
from toch_jax.fit.touch import Touch, least_of_bones, log_touch
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.sdf import distance_to_object

N_GRID, STEP = 9, 0.006
"""Of the grid along each axis; metres."""
NEAR = 0.015
"""A hand farther from the object than this in a frame says nothing there, metres."""
READ_RATE = 15.0
"""Frames a second that are looked at."""
LEVER = Levels(wrist=1.0, orient=0.1, fingers=0.04)
"""How far an error in each moves a joint of the hand on the mean, metres."""
LEFT_BY_SMOOTHING = 0.45
"""Of the hand's shaking."""


class SlowError(struct.PyTreeNode):
    """What to add to the wrist's place, in the fit's frame."""

    offset: Float[Array, "T 3"]
    variance: Float[Array, "T 3"]
    evidence: Float[Array, ""]
    """How many nats more likely the clip is with a slow error than without."""


def read_step(fps: float) -> int:
    return max(1, round(fps / READ_RATE))


@partial(jax.jit, static_argnames="step")
def slow_error(
    model: HandModel,
    tracked: HandParams,
    seen: Bool[Array, "T"],
    inside: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    step: int,
    object: ObjectModel,
    motion: ObjectMotion,
    touch: Touch,
    settings: FitSettings = DEFAULT,
) -> SlowError:
    """The slow error of one hand's place; axes (T, ...), betas (S,). Every `step`-th frame is read (`read_step`).

    Frames not `inside` are padding. Without evidence the offset is zero: its odds weigh the mean.
    """
    smooth = smooth_track(model, tracked, seen, inside, fps).params
    betas = jnp.broadcast_to(smooth.betas, (len(inside), *smooth.betas.shape))
    points = skin_frames(model, smooth.replace(betas=betas))[0][::step, touch.vertices]
    every = ObjectMotion(motion.rotation[:, ::step], motion.translation[:, ::step])
    axis = (jnp.arange(N_GRID) - N_GRID // 2) * STEP
    grid = jnp.stack(jnp.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)

    def touching(offset: Float[Array, "3"]) -> Float[Array, "T2"]:
        distance = distance_to_object(object, every, points + offset)[0]
        return log_touch(touch, least_of_bones(distance, touch.bone))

    near = (distance_to_object(object, every, points)[0].min(axis=1) < NEAR) & inside[::step]
    log_likely = jnp.where(near[:, None], jax.lax.map(touching, grid).T, 0.0)
    noise = estimate_noise(state_from_params(model, tracked), seen, settings.tracked_assumed)
    shaking = jnp.sqrt(
        sum(jnp.square(a * b) for a, b in zip(jax.tree.leaves(noise), jax.tree.leaves(LEVER), strict=True))
    )
    log_likely = _blurred(log_likely.reshape(-1, N_GRID, N_GRID, N_GRID), axis, LEFT_BY_SMOOTHING * shaking)
    seconds = step / fps
    likely = settings.touch_rate * seconds * log_likely
    chance, evidence = _wander(likely, axis, settings.slow_error, jnp.exp(-seconds / settings.slow_time))
    evidence = evidence - likely[:, N_GRID // 2, N_GRID // 2, N_GRID // 2].sum()
    chance = chance.reshape(len(chance), -1)
    mean = chance @ grid
    variance = chance @ grid**2 - mean**2
    odds = jax.nn.sigmoid(evidence - settings.slow_doubt)
    offset, variance = odds * mean, odds * (variance + (1 - odds) * mean**2)
    frames = jnp.arange(len(inside))
    along = jax.vmap(lambda column: jnp.interp(frames, frames[::step], column), 1, 1)
    return SlowError(along(offset), along(variance), evidence)


def _convolved(values: Float[Array, "*frames G G G"], kernel: Float[Array, "G G"]) -> Float[Array, "*frames G G G"]:
    return jnp.einsum("ai,bj,ck,...ijk->...abc", kernel, kernel, kernel, values)


def _spreading(
    axis: Float[Array, "G"], kept: Float[Array, ""] | float, spread: Float[Array, ""]
) -> Float[Array, "G G"]:
    """Chances of going from one place of the axis (column) to another (row)."""
    apart = (axis[:, None] - kept * axis) / jnp.maximum(spread, 1e-5)
    return jax.nn.softmax(-0.5 * apart**2, axis=0)


def _blurred(
    log_likely: Float[Array, "T G G G"], axis: Float[Array, "G"], spread: Float[Array, ""]
) -> Float[Array, "T G G G"]:
    """What is left of each frame's word when the hand of that one frame is itself off by `spread`."""
    most = log_likely.max(axis=(1, 2, 3), keepdims=True)
    return most + jnp.log(_convolved(jnp.exp(log_likely - most), _spreading(axis, 1.0, spread).T) + 1e-30)


def _wander(
    log_likely: Float[Array, "T G G G"],
    axis: Float[Array, "G"],
    spread: Float[Array, ""] | float,
    kept: Float[Array, ""],
) -> tuple[Float[Array, "T G G G"], Float[Array, ""]]:
    """Forward and backward over the frames: the chance of each place in each frame, and the log likelihood of all.

    The place is AR(1) along each axis: stationary with this spread, `kept` of it from one frame to the next.
    """
    onward = _spreading(axis, kept, spread * jnp.sqrt(1 - kept**2))
    most = log_likely.max(axis=(1, 2, 3))
    likely = jnp.exp(log_likely - most[:, None, None, None])
    alone = jax.nn.softmax(-0.5 * (axis / spread) ** 2)
    start = alone[:, None, None] * alone[:, None] * alone

    def forward(before: Array, now: Array) -> tuple[Array, tuple[Array, Array]]:
        here = before * now
        total = here.sum()
        return _convolved(here / total, onward), (here / total, total)

    def backward(after: Array, now: Array) -> tuple[Array, Array]:
        back = _convolved(after * now, onward.T)
        return back / back.max(), after

    _, (ahead, totals) = jax.lax.scan(forward, start, likely)
    _, behind = jax.lax.scan(backward, jnp.ones_like(start), likely, reverse=True)
    chance = ahead * behind
    return chance / chance.sum(axis=(1, 2, 3), keepdims=True), jnp.sum(jnp.log(totals) + most)
