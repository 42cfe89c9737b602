"""Denoising of a whole clip: samples near the hand, overlapping windows, blended estimates."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from toch_jax.denoiser.window import Denoiser, Estimate, OtherHand, Window


@partial(jax.jit, static_argnames=("step",))
def denoise_clip(denoiser: Denoiser, clip: Window, step: int = 1) -> Estimate:
    """Estimate for each frame of one clip; clip and estimate are one long window (B = 1, W = T).

    The network reads windows as its configuration states, of frames `step` apart (`frame_step`). A frame's estimate is
    the mean over the windows that hold it; a window's weight is largest in its middle.
    """
    window, stride = denoiser.config.window, denoiser.config.stride
    n_frames = clip.observed.shape[1]
    n_windows = max(0, -(-(-(-n_frames // step) - window) // stride)) + 1
    within = jnp.arange(n_windows)[:, None] * stride + jnp.arange(window)
    frames = (jnp.arange(step)[:, None, None] + step * within).reshape(-1, window)
    frame_mask = frames < n_frames
    frames = jnp.minimum(frames, n_frames - 1)
    estimate = denoiser(cut_windows(clip, frames, frame_mask))
    middle = 1 - jnp.abs(jnp.arange(window) - (window - 1) / 2) / (window / 2 + 0.5)
    weight = jnp.where(frame_mask, middle, 0.0)
    total = jnp.zeros(n_frames).at[frames].add(weight)

    def blend(leaf: Float[Array, "B W *rest"]) -> Float[Array, "1 T *rest"]:
        rest = (1,) * (leaf.ndim - 2)
        summed = jnp.zeros((n_frames, *leaf.shape[2:])).at[frames].add(leaf * weight.reshape(*weight.shape, *rest))
        return (summed / total.reshape(-1, *rest))[None]

    return jax.tree.map(blend, estimate)


def frame_step(fps: float, frame_rate: float) -> int:
    """Frame stride that brings `fps` to about the network's `frame_rate` (both Hz); at least 1."""
    return max(1, round(fps / frame_rate))


def cut_windows(clip: Window, frames: Int[Array, "B W"], frame_mask: Bool[Array, "B W"]) -> Window:
    """Windows of the chosen `frames` of one clip (a Window of B = 1); frames not in `frame_mask` are padding."""
    batch = len(frames)

    def whole(leaf: Shaped[Array, "1 *axes"]) -> Shaped[Array, "B *axes"]:
        return jnp.broadcast_to(leaf, (batch, *leaf.shape[1:]))

    def samples(leaf: Float[Array, "1 #T N 3"]) -> Float[Array, "B #W N 3"]:
        return whole(leaf) if leaf.shape[1] == 1 else leaf[0, frames]

    return Window(
        field=jax.tree.map(lambda leaf: leaf[0, frames], clip.field),
        points=samples(clip.points),
        normals=samples(clip.normals),
        own=whole(clip.own),
        joints=clip.joints[0, frames],
        tracked=clip.tracked[0, frames],
        observed=clip.observed[0, frames] & frame_mask,
        left=whole(clip.left),
        two_handed=whole(clip.two_handed),
        other=OtherHand(joints=clip.other.joints[0, frames], observed=clip.other.observed[0, frames] & frame_mask),
    )


def near_samples(
    key: jax.Array,
    points: Float[Array, "#W N 3"],
    joints: Float[Array, "W 21 3"],
    observed: Bool[Array, "W"],
    count: int,
    radius: float = 0.06,
) -> jax.Array:
    """Indices (count,) of samples near the tracked hand, drawn at random without replacement; `count` is at most N.

    A sample whose least distance from the joints in all observed frames is d (metres) has the weight
    exp(-max(d - radius, 0) / radius): the network computes mostly near the hand, at the same cost for large and small
    objects. Indices are in ascending order, so that no part of them is nearer than another.
    """
    # relative to the samples' mean, so that the expanded square loses no precision
    middle = points.mean(axis=(0, 1))
    points, joints = points - middle, joints - middle
    squared = (
        jnp.sum(points**2, axis=-1)[..., None]
        + jnp.sum(joints**2, axis=-1)[:, None]
        - 2.0 * jnp.einsum("wnc,wjc->wnj", points, joints)
    )
    squared = jnp.where(observed[:, None, None], jnp.maximum(squared, 0.0), jnp.inf)
    nearest = jnp.where(observed.any(), jnp.sqrt(jnp.min(squared, axis=(0, 2))), 0.0)
    log_weight = -jnp.maximum(nearest - radius, 0.0) / radius
    return jnp.sort(jax.lax.top_k(log_weight + jax.random.gumbel(key, log_weight.shape), count)[1])
