"""Layers of FieldNet: over the frames of windows, and over the samples of one window."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from toch_jax.base.device import batched_map

_WINDOWS = 64
"""Number of windows whose samples are computed at once, except on a CPU; chosen by hand."""


class TemporalBlock(nnx.Module):
    """Residual convolution over frames, with 3 taps `dilation` apart; neighbours not observed are not read."""

    def __init__(self, width: int, dilation: int, *, rngs: nnx.Rngs) -> None:
        self.dilation = dilation
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.taps = nnx.Linear(3 * width, width, rngs=rngs)
        self.out = nnx.Linear(width, width, kernel_init=nnx.initializers.normal(1e-2), rngs=rngs)

    def __call__(self, frames: Float[Array, "B W C"], observed: Bool[Array, "B W"]) -> Float[Array, "B W C"]:
        normal = self.norm(frames)
        shown = jnp.where(observed[..., None], normal, 0.0)
        around = [_shift(shown, -self.dilation), normal, _shift(shown, self.dilation)]
        return frames + self.out(jax.nn.silu(self.taps(jnp.concatenate(around, axis=-1))))


def each_window(function: Callable[[Any], Any], windows: Any) -> Any:
    """`function` of each window; `windows` and the result have an axis of windows in front.

    On a CPU one window at a time, whose features its cache holds. They are computed again for the gradient: that takes
    less time than to store those of all windows.
    """
    return batched_map(jax.checkpoint(function), windows, _WINDOWS)


def of_samples(layer: nnx.Linear, samples: Float[Array, "W C N"]) -> Float[Array, "W D N"]:
    """The layer applied to the axis of C. One product for each frame: no array of samples has to be transposed."""
    kernel = jnp.broadcast_to(layer.kernel[...], (len(samples), *layer.kernel.shape))
    product = jax.lax.dot_general(kernel, samples, (((1,), (1,)), ((0,), (0,))))
    return product if layer.bias is None else product + layer.bias[...][:, None]


def filtered_in_time(
    samples: Float[Array, "W C N"], taps: Float[Array, "taps C"], observed: Bool[Array, "W"]
) -> Float[Array, "W C N"]:
    """Each channel of each sample filtered over frames; lost frames count as 0."""
    size, reach = len(samples), len(taps) // 2
    shown = jnp.where(observed[:, None, None], samples, 0.0)
    padded = jnp.pad(shown, ((reach, reach), (0, 0), (0, 0)))
    return sum((padded[k : k + size] * taps[k][:, None] for k in range(len(taps))), jnp.zeros_like(samples))


def _shift(frames: Float[Array, "B W C"], by: int) -> Float[Array, "B W C"]:
    """Frames moved in time: frame t of the result is frame t + by, or 0 outside of the window."""
    size = frames.shape[1]
    if abs(by) >= size:
        return jnp.zeros_like(frames)
    pad = ((0, 0), (max(-by, 0), max(by, 0)), (0, 0))
    return jnp.pad(frames, pad)[:, max(by, 0) : max(by, 0) + size]
