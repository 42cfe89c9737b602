"""The object model (mesh in parts, surface samples, signed distance grids) and its motion."""

import jax
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import short_repr


class ObjectMesh(struct.PyTreeNode):
    """Surface of all parts; each vertex is in the frame of its part. Metres."""

    vertices: Float[Array, "Vo 3"]
    faces: Int[Array, "Fo 3"]
    part: Int[Array, "Vo"]
    """The part of each vertex."""


class ObjectSamples(struct.PyTreeNode):
    """Points spread evenly over the surface, each in the frame of its part. Metres. Leading axes are free."""

    points: Float[Array, "*objects N 3"]
    normals: Float[Array, "*objects N 3"]
    """Outward unit normals."""
    part: Int[Array, "*objects N"]
    """The part of each sample."""
    clearance_out: Float[Array, "*objects N"]
    """Distance from each sample along its normal to the surface of the same part; inf if there is none."""
    clearance_in: Float[Array, "*objects N"]
    """Distance from each sample against its normal to the surface of the same part; inf if there is none."""

    def take(self, chosen: Int[Array, "K"]) -> "ObjectSamples":
        """The samples of these indices, of one object."""
        return jax.tree.map(lambda leaf: leaf[chosen], self)


class DistanceGrid(struct.PyTreeNode):
    """Signed distance to each part on G^3 nodes around it, in the part's frame. Metres. Leading axes are free."""

    distance: Float[Array, "*objects P G G G"]
    """Negative inside."""
    origin: Float[Array, "*objects P 3"]
    """Position of node (0, 0, 0)."""
    spacing: Float[Array, "*objects P 3"]
    """Distance between neighbouring nodes along each axis."""

    @property
    def n_parts(self) -> int:
        return self.distance.shape[-4]


class ObjectModel(struct.PyTreeNode):
    """The constants of an object. A rigid object has one part (P = 1), a hinged one a part on each side of the hinge.

    The mesh is None where it is not needed, so that compiled code does not depend on its size. Leading axes of samples
    and grid are free: objects with equal numbers of samples and parts can be stacked.
    """

    mesh: ObjectMesh | None
    samples: ObjectSamples
    grid: DistanceGrid

    def __repr__(self) -> str:
        n_faces = None if self.mesh is None else self.mesh.faces.shape[-2]
        n_samples, n_nodes = self.samples.points.shape[-2], self.grid.distance.shape[-1]
        return short_repr(self, "n_parts", n_faces=n_faces, n_samples=n_samples, n_nodes=n_nodes)

    def without_mesh(self) -> "ObjectModel":
        """The object without its mesh."""
        return self.replace(mesh=None)

    @property
    def n_parts(self) -> int:
        return self.grid.n_parts


class ObjectMotion(struct.PyTreeNode):
    """The pose of each part in each frame, world = rotation v + translation. Metres. Leading axes are free."""

    rotation: Float[Array, "*objects P T 3 3"]
    translation: Float[Array, "*objects P T 3"]

    def __repr__(self) -> str:
        return short_repr(self)
