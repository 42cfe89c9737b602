"""The objects of a split side by side: samples of all their parts, and the grids by which one part hides another."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel

GRID_NODES = 64
"""Along each side of a hinged object's grids. Half as many as the road's: hundreds of objects lie on the device."""
_FREE = 1.0
"""What the grid of a part that hides nothing says everywhere, metres."""


class Shapes(struct.PyTreeNode):
    """O objects of up to P parts, K samples each, and their Q grids; every array is in its part's frame, metres."""

    points: Float[Array, "O K 3"]
    normals: Float[Array, "O K 3"]
    part: Int[Array, "O K"]
    clearance_out: Float[Array, "O K"]
    clearance_in: Float[Array, "O K"]
    grid: Int[Array, "O P"]
    """Which grid is a part's: the first, in which all is free, for a rigid object and for parts that it lacks."""
    sdf: Float[Array, "Q G G G"]
    sdf_origin: Float[Array, "Q 3"]
    sdf_spacing: Float[Array, "Q 3"]

    def object(self, index: Int[Array, ""]) -> ObjectModel:
        """One of them, of P parts, without its mesh."""
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
    # nothing looks at the grid of a rigid object
    nodes = GRID_NODES if np.any(vertex_part) else 8
    return build_object(vertices, faces, vertex_part, n_samples, sdf_resolution=nodes).without_mesh()


def stack_shapes(objects: Sequence[ObjectModel]) -> Shapes:
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
