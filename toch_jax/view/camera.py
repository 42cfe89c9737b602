"""Camera poses from which the hand, the object and their contact are visible."""

from collections.abc import Sequence as List
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from toch_jax.view.render import Camera, Surface, first_hits

UP = np.array([0.0, 0.0, 1.0])
"""Upward direction of all cameras, world."""
NEAR_M = 0.06
"""Margin (metres) around the hands within which a large object is shown."""
WHOLE_M = 0.4
"""Size (metres) up to which an object is shown whole."""


class Moment(NamedTuple):
    """Surfaces shown at one frame."""

    hands: List[Surface]
    object: Surface
    touching: List[Bool[np.ndarray, "F"]]
    """For each hand, whether each face is near the object."""


def frame_camera(hands: List[Surface], object: Surface, direction: Float[np.ndarray, "3"]) -> Camera:
    """Camera for the hands and the object; `direction` is the unit vector from its target to its eye, world."""
    skin = np.concatenate([hand.vertices for hand in hands])
    shown = object.vertices
    if np.ptp(shown, axis=0).max() > WHOLE_M:
        low, high = skin.min(axis=0) - NEAR_M, skin.max(axis=0) + NEAR_M
        shown = shown[((shown > low) & (shown < high)).all(axis=-1)]
    points = np.concatenate([skin, shown])
    right = np.cross(-direction, UP)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, -direction), direction])
    low, high = (points @ axes.T).min(axis=0), (points @ axes.T).max(axis=0)
    target = (low + high) / 2 @ axes
    half = 1.05 * (high - low)[:2].max() / 2
    camera = Camera(target, target, UP)
    return replace(camera, eye=target + direction * (half / np.tan(camera.view_angle / 2) + (high - low)[2] / 2))


def choose_direction(moments: List[Moment], candidates: int = 40) -> Float[np.ndarray, "3"]:
    """Best of several directions (unit vectors from the target to the eye) over all the moments.

    The score is high if hands occlude little of the object and if much of the touching skin is visible, with the object
    taken as transparent.
    """
    directions = _spread(candidates)
    score = np.zeros(candidates)
    for hands, thing, touching in moments:
        cameras = [frame_camera(hands, thing, direction) for direction in directions]
        of_object = (first_hits([*hands, thing], cameras, 48, 48) == len(hands)).sum(axis=(1, 2))
        pads = [replace(hand, faces=hand.faces[near]) for hand, near in zip(hands, touching, strict=True) if near.any()]
        others = [replace(hand, faces=hand.faces[~near]) for hand, near in zip(hands, touching, strict=True)]
        visible = first_hits([*pads, *others], cameras, 48, 48)
        of_pads = ((visible >= 0) & (visible < len(pads))).sum(axis=(1, 2))
        of_hands = (visible >= 0).sum(axis=(1, 2))
        # 0.1: touching skin is about a tenth of a hand
        score += of_object * (of_pads + 0.1 * of_hands)
    return directions[np.argmax(score)]


def _spread(count: int) -> Float[np.ndarray, "n 3"]:
    """Evenly distributed unit vectors (Fibonacci), without those near the vertical, where `UP` is degenerate."""
    height = np.linspace(-0.6, 0.8, count)
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
