"""Tracking errors of hand and object as named random perturbations of their poses."""

import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb import camera_noise, hand_noise
from toch_jax.perturb.hand_noise import Perturbed, all_tracked
from toch_jax.perturb.object_noise import OBJECT_REGISTRY, Middles, PerturbedObject

REGISTRY: dict[str, Callable[..., Perturbed]] = {
    "T": hand_noise.translation_noise,
    "R": hand_noise.pose_noise,
    "A": hand_noise.angle_noise,
    "G": hand_noise.rotation_noise,
    "B": hand_noise.both_noises,
    "beta": hand_noise.beta_bias,
    "bias": hand_noise.constant_bias,
    "drift": hand_noise.slow_drift,
    "missing": hand_noise.missing_frames,
    "finger": hand_noise.lost_finger,
    "burst": hand_noise.outlier_bursts,
    "scale": hand_noise.wrong_size,
    "shape": hand_noise.unsteady_shape,
    "flip": hand_noise.other_hand,
}
"""Of the key, the hand model, the hand's parameters and the sizes."""
CAMERA_REGISTRY: dict[str, Callable[..., Perturbed]] = {
    "ray": camera_noise.ray_noise,
    "focal": camera_noise.wrong_focal_length,
    "tracker": camera_noise.tracker_noise,
}
"""As those of REGISTRY, with the camera's place after the parameters."""


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation in one of the registries and its sizes. `parse_perturbation(p.name) == p`."""

    kind: str
    sizes: tuple[float, ...]
    then: "Perturbation | None" = None
    """The perturbation that comes after it."""

    @property
    def name(self) -> str:
        own = f"{self.kind}({','.join(f'{size:g}' for size in self.sizes)})"
        return own if self.then is None else f"{own}+{self.then.name}"

    def __call__(
        self, key: PRNGKeyArray, model: HandModel, params: HandParams, camera: Float[Array, "T 3"] | None = None
    ) -> Perturbed:
        """The perturbed parameters of one hand, axes (T, ...), and the frames in which it is still tracked.

        `camera` is where the camera is in each frame, metres; needed if `needs_camera`.
        """
        perturbed, valid = all_tracked(params)
        if own := REGISTRY.get(self.kind):
            perturbed, valid = own(key, model, params, *self.sizes)
        elif own := CAMERA_REGISTRY.get(self.kind):
            assert camera is not None, f"{self.kind} needs a camera"
            perturbed, valid = own(key, model, params, camera, *self.sizes)
        if self.then is None:
            return perturbed, valid
        perturbed, still = self.then(jax.random.fold_in(key, 1), model, perturbed, camera)
        return perturbed, valid & still

    @property
    def moves_object(self) -> bool:
        return self.kind in OBJECT_REGISTRY or (self.then is not None and self.then.moves_object)

    @property
    def needs_camera(self) -> bool:
        return self.kind in CAMERA_REGISTRY or (self.then is not None and self.then.needs_camera)

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
    kinds = REGISTRY | CAMERA_REGISTRY | OBJECT_REGISTRY
    expected = "one of " + ", ".join(f"{kind}({','.join(_size_names(kind))})" for kind in kinds)
    match = re.fullmatch(r"\s*(\w+)\(([^()]*)\)\s*", text)
    if match is None or match[1] not in kinds:
        raise bad_input("perturbation", text, expected, "something else")
    kind = match[1]
    try:
        sizes = tuple(float(size) for size in match[2].split(","))
        bound = inspect.signature(kinds[kind]).bind(*[None] * _n_given(kind), *sizes)
    except (ValueError, TypeError) as error:
        raise bad_input("perturbation", text, expected, f"sizes ({match[2]})") from error
    if not all(0 <= size < math.inf for size in sizes) or bound.arguments.get("share", 0) >= 1:
        raise bad_input("perturbation", text, "sizes of 0 or more (a share of frames under 1)", f"({match[2]})")
    return Perturbation(kind, sizes)


def _n_given(kind: str) -> int:
    """Number of arguments before the sizes."""
    return 4 if kind in CAMERA_REGISTRY else 3


def _size_names(kind: str) -> list[str]:
    function = (REGISTRY | CAMERA_REGISTRY | OBJECT_REGISTRY)[kind]
    parameters = list(inspect.signature(function).parameters.values())[_n_given(kind) :]
    return [p.name if p.default is p.empty else f"[{p.name}]" for p in parameters]
