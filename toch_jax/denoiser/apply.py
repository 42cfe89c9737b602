"""Denoising of a whole clip in overlapping windows, which are blended."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.denoiser.checkpoints import Denoiser
from toch_jax.denoiser.window import Estimate, Window, cut_windows

WINDOW = 32
STRIDE = 16
"""Frames from the start of one window to that of the next."""
FRAME_RATE = 30.0
"""Frame rate of the networks' training data, Hz."""


@partial(jax.jit, static_argnames=("step", "window", "stride"))
def denoise_clip(
    denoiser: Denoiser, clip: Window, step: int = 1, window: int = WINDOW, stride: int = STRIDE
) -> Estimate:
    """Estimate for each frame of one clip; clip and estimate are one long window (B = 1, W = T).

    The network reads windows of the length that it was trained on, of frames `step` apart (`frame_step`). A frame's
    estimate is the mean over the windows that hold it; a window's weight is largest in its middle.
    """
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


def frame_step(fps: float) -> int:
    """Frame stride that brings `fps` (Hz) to about the training rate FRAME_RATE; at least 1."""
    return max(1, round(fps / FRAME_RATE))
