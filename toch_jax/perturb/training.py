"""Training noise: random tracking errors, drawn anew for each window in each step."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jaxlie
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.object_noise import moved_about_middles


@dataclass(frozen=True)
class NoiseConfig:
    """Maximum levels of the noise; each window draws its own levels uniformly between 0 and these.

    The noise is a mixture of two stationary processes, one independent in each frame and one AR(1). Together they
    cover jitter, slow drift and, with a correlation near 1, a constant bias.
    """

    translation: float = 0.02
    """Standard deviation of each coordinate of the translation, metres."""
    rotation: float = 0.1
    """Standard deviation of each coordinate of the rotation vector applied to the global orientation, radians."""
    pose: float = 0.5
    """Standard deviation of each of the first `pose_components` principal pose coefficients, radians."""
    pose_components: int = 24
    absent: float = 0.25
    """Probability, for each of these three, that it has no noise in a window."""
    slow: float = 0.3
    """Probability that a window's noise has a slow (AR(1)) part."""
    correlation: tuple[float, float] = (0.8, 0.999)
    """Range of the slow part's correlation between neighbouring frames, uniform in log(1 - correlation)."""
    shape: float = 0.7
    """Standard deviation of the error of each shape coefficient; half of the windows have such an error."""
    gap: float = 0.3
    """Probability of a run of lost frames in a window."""
    longest_gap: int = 10
    """Maximum length of the run, frames."""
    dropout: float = 0.05
    """Maximum share of single frames that are lost."""
    sway: tuple[float, float, float] = (0.004, 0.04, 0.1)
    """Maximum standard deviations of a smooth motion added to the clean hand, because real grasps slip and shift and
    generated ones do not: of the wrist (metres), its rotation and each pose coefficient (radians)."""
    sway_frames: tuple[float, float] = (1.5, 8.0)
    """Range of the length scale of this motion's Gaussian covariance in time, frames."""
    object_share: float = 0.3
    """Probability that the poses of a window's object have errors; otherwise they are exact."""
    object_pose: tuple[float, float] = (0.004, 0.035)
    """Maximum standard deviations of those errors, per coordinate: of the position of each part's middle (metres) and
    of its rotation (radians). On MyoDM's clips the repair (track/object_with_hands.py) leaves 1.2 to 3.9 mm and 0.5 to
    2.0 degrees of noise of 2 to 5 mm and 0.02 to 0.05 rad."""
    object_frames: tuple[float, float] = (0.7, 2.5)
    """Range of the length scale of the errors' Gaussian covariance in time, frames: what is left there has a
    correlation of 0.2 to 0.8 from one frame to the next, and of 0.1 to 0.6 after two."""


def perturb(key: jax.Array, config: NoiseConfig, model: HandModel, clean: HandParams) -> HandParams:
    """Simulated tracked hands from clean hands; axes (B, W, ...)."""
    batch, frames = clean.pose.shape[:2]
    levels_key, process_key, shape_key = jax.random.split(key, 3)
    levels = _levels(levels_key, config, batch)
    factor = _process_factor(process_key, config, batch, frames)
    size = 6 + config.pose_components
    noise = jnp.einsum(
        "bij,bjk->bik", factor, jax.random.normal(jax.random.fold_in(process_key, 1), (batch, frames, size))
    )
    translation = levels[:, 0, None, None] * noise[..., :3]
    rotation = levels[:, 1, None, None] * noise[..., 3:6]
    pose = levels[:, 2, None, None] * noise[..., 6:] @ model.pose_components[: config.pose_components]
    betas = clean.betas + _wrong_shape(shape_key, config, clean.betas[:, :1])
    # a wrong shape moves the wrist in the template; undone, because trackers locate the wrist correctly
    moved = rest_joints(model, clean.betas)[..., 0, :] - rest_joints(model, betas)[..., 0, :]
    rotated = jaxlie.SO3.exp(rotation) @ jaxlie.SO3.exp(clean.global_orient)
    return HandParams(
        global_orient=rotated.log(),
        pose=clean.pose + pose,
        betas=betas,
        transl=clean.transl + translation + moved,
    )


def sway(key: jax.Array, config: NoiseConfig, model: HandModel, clean: HandParams) -> HandParams:
    """Clean hands with a smooth random motion added, by which contacts slip by millimetres; axes (B, W, ...)."""
    batch, frames = clean.pose.shape[:2]
    keys = jax.random.split(key, 3)
    factor = _smooth_factor(keys[0], config.sway_frames, batch, frames)
    levels = jnp.asarray(config.sway) * jax.random.uniform(keys[1], (batch, 3))
    smooth = jnp.einsum("bij,bjk->bik", factor, jax.random.normal(keys[2], (batch, frames, 6 + config.pose_components)))
    rotated = jaxlie.SO3.exp(levels[:, 1, None, None] * smooth[..., 3:6]) @ jaxlie.SO3.exp(clean.global_orient)
    bent = levels[:, 2, None, None] * smooth[..., 6:] @ model.pose_components[: config.pose_components]
    return clean.replace(
        global_orient=rotated.log(),
        pose=clean.pose + bent,
        transl=clean.transl + levels[:, 0, None, None] * smooth[..., :3],
    )


def shake_object(
    key: jax.Array, config: NoiseConfig, motion: ObjectMotion, middles: Float[Array, "B P 3"]
) -> ObjectMotion:
    """The motion with the errors that a repaired object's poses still have; each part has its own. Axes (B, P, W, ...).

    A part is rotated about its middle (metres, in its frame), and moved.
    """
    batch, parts, frames = motion.translation.shape[:3]
    keys = jax.random.split(key, 4)
    factor = _smooth_factor(keys[0], config.object_frames, batch, frames)
    shaken = jax.random.uniform(keys[1], (batch, 1)) < config.object_share
    levels = jnp.asarray(config.object_pose) * jax.random.uniform(keys[2], (batch, 2)) * shaken
    errors = jnp.einsum("bij,bpjk->bpik", factor, jax.random.normal(keys[3], (batch, parts, frames, 6)))
    offset, turn = (levels[:, i, None, None, None] * errors[..., 3 * i : 3 * i + 3] for i in (0, 1))
    return jax.vmap(moved_about_middles)(motion, middles, offset, turn)


def lose_frames(key: jax.Array, config: NoiseConfig, valid: Bool[Array, "B W"]) -> Bool[Array, "B W"]:
    """The valid frames without lost ones (single frames and runs). A window that would lose all frames loses none."""
    batch, frames = valid.shape
    keys = jax.random.split(key, 6)
    share = config.dropout * jax.random.uniform(keys[0], (batch, 1))
    lost = jax.random.uniform(keys[1], (batch, frames)) < share
    start = jax.random.randint(keys[2], (batch, 1), 0, frames)
    length = jax.random.randint(keys[3], (batch, 1), 1, config.longest_gap + 1)
    has_gap = jax.random.uniform(keys[4], (batch, 1)) < config.gap
    frame = jnp.arange(frames)
    lost |= has_gap & (frame >= start) & (frame < start + length)
    kept = valid & ~lost
    return jnp.where(kept.any(axis=1, keepdims=True), kept, valid)


def _levels(key: jax.Array, config: NoiseConfig, batch: int) -> Float[Array, "B 3"]:
    level_key, absent_key = jax.random.split(key)
    most = jnp.asarray([config.translation, config.rotation, config.pose])
    present = jax.random.uniform(absent_key, (batch, 3)) >= config.absent
    return most * jax.random.uniform(level_key, (batch, 3)) * present


def _smooth_factor(key: jax.Array, lengths: tuple[float, float], batch: int, frames: int) -> Float[Array, "B W W"]:
    """Cholesky factors of each window's Gaussian covariance between frames; the length scale's range is in frames."""
    length = jax.random.uniform(key, (batch, 1, 1), minval=lengths[0], maxval=lengths[1])
    apart = jnp.arange(frames)[:, None] - jnp.arange(frames)
    return jnp.linalg.cholesky(jnp.exp(-0.5 * (apart / length) ** 2) + 1e-4 * jnp.eye(frames))


def _process_factor(key: jax.Array, config: NoiseConfig, batch: int, frames: int) -> Float[Array, "B W W"]:
    """Cholesky factors of each window's covariance between frames, whose diagonal is 1."""
    keys = jax.random.split(key, 3)
    low, high = (jnp.log1p(-end) for end in config.correlation)
    correlation = -jnp.expm1(jax.random.uniform(keys[0], (batch, 1, 1), minval=high, maxval=low))
    share = jax.random.uniform(keys[1], (batch, 1, 1)) * (jax.random.uniform(keys[2], (batch, 1, 1)) < config.slow)
    apart = jnp.abs(jnp.arange(frames)[:, None] - jnp.arange(frames))
    covariance = share * correlation**apart + (1.0 - share) * jnp.eye(frames)
    return jnp.linalg.cholesky(covariance + 1e-5 * jnp.eye(frames))


def _wrong_shape(key: jax.Array, config: NoiseConfig, betas: Float[Array, "B 1 S"]) -> Float[Array, "B 1 S"]:
    draw_key, wrong_key = jax.random.split(key)
    wrong = jax.random.uniform(wrong_key, (len(betas), 1, 1)) < 0.5
    return config.shape * jax.random.normal(draw_key, betas.shape) * wrong
