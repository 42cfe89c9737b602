"""ContactOpt's contact model (Grady et al. 2021, DiffContact): a capsule at each sample of the object."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.device import batched_map

TOP, BOTTOM, RADIUS = 0.0005, -0.001, 0.001
"""Ends of a capsule's axis along the sample's outward normal, and its radius; metres."""
ALLOWED_DEPTH = 0.002
"""Penetration depth (metres) without penalty, since soft tissue deforms."""
_FRAMES = 32
"""Number of frames computed at once, except on a CPU."""


class Nearest(struct.PyTreeNode):
    """Nearest neighbours between hand vertices and object samples."""

    sample: Int[Array, "*frames V"]
    """Index of the sample nearest to each hand vertex."""
    vertex: Int[Array, "*frames N"]
    """Index of the hand vertex nearest to each object sample."""


def nearest(vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"]) -> Nearest:
    """Nearest neighbours in each frame; on a CPU one frame at a time, so that the distances fit in its cache."""

    def frame(both: tuple[Float[Array, "V 3"], Float[Array, "N 3"]]) -> Nearest:
        vertices, points = both
        middle = points.mean(axis=0)
        vertices, points = vertices - middle, points - middle
        squared = jnp.sum(vertices**2, axis=1)[:, None] - 2.0 * vertices @ points.T + jnp.sum(points**2, axis=1)
        return Nearest(_argmin(squared, axis=1), _argmin(squared, axis=0))

    return batched_map(frame, (vertices, points), _FRAMES)


def _argmin(squared: Float[Array, "V N"], axis: int) -> Int[Array, "K"]:
    """Index along `axis` of the smallest value, or of one larger by a relative difference of about 1e-4 or less.

    The index replaces the lowest bits of each value's bit pattern, so that an integer minimum finds it: the minimum is
    vectorised, an argmin is not.
    """
    low = np.int32(2 ** (squared.shape[axis] - 1).bit_length() - 1)
    bits = jax.lax.bitcast_convert_type(jnp.maximum(squared, 0.0), jnp.int32)
    index = jax.lax.broadcasted_iota(jnp.int32, squared.shape, axis)
    return jnp.min((bits & ~low) | index, axis=axis) & low


def capsule_contact(
    queries: Float[Array, "*batch 3"], points: Float[Array, "*batch 3"], normals: Float[Array, "*batch 3"]
) -> Float[Array, "*batch"]:
    """Contact of each query with the capsule at its point: 1 inside, outside RADIUS / distance to the axis."""
    from_bottom = queries - points - BOTTOM * normals
    along = jnp.clip(jnp.sum(from_bottom * normals, axis=-1, keepdims=True), 0.0, TOP - BOTTOM)
    # without the offset the gradient of the root at 0 is NaN
    away = jnp.sqrt(jnp.sum((from_bottom - along * normals) ** 2, axis=-1) + 1e-14)
    return jnp.minimum(1.0 / (away / RADIUS + 1e-4), 1.0)


def contacts(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> tuple[Float[Array, "T V"], Float[Array, "T N"]]:
    """Contact (0 to 1) of each hand vertex and of each object sample with its nearest neighbour."""
    hand = capsule_contact(vertices, pick(points, near.sample), pick(normals, near.sample))
    return hand, capsule_contact(pick(vertices, near.vertex), points, normals)


def depth(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> Float[Array, "T V"]:
    """Depth (metres) of each vertex below the tangent plane of its nearest sample, less ALLOWED_DEPTH; at least 0."""
    along = jnp.sum((vertices - pick(points, near.sample)) * pick(normals, near.sample), axis=-1)
    return jnp.maximum(-along - ALLOWED_DEPTH, 0.0)


def pick(values: Float[Array, "T N 3"], index: Int[Array, "T M"]) -> Float[Array, "T M 3"]:
    """The values at the indices of each frame."""
    return jnp.take_along_axis(values, index[..., None], axis=1)
