"""Contact as ContactOpt has it (Grady et al. 2021, DiffContact): a capsule on each sample of the object."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.device import map_each

TOP, BOTTOM, RADIUS = 0.0005, -0.001, 0.001
"""Ends of a capsule's axis along the sample's outward normal, and its radius; metres."""
ALLOWED_DEPTH = 0.002
"""Skin gives way; metres."""
_FRAMES = 32
"""At once, on a device of many lanes."""


class Nearest(struct.PyTreeNode):
    """Who is nearest to whom."""

    sample: Int[Array, "*frames V"]
    """Of each vertex of the hand."""
    vertex: Int[Array, "*frames N"]
    """Of each sample of the object."""


def nearest(vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"]) -> Nearest:
    """Of each vertex the nearest sample, and the other way round; frame by frame, so that it stays in the cache."""

    def frame(both: tuple[Float[Array, "V 3"], Float[Array, "N 3"]]) -> Nearest:
        vertices, points = both
        middle = points.mean(axis=0)
        vertices, points = vertices - middle, points - middle
        squared = jnp.sum(vertices**2, axis=1)[:, None] - 2.0 * vertices @ points.T + jnp.sum(points**2, axis=1)
        return Nearest(_argmin(squared, axis=1), _argmin(squared, axis=0))

    return map_each(frame, (vertices, points), _FRAMES)


def _argmin(squared: Float[Array, "V N"], axis: int) -> Int[Array, "K"]:
    """Where the least is, to a ten thousandth of it: the index takes the place of the numbers' last bits, for the
    least of whole numbers is found many at once, and an argmin is not."""
    low = np.int32(2 ** (squared.shape[axis] - 1).bit_length() - 1)
    bits = jax.lax.bitcast_convert_type(jnp.maximum(squared, 0.0), jnp.int32)
    index = jax.lax.broadcasted_iota(jnp.int32, squared.shape, axis)
    return jnp.min((bits & ~low) | index, axis=axis) & low


def capsule_contact(
    queries: Float[Array, "*batch 3"], points: Float[Array, "*batch 3"], normals: Float[Array, "*batch 3"]
) -> Float[Array, "*batch"]:
    """1 within the capsule at each point, beyond it the radius over the distance to its axis."""
    from_bottom = queries - points - BOTTOM * normals
    along = jnp.clip(jnp.sum(from_bottom * normals, axis=-1, keepdims=True), 0.0, TOP - BOTTOM)
    # the root's slope at 0 is not a number
    away = jnp.sqrt(jnp.sum((from_bottom - along * normals) ** 2, axis=-1) + 1e-14)
    return jnp.minimum(1.0 / (away / RADIUS + 1e-4), 1.0)


def contacts(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> tuple[Float[Array, "T V"], Float[Array, "T N"]]:
    """Contact of each vertex of the hand, and of each sample of the object."""
    hand = capsule_contact(vertices, pick(points, near.sample), pick(normals, near.sample))
    return hand, capsule_contact(pick(vertices, near.vertex), points, normals)


def depth(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> Float[Array, "T V"]:
    """How deep each vertex lies beneath the plane of its nearest sample, beyond what is allowed; metres."""
    along = jnp.sum((vertices - pick(points, near.sample)) * pick(normals, near.sample), axis=-1)
    return jnp.maximum(-along - ALLOWED_DEPTH, 0.0)


def pick(values: Float[Array, "T N 3"], index: Int[Array, "T M"]) -> Float[Array, "T M 3"]:
    return jnp.take_along_axis(values, index[..., None], axis=1)
