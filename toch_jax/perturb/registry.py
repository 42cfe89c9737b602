"""Tracking errors of hand and object as named random perturbations of their poses."""

import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import jaxlie
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.in_time import lost_runs, slowly_varying
from toch_jax.perturb.object_noise import OBJECT_REGISTRY, Middles, PerturbedObject

# Number of principal pose directions that get noise, as in TOCH (Zhou et al. 2022, released code).
N_POSE_DIRECTIONS = 24
BETA = (8.0, 2.0)
"""Beta distribution of GRAB (Beta) in GeneOH Diffusion (Liu and Yi 2024, released code): positive, mean 0.8."""

Perturbed = tuple[HandParams, Bool[Array, "T"]]
"""The perturbed hand, axes (T, ...), and the frames in which it is still tracked."""


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation in REGISTRY or OBJECT_REGISTRY and its sizes. `parse_perturbation(p.name) == p`."""

    kind: str
    sizes: tuple[float, ...]
    then: "Perturbation | None" = None
    """The perturbation that comes after it."""

    @property
    def name(self) -> str:
        own = f"{self.kind}({','.join(f'{size:g}' for size in self.sizes)})"
        return own if self.then is None else f"{own}+{self.then.name}"

    def __call__(self, key: PRNGKeyArray, model: HandModel, params: HandParams) -> Perturbed:
        """The perturbed parameters of one hand, axes (T, ...), and the frames in which it is still tracked."""
        own = REGISTRY.get(self.kind)
        perturbed, valid = _all_tracked(params) if own is None else own(key, model, params, *self.sizes)
        if self.then is None:
            return perturbed, valid
        perturbed, still = self.then(jax.random.fold_in(key, 1), model, perturbed)
        return perturbed, valid & still

    @property
    def moves_object(self) -> bool:
        return self.kind in OBJECT_REGISTRY or (self.then is not None and self.then.moves_object)

    def of_object(self, key: PRNGKeyArray, motion: ObjectMotion, middles: Middles) -> PerturbedObject:
        """The perturbed motion of an object's parts, and the frames in which each is still tracked."""
        own, valid = OBJECT_REGISTRY.get(self.kind), jnp.ones(motion.translation.shape[:2], bool)
        if own is not None:
            motion, valid = own(key, motion, middles, *self.sizes)
        if self.then is None:
            return motion, valid
        motion, still = self.then.of_object(jax.random.fold_in(key, 1), motion, middles)
        return motion, valid & still


def parse_perturbation(text: str) -> Perturbation:
    """The perturbation of a text such as "T(0.01)", "missing(0.2)" or "T(0.01)+object(0.005,0.05)".

    Raises InputError.
    """
    perturbations = [_parse_one(each) for each in text.split("+")]
    return functools.reduce(lambda last, one: dataclasses.replace(one, then=last), reversed(perturbations))


def _parse_one(text: str) -> Perturbation:
    kinds = REGISTRY | OBJECT_REGISTRY
    expected = "one of " + ", ".join(f"{kind}({','.join(_size_names(kind))})" for kind in kinds)
    match = re.fullmatch(r"\s*(\w+)\(([^()]*)\)\s*", text)
    if match is None or match[1] not in kinds:
        raise bad_input("perturbation", text, expected, "something else")
    kind = match[1]
    try:
        sizes = tuple(float(size) for size in match[2].split(","))
        bound = inspect.signature(kinds[kind]).bind(None, None, None, *sizes)
    except (ValueError, TypeError) as error:
        raise bad_input("perturbation", text, expected, f"sizes ({match[2]})") from error
    if not all(0 <= size < math.inf for size in sizes) or bound.arguments.get("share", 0) >= 1:
        raise bad_input("perturbation", text, "sizes of 0 or more (a share of frames under 1)", f"({match[2]})")
    return Perturbation(kind, sizes)


def _size_names(kind: str) -> list[str]:
    parameters = list(inspect.signature((REGISTRY | OBJECT_REGISTRY)[kind]).parameters.values())[3:]
    return [p.name if p.default is p.empty else f"[{p.name}]" for p in parameters]


def translation_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """T: normal noise on the translation, independent in each frame, with standard deviation `metres` on each axis."""
    return _translated(params, metres * jax.random.normal(key, params.transl.shape))


def pose_noise(
    key: PRNGKeyArray, model: HandModel, params: HandParams, pose: float, rotation: float = 0.0
) -> Perturbed:
    """R: normal noise on the pose, independent in each frame.

    Standard deviation `pose` on each of the 24 principal pose coefficients, and `rotation` (radians) on each axis of
    the wrist's rotation.
    """
    pose_key, rotation_key = jax.random.split(key)
    bent = _add_pose(model, params, pose * jax.random.normal(pose_key, (params.pose.shape[0], N_POSE_DIRECTIONS)))
    return _all_tracked(_rotated(bent, rotation * jax.random.normal(rotation_key, params.global_orient.shape)))


def angle_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, radians: float) -> Perturbed:
    """A: normal noise on each coordinate of each finger joint's axis-angle, independent in each frame."""
    return _all_tracked(params.replace(pose=params.pose + radians * jax.random.normal(key, params.pose.shape)))


def rotation_noise(key: PRNGKeyArray, model: HandModel, params: HandParams, radians: float) -> Perturbed:
    """G: rotation of the hand about its wrist, independent in each frame, normal on each axis of the wrist's frame."""
    return _all_tracked(_rotated(params, radians * jax.random.normal(key, params.global_orient.shape)))


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
    return _all_tracked(_rotated(bent, rotation * jax.random.beta(rotation_key, *BETA, params.global_orient.shape)))


def constant_bias(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """One translation for the clip, as from camera calibration; normal, standard deviation `metres` on each axis."""
    return _translated(params, metres * jax.random.normal(key, (3,)))


def slow_drift(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float) -> Perturbed:
    """A slowly varying translation: AR(1), frame correlation 0.95, standard deviation `metres` on each axis."""
    return _translated(params, metres * slowly_varying(key, params.transl.shape))


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
    return _all_tracked(params.replace(pose=jnp.where(then[:, None] & hidden, model.pose_mean, params.pose)))


def outlier_bursts(key: PRNGKeyArray, model: HandModel, params: HandParams, metres: float, share: float) -> Perturbed:
    """Outliers in a `share` of the frames, in bursts of 5 on average: T(`metres`), not marked as lost."""
    burst_key, translation_key = jax.random.split(key)
    off = lost_runs(burst_key, params.transl.shape[0], share)
    return _translated(params, metres * off[:, None] * jax.random.normal(translation_key, params.transl.shape))


REGISTRY: dict[str, Callable[..., Perturbed]] = {
    "T": translation_noise,
    "R": pose_noise,
    "A": angle_noise,
    "G": rotation_noise,
    "B": both_noises,
    "beta": beta_bias,
    "bias": constant_bias,
    "drift": slow_drift,
    "missing": missing_frames,
    "finger": lost_finger,
    "burst": outlier_bursts,
}


def _all_tracked(params: HandParams) -> Perturbed:
    return params, jnp.ones(params.transl.shape[0], bool)


def _translated(params: HandParams, offset: Float[Array, "*#T 3"]) -> Perturbed:
    return _all_tracked(params.replace(transl=params.transl + offset))


def _add_pose(model: HandModel, params: HandParams, coefficients: Float[Array, "T 24"]) -> HandParams:
    return params.replace(pose=params.pose + coefficients @ model.pose_components[:N_POSE_DIRECTIONS])


def _rotated(params: HandParams, offset: Float[Array, "T 3"]) -> HandParams:
    """The hand rotated about its wrist by `offset` (axis-angle in the wrist's frame, radians)."""
    orient = jaxlie.SO3.exp(params.global_orient) @ jaxlie.SO3.exp(offset)
    return params.replace(global_orient=orient.log())


def _fingers(parents: tuple[int, ...]) -> list[int]:
    """The finger of each skeleton joint but the wrist, numbered in the order of the wrist's child joints."""
    fingers: list[int] = []
    for parent in parents[1:]:
        fingers.append(max(fingers, default=-1) + 1 if parent == 0 else fingers[parent - 1])
    return fingers
