"""The object model (mesh in parts, surface samples, signed distance grids) and its motion: transforms between the world
and the frames of its parts, conversion to axis-angle."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put, short_repr
from toch_jax.base.programs import program


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


def to_part(
    motion: ObjectMotion, part: int | Int[Array, ""] | Int[Array, "K"], points: Float[Array, "*batch T K 3"]
) -> Float[Array, "*batch T K 3"]:
    """World points in the frame of a part, frame by frame; `part` is one for all points, or one for each."""
    rotation, translation = _poses(motion, part)
    return jnp.sum(rotation * (points - translation)[..., :, None], axis=-2)


def to_world(
    motion: ObjectMotion, part: int | Int[Array, ""] | Int[Array, "K"], points: Float[Array, "*batch #T K 3"]
) -> Float[Array, "*batch T K 3"]:
    """The inverse of `to_part`; points that do not move in their part may have one frame (#T = 1)."""
    rotation, translation = _poses(motion, part)
    return jnp.sum(rotation * points[..., None, :], axis=-1) + translation


def _poses(
    motion: ObjectMotion, part: int | Int[Array, ""] | Int[Array, "K"]
) -> tuple[Float[Array, "T k 3 3"], Float[Array, "T k 3"]]:
    parts = jnp.atleast_1d(part)
    return jnp.moveaxis(motion.rotation[parts], 0, 1), jnp.moveaxis(motion.translation[parts], 0, 1)


def motion_from_axis_angle(rotation: np.ndarray, translation: np.ndarray) -> ObjectMotion:
    """The motion from (P, T, 3) axis-angle, radians, and (P, T, 3) translations, metres, as in files.

    Computed on the host, in float64: JAX would compile it for each length of a clip.
    """
    # a copy, because scipy refuses read-only arrays, which files may give
    matrices = Rotation.from_rotvec(np.array(rotation, np.float64).reshape(-1, 3)).as_matrix()
    return ObjectMotion(
        rotation=put(matrices.reshape(*rotation.shape, 3), np.float32),
        translation=put(translation, np.float32),
    )


def motion_to_axis_angle(motion: ObjectMotion) -> tuple[Float[np.ndarray, "P T 3"], Float[np.ndarray, "P T 3"]]:
    """The inverse of `motion_from_axis_angle`; angles are in [0, pi]."""
    matrices = np.asarray(motion.rotation, np.float64)
    vectors = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(matrices.shape[:-1])
    return vectors.astype(np.float32), np.asarray(motion.translation)


def part_middles(vertices: Float[np.ndarray, "Vo 3"], vertex_part: Int[np.ndarray, "Vo"]) -> Float[np.ndarray, "P 3"]:
    """The centre of each part's bounding box, in the part's frame, metres."""
    boxes = [vertices[vertex_part == part] for part in range(int(vertex_part.max()) + 1)]
    return np.stack([(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes]).astype(np.float64)


@program()
def relative_to(motion: ObjectMotion, part: int | Int[Array, ""]) -> ObjectMotion:
    """Each part's motion relative to one part, whose own pose is then the identity."""
    back = jnp.swapaxes(motion.rotation[part], 1, 2)
    return ObjectMotion(
        rotation=jnp.einsum("tab,ptbc->ptac", back, motion.rotation),
        translation=jnp.einsum("tab,ptb->pta", back, motion.translation - motion.translation[part]),
    )


def samples_in_frame(
    samples: ObjectSamples, motion: ObjectMotion
) -> tuple[Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """The samples' points (metres) and normals in the motion's target frame (mostly the world), frame by frame."""
    points = to_world(motion, samples.part, samples.points[None])
    rotation_only = motion.replace(translation=jnp.zeros_like(motion.translation))
    return points, to_world(rotation_only, samples.part, samples.normals[None])


def samples_from_part(
    samples: ObjectSamples, motion: ObjectMotion
) -> tuple[Float[Array, "#T N 3"], Float[Array, "#T N 3"]]:
    """`samples_in_frame` for a motion relative to a part; one frame for a rigid object, whose samples do not move."""
    if len(motion.rotation) == 1:
        motion = jax.tree.map(lambda leaf: leaf[:, :1], motion)
    return samples_in_frame(samples, motion)
