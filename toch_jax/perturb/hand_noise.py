"""Tracking errors of a hand as random perturbations of its parameters."""

import jax
import jax.numpy as jnp
import jaxlie
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.perturb.in_time import lost_runs, slowly_varying

# Number of principal pose directions that get noise, as in TOCH (Zhou et al. 2022, released code).
N_POSE_DIRECTIONS = 24
BETA = (8.0, 2.0)
"""Beta distribution of GRAB (Beta) in GeneOH Diffusion (Liu and Yi 2024, released code): positive, mean 0.8."""
OTHER_HAND = 0.2
"""Distance of a person's other hand, metres: jumps of real trackers that take it are of some 20 cm."""

Perturbed = tuple[HandParams, Bool[Array, "T"]]
"""The perturbed hand, axes (T, ...), and the frames in which it is still tracked."""


def translation_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """T: normal noise on the translation, independent in each frame, with standard deviation `metres` on each axis."""
    return translated(params, metres * jax.random.normal(key, params.transl.shape))


def pose_noise(
    key: PRNGKeyArray, model: HandModel, params: HandParams, pose: float, rotation: float = 0.0
) -> Perturbed:
    """R: normal noise on the pose, independent in each frame.

    Standard deviation `pose` on each of the 24 principal pose coefficients, and `rotation` (radians) on each axis of
    the wrist's rotation.
    """
    pose_key, rotation_key = jax.random.split(key)
    bent = _add_pose(model, params, pose * jax.random.normal(pose_key, (params.pose.shape[0], N_POSE_DIRECTIONS)))
    return all_tracked(rotated(bent, rotation * jax.random.normal(rotation_key, params.global_orient.shape)))


def angle_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, radians: float) -> Perturbed:
    """A: normal noise on each coordinate of each finger joint's axis-angle, independent in each frame."""
    return all_tracked(params.replace(pose=params.pose + radians * jax.random.normal(key, params.pose.shape)))


def rotation_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, radians: float) -> Perturbed:
    """G: rotation of the hand about its wrist, independent in each frame, normal on each axis of the wrist's frame."""
    return all_tracked(rotated(params, radians * jax.random.normal(key, params.global_orient.shape)))


def both_noises(
    key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float, pose: float, rotation: float = 0.0
) -> Perturbed:
    """B: T and R together."""
    translation_key, pose_key = jax.random.split(key)
    moved, _ = translation_noise(translation_key, model, params, metres)
    return pose_noise(pose_key, model, moved, pose, rotation)


def beta_bias(
    key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float, pose: float, rotation: float
) -> Perturbed:
    """Biased noise of GeneOH Diffusion, independent in each frame.

    Beta(8, 2) times `pose` on each of the 24 principal pose coefficients, and times `rotation` (radians) on each axis
    of the wrist's rotation; T(`metres`) on the translation.
    """
    translation_key, pose_key, rotation_key = jax.random.split(key, 3)
    moved, _ = translation_noise(translation_key, model, params, metres)
    bent = _add_pose(model, moved, pose * jax.random.beta(pose_key, *BETA, (params.pose.shape[0], N_POSE_DIRECTIONS)))
    return all_tracked(rotated(bent, rotation * jax.random.beta(rotation_key, *BETA, params.global_orient.shape)))


def constant_bias(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """One translation for the clip, as from camera calibration; normal, standard deviation `metres` on each axis."""
    return translated(params, metres * jax.random.normal(key, (3,)))


def slow_drift(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """A slowly varying translation: AR(1), frame correlation 0.95, standard deviation `metres` on each axis."""
    return translated(params, metres * slowly_varying(key, params.transl.shape))


def missing_frames(
    key: PRNGKeyArray, model: HandModel, params: HandParams, share: float, metres: float = 0.0
) -> Perturbed:
    """Loss of a `share` of the frames, in gaps of 5 frames on average; the tracked frames have the noise T(`metres`).

    A lost frame repeats the last tracked frame before it (at the start the first one). At least one frame is tracked.
    """
    gap_key, translation_key = jax.random.split(key)
    params, _ = translation_noise(translation_key, model, params, metres)
    n_frames = params.transl.shape[0]
    lost = lost_runs(gap_key, n_frames, share)
    valid = (~lost).at[0].set(~lost[0] | lost.all())
    frames = jnp.arange(n_frames)
    last_tracked = jax.lax.cummax(jnp.where(valid, frames, -1))
    source = jnp.where(last_tracked < 0, jnp.argmax(valid), last_tracked)
    return jax.tree.map(lambda leaf: leaf[source], params), valid


def lost_finger(key: PRNGKeyArray, model: HandModel, params: HandParams, share: float) -> Perturbed:
    """One hidden finger, in one run of a `share` of the frames.

    It has the model's mean pose there, and the frames are not marked as lost.
    """
    finger_key, start_key = jax.random.split(key)
    finger = jnp.repeat(jnp.asarray(_fingers(model.parents)), 3)
    hidden = finger == jax.random.randint(finger_key, (), 0, finger.max() + 1)
    n_frames = params.pose.shape[0]
    length = max(1, round(share * n_frames))
    start = jax.random.randint(start_key, (), 0, n_frames - length + 1)
    then = (jnp.arange(n_frames) >= start) & (jnp.arange(n_frames) < start + length)
    return all_tracked(params.replace(pose=jnp.where(then[:, None] & hidden, model.pose_mean, params.pose)))


def outlier_bursts(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float, share: float) -> Perturbed:
    """Outliers in a `share` of the frames, in bursts of 5 on average: T(`metres`), not marked as lost."""
    burst_key, translation_key = jax.random.split(key)
    off = lost_runs(burst_key, params.transl.shape[0], share)
    return translated(params, metres * off[:, None] * jax.random.normal(translation_key, params.transl.shape))


def wrong_size(key: PRNGKeyArray, model: HandModel, params: HandParams, factor: float) -> Perturbed:
    """A hand `factor` times as large, as nearly as the model's shapes come to it, with its wrist where it was."""
    directions = model.shapedirs.reshape(-1, model.shapedirs.shape[-1])
    wanted = (factor - 1.0) * (model.v_template - model.v_template.mean(axis=0)).ravel()
    change = jnp.linalg.solve(directions.T @ directions, directions.T @ wanted)
    return all_tracked(of_shape(model, params, params.betas + change))


def unsteady_shape(key: PRNGKeyArray, model: HandModel, params: HandParams, betas: float) -> Perturbed:
    """A shape that is estimated anew in each frame: normal noise of this standard deviation on each coefficient.

    The wrist stays where it was.
    """
    return all_tracked(of_shape(model, params, params.betas + betas * jax.random.normal(key, params.betas.shape)))


def other_hand(key: PRNGKeyArray, model: HandModel, params: HandParams, share: float) -> Perturbed:
    """A `share` of the frames, in runs of 5 on average, in which the tracker took the other hand; not marked as lost.

    The other hand is OTHER_HAND away in a direction that is the same in all frames, with its palm turned by half a turn
    about that direction.
    """
    run_key, direction_key = jax.random.split(key)
    away = jax.random.normal(direction_key, (3,))
    away = away / jnp.linalg.norm(away)
    wrong = lost_runs(run_key, params.transl.shape[0], share)[:, None]
    turned = (jaxlie.SO3.exp(jnp.pi * away) @ jaxlie.SO3.exp(params.global_orient)).log()
    return all_tracked(
        params.replace(
            transl=params.transl + OTHER_HAND * wrong * away,
            global_orient=jnp.where(wrong, turned, params.global_orient),
        )
    )


def all_tracked(params: HandParams) -> Perturbed:
    return params, jnp.ones(params.transl.shape[0], bool)


def translated(params: HandParams, offset: Float[Array, "*#T 3"]) -> Perturbed:
    return all_tracked(params.replace(transl=params.transl + offset))


def _add_pose(model: HandModel, params: HandParams, coefficients: Float[Array, "T 24"]) -> HandParams:
    return params.replace(pose=params.pose + coefficients @ model.pose_components[:N_POSE_DIRECTIONS])


def rotated(params: HandParams, offset: Float[Array, "T 3"]) -> HandParams:
    """The hand rotated about its wrist by `offset` (axis-angle in the wrist's frame, radians)."""
    orient = jaxlie.SO3.exp(params.global_orient) @ jaxlie.SO3.exp(offset)
    return params.replace(global_orient=orient.log())


def _fingers(parents: tuple[int, ...]) -> list[int]:
    """The finger of each skeleton joint but the wrist, numbered in the order of the wrist's child joints."""
    fingers: list[int] = []
    for parent in parents[1:]:
        fingers.append(max(fingers, default=-1) + 1 if parent == 0 else fingers[parent - 1])
    return fingers


def of_shape(model: HandModel, params: HandParams, betas: Float[Array, "*batch S"]) -> HandParams:
    """The hand with another shape and its wrist where it was: trackers locate the wrist, whatever the shape."""
    moved = rest_joints(model, params.betas)[..., 0, :] - rest_joints(model, betas)[..., 0, :]
    return params.replace(betas=betas, transl=params.transl + moved)
