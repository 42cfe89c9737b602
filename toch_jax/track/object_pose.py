"""Noise of a tracked pose, estimated from its own differences in time: how much, and in which directions."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

EXACT = 0.0003, 0.003
"""Noise (metres and radians per coordinate) up to which an object's poses are not changed: float16 rounds as much."""
FLOOR = 0.0002, 0.002
"""Smallest error, metres and radians per coordinate, that is assumed of a tracked object's pose; chosen by hand."""
LEAST_FRAMES = 7
"""Fewest frames for a noise estimate; with fewer the noise is taken to be 0. Chosen by hand."""
LEAST_DIFFERENCES, TYLER_STEPS = 12, 8
"""Fewest fourth differences for an estimate of the noise's directions, and steps of Tyler's estimator; by hand."""
ROUND_SHARE = 10.0
"""How many independent poses the assumption counts as that noise is the same in all directions; chosen by hand."""


class PoseNoise(NamedTuple):
    """Noise of a tracked pose, white in time."""

    position: float
    """Standard deviation, metres per coordinate."""
    rotation: float
    """The same, radians."""
    position_shape: Float[np.ndarray, "3 3"]
    """Covariance of the position's noise in the world over `position` squared; its mean diagonal is 1."""
    rotation_shape: Float[np.ndarray, "3 3"]
    """The same of the rotation vector in the body's frame."""

    @property
    def is_exact(self) -> bool:
        """Whether an object's pose is not to be changed."""
        return self.position <= EXACT[0] and self.rotation <= EXACT[1]


def pose_noise(
    position: Float[np.ndarray, "T 3"], rotation: Float[np.ndarray, "T 3 3"], observed: Bool[np.ndarray, "T"]
) -> PoseNoise:
    """Noise of the poses in the `observed` frames. A gap counts as one step: robust means pass over it."""
    position, rotation = position[observed], rotation[observed]
    if len(position) < LEAST_FRAMES:
        return PoseNoise(0.0, 0.0, np.eye(3), np.eye(3))
    rotation_step = Rotation.from_matrix(np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:]).as_rotvec()
    seconds = np.diff(position, n=2, axis=0), np.diff(rotation_step, axis=0)
    shapes = _shape(seconds[0]), _shape(seconds[1])
    return PoseNoise(_level(seconds[0]), _level(seconds[1]), *shapes)


def _level(second: Float[np.ndarray, "T 3"]) -> float:
    """Standard deviation of the noise of a path with these second differences, as in track/noise_level.py."""
    bend, wiggle = (
        np.median((each**2).mean(axis=1)) / (1 - 2 / (9 * each.shape[1])) ** 3
        for each in (second, np.diff(second, n=2, axis=0))
    )
    return float(np.sqrt(np.clip((wiggle - 6 * bend) / 34, wiggle / 700, wiggle / 70)))


def _shape(second: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "3 3"]:
    """Covariance of the noise of a path with these second differences, scaled to a mean diagonal of 1.

    Tyler's estimator (1987) of the fourth differences, in which the noise of a tracker exceeds the motion: it depends
    on their directions only, so outliers count no more than others. Of five neighbouring ones about one is independent.
    """
    fourth = np.diff(second, n=2, axis=0)
    moves = np.linalg.norm(fourth, axis=1) > 0
    if moves.sum() < LEAST_DIFFERENCES:
        return np.eye(3)
    direction = fourth[moves] / np.linalg.norm(fourth[moves], axis=1, keepdims=True)
    shape = np.eye(3)
    for _ in range(TYLER_STEPS):
        square = np.einsum("ta,ab,tb->t", direction, np.linalg.inv(shape), direction)
        shape = np.einsum("ta,tb,t->ab", direction, direction, 1 / square)
        # the identity keeps a noise along a line invertible
        shape = 3 * shape / np.trace(shape) + 1e-6 * np.eye(3)
    count = moves.sum() / 4
    return (count * shape + ROUND_SHARE * np.eye(3)) / (count + ROUND_SHARE)
