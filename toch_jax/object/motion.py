"""Object motion: transforms between the world and the frames of an object's parts; conversion to axis-angle."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion, ObjectSamples


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


@jax.jit
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
