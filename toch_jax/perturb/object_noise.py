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


def pose_noise(
    key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, metres: float, radians: float = 0.0
) -> PerturbedObject:
    """Normal noise on each part's pose, independent in each frame.

    Standard deviation `metres` on each axis of the position of the part's middle, `radians` on each axis of its
    rotation about the middle.
    """
    position_key, rotation_key = jax.random.split(key)
    shape = motion.translation.shape
    rotation_error = jaxlie.SO3.exp(radians * jax.random.normal(rotation_key, shape)).as_matrix()
    rotation = motion.rotation @ rotation_error
    # the middle stays where it was, and then gets its own noise
    held = jnp.einsum("ptab,pb->pta", motion.rotation - rotation, jnp.asarray(middles))
    moved = motion.translation + held + metres * jax.random.normal(position_key, shape)
    return _all_tracked(ObjectMotion(rotation, moved))


def slow_drift(key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, metres: float) -> PerturbedObject:
    """A slowly varying translation of each part, as the hand's drift; standard deviation `metres` on each axis."""
    offsets = jnp.swapaxes(slowly_varying(key, jnp.swapaxes(motion.translation, 0, 1).shape), 0, 1)
    return _all_tracked(motion.replace(translation=motion.translation + metres * offsets))


def missing_frames(key: PRNGKeyArray, motion: ObjectMotion, middles: Middles, share: float) -> PerturbedObject:
    """Loss of a `share` of each part's frames, in gaps of 5 frames on average; at least one frame is tracked.

    The poses of lost frames stay as they are: programs do not read them.
    """
    n_parts, n_frames = motion.translation.shape[:2]
    lost = jnp.stack([lost_runs(each, n_frames, share) for each in jax.random.split(key, n_parts)])
    return motion, (~lost).at[:, 0].set(~lost[:, 0] | lost.all(axis=1))


def _all_tracked(motion: ObjectMotion) -> PerturbedObject:
    return motion, jnp.ones(motion.translation.shape[:2], bool)


OBJECT_REGISTRY: dict[str, Callable[..., PerturbedObject]] = {
    "object": pose_noise,
    "object_drift": slow_drift,
    "object_missing": missing_frames,
}
