"""Where to look from, so that hand and object are both seen well."""

from collections.abc import Sequence as List
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from toch_jax.view.render import Camera, Surface, first_hits

UP = np.array([0.0, 0.0, 1.0])
NEAR_M = 0.06
"""How much of the object around the hand has to be in the picture."""


def frame_camera(hands: List[Surface], object: Surface, direction: Float[np.ndarray, "3"]) -> Camera:
    """Looks against `direction` (unit, from the target to the eye) at the hands and what is near them of the object."""
    skin = np.concatenate([hand.vertices for hand in hands])
    low, high = skin.min(axis=0) - NEAR_M, skin.max(axis=0) + NEAR_M
    near = object.vertices[((object.vertices > low) & (object.vertices < high)).all(axis=-1)]
    seen = np.concatenate([skin, near])
    right = np.cross(-direction, UP)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, -direction), direction])
    low, high = (seen @ axes.T).min(axis=0), (seen @ axes.T).max(axis=0)
    target = (low + high) / 2 @ axes
    half = 1.05 * (high - low)[:2].max() / 2
    camera = Camera(target, target, UP)
    return replace(camera, eye=target + direction * (half / np.tan(camera.view_angle / 2) + (high - low)[2] / 2))


def choose_direction(hands: List[Surface], object: Surface, candidates: int = 40) -> Float[np.ndarray, "3"]:
    """The direction (unit, from the target to the eye) from which hand and object hide each other least."""
    directions = _spread(candidates)
    cameras = [frame_camera(hands, object, direction) for direction in directions]
    seen = first_hits([*hands, object], cameras, 48, 48)
    of_object = (seen == len(hands)).sum(axis=(1, 2))
    of_hands = ((seen >= 0) & (seen < len(hands))).sum(axis=(1, 2))
    return directions[np.argmax(of_object * of_hands)]


def _spread(count: int) -> Float[np.ndarray, "n 3"]:
    """Unit vectors spread evenly (Fibonacci), not too near the poles, where `UP` says nothing."""
    height = np.linspace(-0.6, 0.8, count)
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
