"""The objects of a split in stacked arrays: samples of all parts, and distance grids for occlusion between parts."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int

from toch_jax.object.build import build_object
from toch_jax.object.model import DistanceGrid, ObjectModel, ObjectSamples

GRID_NODES = 64
"""Nodes per side of a hinged object's grids; half as many as at inference, as hundreds of objects are in memory."""
_FREE = 1.0
"""Distance (metres) at all nodes of the grid of a part that occludes nothing."""


class Shapes(struct.PyTreeNode):
    """O objects of up to P parts with N samples each, and Q grids; each array in the frame of its part, metres."""

    samples: ObjectSamples
    """Axes (O, N, ...)."""
    grid_of_part: Int[Array, "O P"]
    """Index of each part's grid; 0, a grid without occlusion, for rigid objects and for parts that do not exist."""
    grids: DistanceGrid
    """Axes (Q, ...)."""

    def object(self, index: Int[Array, ""]) -> ObjectModel:
        """The object of this index, with P parts and without its mesh."""
        parts = self.grid_of_part[index]
        samples, grid = (
            jax.tree.map(lambda leaf, of=of: leaf[of], x) for x, of in ((self.samples, index), (self.grids, parts))
        )
        return ObjectModel(mesh=None, samples=samples, grid=grid)


def build_shape(vertices: np.ndarray, faces: np.ndarray, vertex_part: np.ndarray, n_samples: int) -> ObjectModel:
    """One object for `stack_shapes`."""
    # the grid of a rigid object is never read
    nodes = GRID_NODES if np.any(vertex_part) else 8
    return build_object(vertices, faces, vertex_part, n_samples, sdf_resolution=nodes).without_mesh()


def stack_shapes(objects: Sequence[ObjectModel]) -> Shapes:
    """The objects of `build_shape`, stacked."""
    hinged = [one for one in objects if one.n_parts > 1]
    nodes = GRID_NODES if hinged else 2
    free = DistanceGrid(jnp.full((1, nodes, nodes, nodes), _FREE), jnp.zeros((1, 3)), jnp.ones((1, 3)))
    of_part = np.zeros((len(objects), max(one.n_parts for one in objects)), np.int32)
    total = 1
    for row, one in zip(of_part, objects, strict=True):
        if one.n_parts > 1:
            row[: one.n_parts] = total + np.arange(one.n_parts)
            total += one.n_parts
    return Shapes(
        samples=jax.tree.map(lambda *each: jnp.stack(each), *(one.samples for one in objects)),
        grid_of_part=jnp.asarray(of_part),
        grids=jax.tree.map(lambda *each: jnp.concatenate(each), free, *(one.grid for one in hinged)),
    )
