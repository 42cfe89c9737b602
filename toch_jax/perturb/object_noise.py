"""Tracking errors of an object as random perturbations of its parts' poses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.in_time import lost_runs, slowly_varying

Middles = Float[Array, "P 3"] | Float[np.ndarray, "P 3"]
"""Middle of each part in the part's frame, metres."""
PerturbedObject = tuple[ObjectMotion, Bool[Array, "P T"]]
"""The perturbed motion, and the frames in which each part is still tracked."""

CAMERA_DISTANCE = 0.5, 1.0
"""Range of a camera's distance from the object's mean position, metres: that of a table; chosen by hand."""
ALONG_OVER_ACROSS = 2.5
"""Noise along a camera's ray over that of each direction across it. Of the resting bottle of DexMV's example clip (Qin
et al. 2022, relocate_mustard_example_seq) the standard deviations are 6.0 mm along the ray and 2.4 mm across."""


def pose_noise(
    key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, metres: float, radians: float = 0.0
) -> PerturbedObject:
    """Normal noise on each part's pose, independent in each frame.

    Standard deviation `metres` on each axis of the position of the part's middle, `radians` on each axis of its
    rotation about the middle.
    """
    return _all_tracked(moved_about_middles(motion, middles, *_normal_errors(key, motion, metres, radians)))


def slow_drift(key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, metres: float) -> PerturbedObject:
    """A slowly varying translation of each part, as the hand's drift; standard deviation `metres` on each axis."""
    offsets = jnp.swapaxes(slowly_varying(key, jnp.swapaxes(motion.translation, 0, 1).shape), 0, 1)
    return _all_tracked(motion.replace(translation=motion.translation + metres * offsets))


def ray_noise(key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, bias: float, jitter: float) -> PerturbedObject:
    """Errors of the position as seen by a camera, largest along the ray from the camera to each part's middle.

    Normal: along the ray one distance for the clip and all parts, of standard deviation `bias`, and one for each part
    and frame, of `jitter`; on each axis across the ray `jitter` / ALONG_OVER_ACROSS. Metres.

    Sequences have no camera. It is at rest at a random place, in a uniformly random direction from the mean position
    of the parts' middles over the clip, at a uniformly random distance in CAMERA_DISTANCE.
    """
    camera_key, distance_key, bias_key, jitter_key = jax.random.split(key, 4)
    positions = _positions(motion, middles)
    direction = jax.random.normal(camera_key, (3,))
    low, high = CAMERA_DISTANCE
    distance = jax.random.uniform(distance_key, minval=low, maxval=high)
    ray = positions - positions.mean(axis=(0, 1)) - distance * direction / jnp.linalg.norm(direction)
    ray = ray / jnp.linalg.norm(ray, axis=-1, keepdims=True)
    error = jitter * jax.random.normal(jitter_key, positions.shape)
    along = jnp.sum(error * ray, axis=-1, keepdims=True)
    error = (error - along * ray) / ALONG_OVER_ACROSS + (along + bias * jax.random.normal(bias_key)) * ray
    return _all_tracked(motion.replace(translation=motion.translation + error))


def missing_frames(key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, share: float) -> PerturbedObject:
    """Loss of a `share` of each part's frames, in gaps of 5 frames on average; at least one frame is tracked.

    The poses of lost frames stay as they are: programs do not read them.
    """
    lost = _runs(key, motion, share)
    return motion, (~lost).at[:, 0].set(~lost[:, 0] | lost.all(axis=1))


def outlier_bursts(
    key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, share: float, metres: float, radians: float = 0.0
) -> PerturbedObject:
    """Outliers in a `share` of each part's frames, in bursts of 5 on average, not marked as lost.

    In these frames the poses have the noise object(`metres`, `radians`).
    """
    burst_key, pose_key = jax.random.split(key)
    off = _runs(burst_key, motion, share)[..., None]
    offset, turn = _normal_errors(pose_key, motion, metres, radians)
    return _all_tracked(moved_about_middles(motion, middles, off * offset, off * turn))


def moved_about_middles(
    motion: ObjectMotion, middles: Middles, offset: Float[Array, "P T 3"], turn: Float[Array, "P T 3"]
) -> ObjectMotion:
    """Each part rotated about its middle by a rotation vector in its frame, and its middle moved by an offset."""
    rotation = motion.rotation @ jaxlie.SO3.exp(turn).as_matrix()
    held = jnp.einsum("ptab,pb->pta", motion.rotation - rotation, jnp.asarray(middles))
    return ObjectMotion(rotation, motion.translation + held + offset)


def _positions(motion: ObjectMotion, middles: Middles) -> Float[Array, "P T 3"]:
    """Positions of the parts' middles in the world, metres."""
    return jnp.einsum("ptab,pb->pta", motion.rotation, jnp.asarray(middles)) + motion.translation


def _normal_errors(
    key: PRNGKeyArray, motion: ObjectMotion, metres: float, radians: float
) -> tuple[Float[Array, "P T 3"], Float[Array, "P T 3"]]:
    """Normal offsets and rotation vectors with these standard deviations on each axis."""
    position_key, rotation_key = jax.random.split(key)
    shape = motion.translation.shape
    return metres * jax.random.normal(position_key, shape), radians * jax.random.normal(rotation_key, shape)


def _runs(key: PRNGKeyArray, motion: ObjectMotion, share: float) -> Bool[Array, "P T"]:
    """A `share` of each part's frames, in runs (`lost_runs`)."""
    n_parts, n_frames = motion.translation.shape[:2]
    return jnp.stack([lost_runs(each, n_frames, share) for each in jax.random.split(key, n_parts)])


def _all_tracked(motion: ObjectMotion) -> PerturbedObject:
    return motion, jnp.ones(motion.translation.shape[:2], bool)


OBJECT_REGISTRY: dict[str, Callable[..., PerturbedObject]] = {
    "object": pose_noise,
    "object_drift": slow_drift,
    "object_ray": ray_noise,
    "object_missing": missing_frames,
    "object_outliers": outlier_bursts,
}
