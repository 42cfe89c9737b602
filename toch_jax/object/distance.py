"""Signed distance to the object or to a part, interpolated in its grid; in JAX, differentiable."""

import itertools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from toch_jax.object.model import DistanceGrid, ObjectMotion, to_part


def signed_distance(
    grid: DistanceGrid, part: int | Int[Array, "*#batch"], points: Float[Array, "*batch 3"]
) -> Float[Array, "*batch"]:
    """Signed distance of points to a part, metres, negative inside.

    `points` are in the frame of their part; `part` is one for all points or one for each. Trilinear interpolation in
    the grid; outside, the value at the nearest point of the grid plus the distance to it, an upper bound.
    """
    return signed_distance_gradient(grid, part, points)[0]


def distance_to_object(
    grid: DistanceGrid, motion: ObjectMotion, points: Float[Array, "T M 3"]
) -> tuple[Float[Array, "T M"], Float[Array, "T M 3"]]:
    """Signed distance (metres) to the nearest part, and its gradient, both in the motion's target frame (the world)."""
    parts = jnp.arange(grid.n_parts)
    local = jax.vmap(lambda part: to_part(motion, part, points))(parts)
    distance, gradient = signed_distance_gradient(grid, parts[:, None, None], local)
    gradient = jnp.einsum("ptab,ptmb->ptma", motion.rotation, gradient)
    nearest = jnp.argmin(distance, axis=0)[None]
    distance = jnp.take_along_axis(distance, nearest, axis=0)[0]
    return distance, jnp.take_along_axis(gradient, nearest[..., None], axis=0)[0]


def signed_distance_gradient(
    grid: DistanceGrid, part: int | Int[Array, "*#batch"], points: Float[Array, "*batch 3"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
    """`signed_distance` and its gradient in the part's frame, outward and of length about 1 within the grid."""
    size = grid.distance.shape[-1]
    part = jnp.broadcast_to(jnp.asarray(part), points.shape[:-1])
    spacing = grid.spacing[part]
    node = (points - grid.origin[part]) / spacing
    clamped = jnp.clip(node, 0.0, size - 1.0)
    cell = jnp.clip(jnp.floor(clamped).astype(jnp.int32), 0, size - 2)
    fraction = clamped - cell

    values = grid.distance.reshape(-1)
    first = ((part * size + cell[..., 0]) * size + cell[..., 1]) * size + cell[..., 2]
    distance = jnp.zeros(points.shape[:-1])
    slope = jnp.zeros_like(points)
    for corner in itertools.product((0, 1), repeat=3):
        value = values[first + (corner[0] * size + corner[1]) * size + corner[2]]
        weight = [fraction[..., axis] if corner[axis] else 1 - fraction[..., axis] for axis in range(3)]
        sign = [1.0 if up else -1.0 for up in corner]
        distance += value * weight[0] * weight[1] * weight[2]
        slope += value[..., None] * jnp.stack(
            [sign[0] * weight[1] * weight[2], sign[1] * weight[0] * weight[2], sign[2] * weight[0] * weight[1]], axis=-1
        )

    beyond = (node - clamped) * spacing
    squared = jnp.sum(beyond**2, axis=-1)
    is_outside = squared > 0
    # `where` twice, because the gradient of the square root at 0 is not finite.
    outside = jnp.where(is_outside, jnp.sqrt(jnp.where(is_outside, squared, 1.0)), 0.0)
    away = beyond / jnp.where(is_outside, outside, 1.0)[..., None]
    return distance + outside, jnp.where(beyond == 0, slope / spacing, 0.0) + away
