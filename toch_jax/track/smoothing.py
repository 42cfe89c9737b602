"""Smoothing of a tracked hand, without the object: the fit's motion and tracked terms, made linear.

The field of one frame has little information if the hand jumps by centimetres. The field of a smoothed hand shows what
no filter detects: that fingers are off the object or penetrate it for many frames.
"""

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.base.programs import program
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.solver.costs.motion import GAUSSIAN, SmoothTerm, smooth_term
from toch_jax.solver.kinematics import state_from_params
from toch_jax.solver.settings import DEFAULT, FitSettings, Levels
from toch_jax.track.noise_level import estimate_noise

GROUP = np.asarray([0] * 4 + [1] * 45 + [16] * 3)
"""Index of the group, of the fit's 17, that each smoothed value belongs to."""
UNIT = np.asarray([4.0] * 4 + [1.0] * 48, np.float32)
"""(rad or m per unit)^2 of each value; 4 for quaternions, whose components change by half the angle."""
SPEED_ROUNDS = 2
"""Rounds of estimating the speed and smoothing with it; chosen by hand."""
SPEED_REACH = 24
"""Most frames on either side that the speed is averaged over: three times the settings' `speed_time` at 120 Hz."""


class Smoothed(struct.PyTreeNode):
    """Smooth trajectory, its speed, and the noise that was smoothed away."""

    params: HandParams
    speed: Float[Array, "T 17"]
    """Speed of 16 rotations and the wrist position, rad/s and m/s per coordinate, averaged over the frames around each;
    at least the settings' `least_speed`."""
    noise: Levels
    """Estimated noise of the tracked trajectory."""


@program()
def smooth_track(
    model: HandModel,
    tracked: HandParams,
    observed: Bool[Array, "T"],
    frame_mask: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    settings: FitSettings = DEFAULT,
) -> Smoothed:
    """Most likely smooth trajectory of one hand; axes (T, ...), betas (S,) unchanged.

    Only `observed` frames are observations; lost ones are filled in. Frames not in `frame_mask` are padding and are not
    changed. The amount of smoothing follows from the track's own noise (`estimate_noise`) and speed: a slow hand
    accelerates little.
    """
    noise = estimate_noise(state_from_params(model, tracked), observed, settings.tracked_assumed)
    orient = _same_side(jaxlie.SO3.exp(tracked.global_orient).wxyz)
    values = jnp.concatenate([orient, tracked.pose, tracked.transl], axis=1)
    precision = 1 / (noise.by_group() ** 2 + settings.tracked_floor.by_group() ** 2)
    weight = observed[:, None] * (UNIT * precision[GROUP])

    def smoothed(motion: SmoothTerm) -> Float[Array, "T 52"]:
        velocity, acceleration = (
            jnp.asarray(UNIT) * each[..., GROUP] for each in (motion.velocity_weight, motion.acceleration_weight)
        )
        return smooth_paths(values, weight, frame_mask, velocity, acceleration)

    gaussian = jnp.full(len(observed), GAUSSIAN)
    smooth = smoothed(smooth_term(settings, fps, None, gaussian))
    for _ in range(SPEED_ROUNDS):
        speed = _speed(smooth, frame_mask, fps, settings)
        smooth = smoothed(smooth_term(settings, fps, speed, gaussian))
    params = tracked.replace(
        global_orient=jaxlie.SO3(smooth[:, :4] / jnp.linalg.norm(smooth[:, :4], axis=1, keepdims=True)).log(),
        pose=smooth[:, 4:49],
        transl=smooth[:, 49:],
    )
    return Smoothed(params, speed, noise)


def _speed(
    values: Float[Array, "T 52"], frame_mask: Bool[Array, "T"], fps: float | Float[Array, ""], settings: FitSettings
) -> Float[Array, "T 17"]:
    """Root mean square speed of the wrist's rotation, of all finger joints and of the wrist's position, over the frames
    around each (rad/s and m/s per coordinate)."""
    linked = frame_mask[1:] & frame_mask[:-1]
    square = jnp.where(linked[:, None], jnp.diff(values, axis=0) ** 2, 0.0) * fps**2
    kinds = jnp.stack([4 * square[:, :4].sum(axis=1) / 3, square[:, 4:49].mean(axis=1), square[:, 49:].mean(axis=1)])
    # a difference belongs to the time midway between its frames
    near = jnp.exp(-0.5 * ((jnp.arange(-SPEED_REACH, SPEED_REACH) + 0.5) / (settings.speed_time * fps)) ** 2)

    def around(steps: Float[Array, "T1"]) -> Float[Array, "T2"]:
        return jnp.convolve(steps, near)[SPEED_REACH - 1 :][: len(values)]

    mean = jax.vmap(around)(kinds) / jnp.maximum(around(linked.astype(near.dtype)), 1e-6)
    orient, fingers, wrist = jnp.sqrt(mean)
    speed = jnp.stack([orient, *[fingers] * 15, wrist], axis=1)
    return jnp.maximum(speed, settings.least_speed.by_group())


def _same_side(quaternions: Float[Array, "T 4"]) -> Float[Array, "T 4"]:
    """The quaternions with signs such that each is nearest to the one before (q and -q are the same rotation)."""
    flip = jnp.where(jnp.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0, -1.0, 1.0)
    return quaternions.at[1:].multiply(jnp.cumprod(flip)[:, None])


def smooth_paths(
    values: Float[Array, "T K"],
    weight: Float[Array, "T K"],
    frame_mask: Bool[Array, "T"],
    velocity: Float[Array, "K"],
    acceleration: Float[Array, "K"] | Float[Array, "T K"],
) -> Float[Array, "T K"]:
    """The x minimising weight (x - values)^2 + velocity (first differences)^2 + acceleration (second differences)^2.

    A frame's `acceleration` is for the second difference centred on it. Each of the K columns is a pentadiagonal system
    of its own, eliminated forwards and substituted backwards over the frames. Frames not in `frame_mask` are part of no
    difference and keep their values.
    """
    n_frames = len(values)
    first = (frame_mask[1:] & frame_mask[:-1])[:, None] * velocity
    second = (frame_mask[2:] & frame_mask[1:-1] & frame_mask[:-2])[:, None] * jnp.broadcast_to(
        acceleration, values.shape
    )[1:-1]
    # a small weight keeps the system regular if no frame was observed
    weight = jnp.where(frame_mask[:, None], jnp.maximum(weight, 1e-3), 1.0)
    # the matrix's diagonal, and its entries one and two frames apart
    zero = jnp.zeros_like(values)
    diagonal = weight + zero.at[1:].add(first).at[:-1].add(first)
    diagonal = diagonal.at[2:].add(second).at[1:-1].add(4 * second).at[:-2].add(second)
    near = zero.at[1:].add(-first).at[2:].add(-2 * second).at[1:-1].add(-2 * second)
    far = zero.at[2:].add(second)

    Carry = tuple[Array, Array, Array, Array, Array]

    def down(carry: Carry, row: tuple[Array, Array, Array, Array]) -> tuple[Carry, tuple[Array, Array, Array]]:
        pivot, pivot2, lower, right, right2 = carry
        diagonal, near, far, value = row
        here2 = far / pivot2
        here = (near - here2 * pivot2 * lower) / pivot
        value = value - here * right - here2 * right2
        new = diagonal - here**2 * pivot - here2**2 * pivot2
        return (new, pivot, here, value, right), (here, here2, value / new)

    one, none = jnp.ones(values.shape[1]), jnp.zeros(values.shape[1])
    _, (lower, lower2, scaled) = jax.lax.scan(
        down, (one, one, none, none, none), (diagonal, near, far, weight * values)
    )

    def up(after: tuple[Array, Array], row: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        lower, lower2, scaled = row
        here = scaled - lower * after[0] - lower2 * after[1]
        return (here, after[0]), here

    def shifted(rows: Float[Array, "T K"], by: int) -> Float[Array, "T K"]:
        return jnp.concatenate([rows[by:], jnp.zeros((min(by, n_frames), rows.shape[1]))])[:n_frames]

    rows = (shifted(lower, 1), shifted(lower2, 2), scaled)
    return jax.lax.scan(up, (none, none), rows, reverse=True)[1]
