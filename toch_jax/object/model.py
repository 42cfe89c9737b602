"""The object: a mesh in parts, its surface samples, its signed distance, and its motion."""

import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import take
from toch_jax.base.short_repr import short_repr


class ObjectModel(struct.PyTreeNode):
    """An object at rest; every array is in the frame of the part that it belongs to. Metres.

    Leading axes are free: objects of as many samples and parts lie side by side.

    A rigid object is one part (P = 1); a hinged one has a part for each side of the hinge.
    """

    vertices: Float[Array, "*objects Vo 3"]
    faces: Int[Array, "*objects Fo 3"]
    vertex_part: Int[Array, "*objects Vo"]
    points: Float[Array, "*objects N 3"]
    """Area-weighted samples of the surface."""
    normals: Float[Array, "*objects N 3"]
    """Their unit normals, outward."""
    point_part: Int[Array, "*objects N"]
    clearance_out: Float[Array, "*objects N"]
    """How far the same part's surface lies from each sample along +n; inf where the line is free."""
    clearance_in: Float[Array, "*objects N"]
    """The same along -n."""
    sdf: Float[Array, "*objects P G G G"]
    """Signed distance on a grid around each part, negative inside."""
    sdf_origin: Float[Array, "*objects P 3"]
    """Position of grid node (0, 0, 0)."""
    sdf_spacing: Float[Array, "*objects P 3"]
    """Metres between neighbouring nodes along each axis."""

    def __repr__(self) -> str:
        return short_repr(self, "vertices", "faces", "points", "sdf")

    def without_mesh(self) -> "ObjectModel":
        """The same without its mesh, whose size would have code compiled anew for each object."""
        vertices, faces, vertex_part = take((self.vertices, self.faces, self.vertex_part), np.s_[:0])
        return self.replace(vertices=vertices, faces=faces, vertex_part=vertex_part)

    def with_samples(self, chosen: Int[Array, "K"]) -> "ObjectModel":
        """The same with some of its samples only."""
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
    """Each part's pose in the world, frame by frame: world = rotation v + translation. Metres.

    Leading axes are free.
    """

    rotation: Float[Array, "*objects P T 3 3"]
    translation: Float[Array, "*objects P T 3"]

    def __repr__(self) -> str:
        return short_repr(self)
