"""Training noise: what trackers do to a hand, drawn afresh for every window of every step."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jaxlie
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel, HandParams, rest_joints


@dataclass(frozen=True)
class NoiseConfig:
    """Upper ends of what is drawn; each window draws its own levels uniformly below them, or none at all.

    All noise is a mixture of two stationary processes, one independent from frame to frame and one AR(1): between them
    lie jitter, slow drift and (correlation near 1) a constant bias.
    """

    translation: float = 0.02
    """Standard deviation per coordinate, metres."""
    rotation: float = 0.1
    """Of the global rotation vector, radians."""
    pose: float = 0.5
    """Of each of the first `pose_components` coefficients, radians."""
    pose_components: int = 24
    absent: float = 0.25
    """Chance that one of the three is not there in a window."""
    slow: float = 0.3
    """Chance that a window's noise has a slow part."""
    correlation: tuple[float, float] = (0.8, 0.999)
    """Range of the slow part's correlation between neighbouring frames, uniform in log(1 - correlation)."""
    shape: float = 0.7
    """Standard deviation of a wrong hand shape, in betas; half of the windows have one."""
    gap: float = 0.3
    """Chance of a run of lost frames."""
    longest_gap: int = 10
    dropout: float = 0.05
    """Largest share of single frames lost."""
    sway: tuple[float, float, float] = (0.004, 0.04, 0.1)
    """Of the clean hand itself: what real grasps slip and shift by, and generated ones do not. Most standard deviation
    of the wrist (metres), its rotation and each pose coefficient (radians)."""
    sway_frames: tuple[float, float] = (1.5, 8.0)
    """Range of the time over which the hand sways, frames."""


def perturb(key: jax.Array, config: NoiseConfig, model: HandModel, clean: HandParams) -> HandParams:
    """Tracked hands of clean ones; axes (B, W, ...)."""
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
    # another shape has its wrist elsewhere, and a tracker gets the wrist right
    moved = rest_joints(model, clean.betas)[..., 0, :] - rest_joints(model, betas)[..., 0, :]
    turned = jaxlie.SO3.exp(rotation) @ jaxlie.SO3.exp(clean.global_orient)
    return HandParams(
        global_orient=turned.log(),
        pose=clean.pose + pose,
        betas=betas,
        transl=clean.transl + translation + moved,
    )


def sway(key: jax.Array, config: NoiseConfig, model: HandModel, clean: HandParams) -> HandParams:
    """Clean hands that are less steady, smoothly so; axes (B, W, ...). What was in contact slips by millimetres."""
    batch, frames = clean.pose.shape[:2]
    keys = jax.random.split(key, 3)
    low, high = config.sway_frames
    length = jax.random.uniform(keys[0], (batch, 1, 1), minval=low, maxval=high)
    apart = jnp.arange(frames)[:, None] - jnp.arange(frames)
    factor = jnp.linalg.cholesky(jnp.exp(-0.5 * (apart / length) ** 2) + 1e-4 * jnp.eye(frames))
    levels = jnp.asarray(config.sway) * jax.random.uniform(keys[1], (batch, 3))
    smooth = jnp.einsum("bij,bjk->bik", factor, jax.random.normal(keys[2], (batch, frames, 6 + config.pose_components)))
    turned = jaxlie.SO3.exp(levels[:, 1, None, None] * smooth[..., 3:6]) @ jaxlie.SO3.exp(clean.global_orient)
    bent = levels[:, 2, None, None] * smooth[..., 6:] @ model.pose_components[: config.pose_components]
    return clean.replace(
        global_orient=turned.log(),
        pose=clean.pose + bent,
        transl=clean.transl + levels[:, 0, None, None] * smooth[..., :3],
    )


def lose_frames(key: jax.Array, config: NoiseConfig, valid: Bool[Array, "B W"]) -> Bool[Array, "B W"]:
    """Fewer valid frames: single ones and runs. A window never loses its last frame that was valid."""
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


def _process_factor(key: jax.Array, config: NoiseConfig, batch: int, frames: int) -> Float[Array, "B W W"]:
    """Cholesky factors of the windows' covariances between frames; their diagonals are 1."""
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
