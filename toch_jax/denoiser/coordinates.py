"""Geometry for networks: canonical coordinates, the palm's frame, joints filtered in time, joints near a point."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel

Offset = tuple[float, float, float]

MANO_SCALE = 5.1807
MANO_OFFSET = (-0.0908, -0.0202, -0.0584)
"""TOCH's own constants (Zhou et al. 2022, released code) for MANO's right template, 1/m and 1:
canonical = template * scale + offset."""
_WRIST, _INDEX, _MIDDLE, _PINKY = 0, 1, 4, 7
"""Indices of the wrist and of three fingers' first joints in MANO's order."""


def canonical_scale_offset(model: HandModel) -> tuple[float, Offset]:
    """Scale (1/m) and offset of canonical coordinates: template * scale + offset.

    For MANO they are TOCH's constants. For another hand they centre its template's bounding box at the origin, with a
    longest side of 1, as TOCH's constants do for MANO to within a few per cent.
    """
    if model.name == "mano":
        return MANO_SCALE, MANO_OFFSET
    template: Float[np.ndarray, "V 3"] = np.asarray(model.v_template, np.float64)
    low, high = template.min(axis=0), template.max(axis=0)
    scale = 1.0 / float((high - low).max())
    x, y, z = (-scale * (low + high) / 2).round(6).tolist()
    return round(scale, 6), (x, y, z)


def to_canonical(
    points: Float[Array, "*batch 3"], mask: Bool[Array, "*batch"], scale: float, offset: Offset
) -> Float[Array, "*batch 3"]:
    """Points of the template (metres) in canonical coordinates; 0 where the mask is false."""
    return jnp.where(mask[..., None], points * scale + jnp.asarray(offset), 0.0)


def from_canonical(canonical: Float[Array, "*batch 3"], scale: float, offset: Offset) -> Float[Array, "*batch 3"]:
    """Points of the template (metres) from canonical coordinates."""
    return (canonical - jnp.asarray(offset)) / scale


def palm_frame(
    joints: Float[Array, "*batch 21 3"],
) -> tuple[Float[Array, "*batch 3 3"], Float[Array, "*batch 3"]]:
    """Rotation (columns are the palm's axes) and origin (the wrist) of the palm's frame.

    The axes are those of a flat right hand in MANO's frame: x opposite to the fingers, y out of the back of the hand, z
    towards the thumb. Joints that span no plane (a hand that was never observed) give the identity.
    """
    wrist = joints[..., _WRIST, :]
    along = wrist - joints[..., _MIDDLE, :]
    across = joints[..., _INDEX, :] - joints[..., _PINKY, :]
    back = jnp.cross(across, along)
    squared = jnp.sum(back**2, axis=-1, keepdims=True)
    # inputs are replaced, not only the result: the gradient of normalising a zero vector is NaN
    flat = squared < 1e-12
    x = _unit(jnp.where(flat, jnp.asarray([1.0, 0.0, 0.0]), along))
    y = _unit(jnp.where(flat, jnp.asarray([0.0, 1.0, 0.0]), back))
    return jnp.stack([x, y, jnp.cross(x, y)], axis=-1), wrist


def filter_paths(
    joints: Float[Array, "B W 21 3"], observed: Bool[Array, "B W"], widths: tuple[float, ...]
) -> Float[Array, "K B W 21 3"]:
    """Joint paths smoothed by Gaussians of K widths (frames; inf: mean over the window) over observed frames only.

    In a long gap the nearest observed frame dominates; without any observed frame the result is 0.
    """
    frames = jnp.arange(observed.shape[1])
    squared = (frames[:, None] - frames[None]).astype(jnp.float32) ** 2
    any_valid = observed.any(axis=1)[:, None, None]
    shown = jnp.where(observed[..., None, None], joints, 0.0)

    def smoothed(width: float) -> Float[Array, "B W 21 3"]:
        logits = jnp.where(observed[:, None], -squared / (2.0 * width**2), -jnp.inf)
        weights = jax.nn.softmax(jnp.where(any_valid, logits, 0.0), axis=-1)
        return jnp.einsum("bij,bjkc->bikc", weights, shown)

    return jnp.stack([smoothed(width) for width in widths])


def nearness(
    points: Float[Array, "W 3 N"], joints: Float[Array, "W 21 3"], width: float
) -> tuple[Float[Array, "W 21 N"], Float[Array, "W 1 N"]]:
    """Weights of the joints near each point (softmax of -squared distance / (2 width^2)), and a soft minimum distance.

    Squared distances are expanded into products, so that differences of all points and joints need not be stored.
    """
    squared = (
        jnp.sum(points**2, axis=1)[:, None]
        + jnp.sum(joints**2, axis=2)[:, :, None]
        - 2.0 * jnp.einsum("wjc,wcn->wjn", joints, points)
    )
    weights = jax.nn.softmax(-squared / (2.0 * width**2), axis=1)
    least = jnp.sum(weights * squared, axis=1, keepdims=True)
    return weights, jnp.sqrt(jnp.maximum(least, 1e-6))


def _unit(vectors: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)
