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
    # Each coordinate is an array of its own: XLA's loops over a last axis of 3 take five times as long on a CPU.
    size = grid.distance.shape[-1]
    part = jnp.broadcast_to(jnp.asarray(part), points.shape[:-1])
    spacing = [grid.spacing[part, axis] for axis in range(3)]
    node = [(points[..., axis] - grid.origin[part, axis]) / spacing[axis] for axis in range(3)]
    clamped = [jnp.clip(position, 0.0, size - 1.0) for position in node]
    cell = [jnp.clip(jnp.floor(position).astype(jnp.int32), 0, size - 2) for position in clamped]
    x, y, z = (position - low for position, low in zip(clamped, cell, strict=True))

    values = grid.distance.reshape(-1)
    first = ((part * size + cell[0]) * size + cell[1]) * size + cell[2]
    corner = {
        ijk: values[first + (ijk[0] * size + ijk[1]) * size + ijk[2]] for ijk in itertools.product((0, 1), repeat=3)
    }
    # along z on the cell's four edges, then along y on its two faces, then along x
    rise_z = {(i, j): corner[i, j, 1] - corner[i, j, 0] for i in (0, 1) for j in (0, 1)}
    edge = {(i, j): corner[i, j, 0] + z * rise for (i, j), rise in rise_z.items()}
    rise_y = [edge[i, 1] - edge[i, 0] for i in (0, 1)]
    face = [edge[i, 0] + y * rise_y[i] for i in (0, 1)]
    distance = face[0] + x * (face[1] - face[0])
    slope_z = [rise_z[i, 0] + y * (rise_z[i, 1] - rise_z[i, 0]) for i in (0, 1)]
    slope = face[1] - face[0], rise_y[0] + x * (rise_y[1] - rise_y[0]), slope_z[0] + x * (slope_z[1] - slope_z[0])

    beyond = [(position - near) * step for position, near, step in zip(node, clamped, spacing, strict=True)]
    squared = beyond[0] ** 2 + beyond[1] ** 2 + beyond[2] ** 2
    is_outside = squared > 0
    # `where` twice, because the gradient of the square root at 0 is not finite.
    outside = jnp.where(is_outside, jnp.sqrt(jnp.where(is_outside, squared, 1.0)), 0.0)
    length = jnp.where(is_outside, outside, 1.0)
    gradient = [
        jnp.where(gap == 0, rise / step, 0.0) + gap / length
        for gap, rise, step in zip(beyond, slope, spacing, strict=True)
    ]
    return distance + outside, jnp.stack(gradient, axis=-1)
