"""The objects of a split in stacked arrays: samples of all parts, and distance grids for occlusion between parts."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel

GRID_NODES = 64
"""Nodes per side of a hinged object's grids; half as many as at inference, as hundreds of objects are in memory."""
_FREE = 1.0
"""Distance (metres) at all nodes of the grid of a part that occludes nothing."""


class Shapes(struct.PyTreeNode):
    """O objects of up to P parts with K samples each, and Q grids; each array in the frame of its part, metres."""

    points: Float[Array, "O K 3"]
    normals: Float[Array, "O K 3"]
    part: Int[Array, "O K"]
    clearance_out: Float[Array, "O K"]
    clearance_in: Float[Array, "O K"]
    grid: Int[Array, "O P"]
    """Index of each part's grid; 0, a grid without occlusion, for rigid objects and for parts that do not exist."""
    sdf: Float[Array, "Q G G G"]
    sdf_origin: Float[Array, "Q 3"]
    sdf_spacing: Float[Array, "Q 3"]

    def object(self, index: Int[Array, ""]) -> ObjectModel:
        """The object of this index, with P parts and without its mesh."""
        grid = self.grid[index]
        return ObjectModel(
            vertices=jnp.zeros((0, 3)),
            faces=jnp.zeros((0, 3), jnp.int32),
            vertex_part=jnp.zeros(0, jnp.int32),
            points=self.points[index],
            normals=self.normals[index],
            point_part=self.part[index],
            clearance_out=self.clearance_out[index],
            clearance_in=self.clearance_in[index],
            sdf=self.sdf[grid],
            sdf_origin=self.sdf_origin[grid],
            sdf_spacing=self.sdf_spacing[grid],
        )


def build_shape(vertices: np.ndarray, faces: np.ndarray, vertex_part: np.ndarray, n_samples: int) -> ObjectModel:
    """One object for `stack_shapes`."""
    # the grid of a rigid object is never read
    nodes = GRID_NODES if np.any(vertex_part) else 8
    return build_object(vertices, faces, vertex_part, n_samples, sdf_resolution=nodes).without_mesh()


def stack_shapes(objects: Sequence[ObjectModel]) -> Shapes:
    """The objects of `build_shape`, stacked."""
    hinged = [one for one in objects if one.n_parts > 1]
    nodes = GRID_NODES if hinged else 2
    free = jnp.full((1, nodes, nodes, nodes), _FREE), jnp.zeros((1, 3)), jnp.ones((1, 3))
    grids = [free, *((one.sdf, one.sdf_origin, one.sdf_spacing) for one in hinged)]
    sdf, origin, spacing = (jnp.concatenate(each) for each in zip(*grids, strict=True))
    of_part = np.zeros((len(objects), max(one.n_parts for one in objects)), np.int32)
    total = 1
    for row, one in zip(of_part, objects, strict=True):
        if one.n_parts > 1:
            row[: one.n_parts] = total + np.arange(one.n_parts)
            total += one.n_parts
    return Shapes(
        points=jnp.stack([one.points for one in objects]),
        normals=jnp.stack([one.normals for one in objects]),
        part=jnp.stack([one.point_part for one in objects]),
        clearance_out=jnp.stack([one.clearance_out for one in objects]),
        clearance_in=jnp.stack([one.clearance_in for one in objects]),
        grid=jnp.asarray(of_part),
        sdf=sdf,
        sdf_origin=origin,
        sdf_spacing=spacing,
    )
