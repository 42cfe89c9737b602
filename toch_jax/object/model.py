"""The object model (mesh in parts, surface samples, signed distance grids) and its motion."""

import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import take
from toch_jax.base.short_repr import short_repr


class ObjectModel(struct.PyTreeNode):
    """The constants of an object; each array is in the frame of the part that it belongs to. Metres.

    A rigid object has one part (P = 1), a hinged object one for each side of the hinge. Leading axes are free: objects
    with equal numbers of samples and parts can be stacked.
    """

    vertices: Float[Array, "*objects Vo 3"]
    faces: Int[Array, "*objects Fo 3"]
    vertex_part: Int[Array, "*objects Vo"]
    """The part of each vertex."""
    points: Float[Array, "*objects N 3"]
    """Samples spread evenly over the surface."""
    normals: Float[Array, "*objects N 3"]
    """Outward unit normals at the samples."""
    point_part: Int[Array, "*objects N"]
    """The part of each sample."""
    clearance_out: Float[Array, "*objects N"]
    """Distance from each sample along its normal to the surface of the same part; inf if there is none."""
    clearance_in: Float[Array, "*objects N"]
    """Distance from each sample against its normal to the surface of the same part; inf if there is none."""
    sdf: Float[Array, "*objects P G G G"]
    """Signed distance on a grid of G^3 nodes around each part; negative inside."""
    sdf_origin: Float[Array, "*objects P 3"]
    """Position of grid node (0, 0, 0)."""
    sdf_spacing: Float[Array, "*objects P 3"]
    """Metres between neighbouring nodes along each axis."""

    def __repr__(self) -> str:
        return short_repr(self, "vertices", "faces", "points", "sdf")

    def without_mesh(self) -> "ObjectModel":
        """The object without its mesh, so that compiled code does not depend on the size of the mesh."""
        vertices, faces, vertex_part = take((self.vertices, self.faces, self.vertex_part), np.s_[:0])
        return self.replace(vertices=vertices, faces=faces, vertex_part=vertex_part)

    def with_samples(self, chosen: Int[Array, "K"]) -> "ObjectModel":
        """The object with only the samples of these indices."""
        return self.replace(
            points=self.points[chosen],
            normals=self.normals[chosen],
            point_part=self.point_part[chosen],
            clearance_out=self.clearance_out[chosen],
            clearance_in=self.clearance_in[chosen],
        )

    @property
    def n_parts(self) -> int:
        return self.sdf.shape[-4]


class ObjectMotion(struct.PyTreeNode):
    """The pose of each part in each frame, world = rotation v + translation. Metres. Leading axes are free."""

    rotation: Float[Array, "*objects P T 3 3"]
    translation: Float[Array, "*objects P T 3"]

    def __repr__(self) -> str:
        return short_repr(self)
