"""Tracking errors of a hand that come from where the camera is: it sees directions well, and distances badly."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.perturb import hand_noise
from toch_jax.perturb.hand_noise import Perturbed, all_tracked
from toch_jax.perturb.object_noise import ALONG_OVER_ACROSS, CAMERA_DISTANCE

TRACKER_SHAPE, TRACKER_TURN = 0.1, 0.03
"""Standard deviations of a real tracker's shape coefficients in each frame (0.05 to 0.15 on DexMV's example clip, Qin
et al. 2022), and of its wrist's rotation (radians; chosen by hand)."""
TRACKER_FLIPS = 0.01
"""Share of the frames in which a tracker takes the other hand; chosen by hand."""


def random_camera(key: PRNGKeyArray, points: Float[Array, "*batch 3"]) -> Float[Array, "3"]:
    """A place for a camera, metres: in a random direction from the mean of `points`, at a distance as over a table."""
    direction_key, distance_key = jax.random.split(key)
    direction = jax.random.normal(direction_key, (3,))
    low, high = CAMERA_DISTANCE
    distance = jax.random.uniform(distance_key, minval=low, maxval=high)
    return points.reshape(-1, 3).mean(axis=0) + distance * direction / jnp.linalg.norm(direction)


def ray_noise(
    key: PRNGKeyArray, model: HandModel, params: HandParams, camera: Float[Array, "T 3"], bias: float, jitter: float
) -> Perturbed:
    """Errors of the position, largest along the ray from the camera to the wrist. Metres.

    Normal: along the ray one distance for the clip, of standard deviation `bias`, and one for each frame, of `jitter`;
    on each axis across the ray `jitter` / ALONG_OVER_ACROSS.
    """
    bias_key, jitter_key = jax.random.split(key)
    ray, _ = _rays(model, params, camera)
    error = jitter * jax.random.normal(jitter_key, params.transl.shape)
    along = jnp.sum(error * ray, axis=-1, keepdims=True)
    error = (error - along * ray) / ALONG_OVER_ACROSS + (along + bias * jax.random.normal(bias_key)) * ray
    return all_tracked(params.replace(transl=params.transl + error))


def wrong_focal_length(
    key: PRNGKeyArray, model: HandModel, params: HandParams, camera: Float[Array, "T 3"], factor: float
) -> Perturbed:
    """A wrist `factor` times as far from the camera in each frame, as a focal length that is wrong by it makes it."""
    ray, distance = _rays(model, params, camera)
    return all_tracked(params.replace(transl=params.transl + (factor - 1.0) * distance * ray))


def tracker_noise(
    key: PRNGKeyArray, model: HandModel, params: HandParams, camera: Float[Array, "T 3"], bias: float, jitter: float
) -> Perturbed:
    """What a tracker from single images gets wrong: ray(`bias`, `jitter`) and, at the same time, the shape and the
    wrist's rotation anew in each frame, and now and then the other hand in place of this one. Metres.
    """
    ray_key, shape_key, turn_key, flip_key = jax.random.split(key, 4)
    params, _ = ray_noise(ray_key, model, params, camera, bias, jitter)
    params, _ = hand_noise.unsteady_shape(shape_key, model, params, TRACKER_SHAPE)
    params, _ = hand_noise.rotation_noise(turn_key, model, params, TRACKER_TURN)
    return hand_noise.other_hand(flip_key, model, params, TRACKER_FLIPS)


def _rays(
    model: HandModel, params: HandParams, camera: Float[Array, "T 3"]
) -> tuple[Float[Array, "T 3"], Float[Array, "T 1"]]:
    """Unit vectors from the camera to the wrist, and its distance from the camera, metres."""
    away = rest_joints(model, params.betas)[..., 0, :] + params.transl - camera
    distance = jnp.linalg.norm(away, axis=-1, keepdims=True)
    return away / distance, distance
