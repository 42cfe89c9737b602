"""Noise level of the object's tracked motion, and its most likely smooth motion.

Tracked object poses have jitter, as hands do, and a hand repaired in the frame of such an object takes its jitter over.
Each part is smoothed by itself, in the world, with the noise estimated from its own differences: exact poses stay.
"""

import numpy as np
from flax import struct
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.object.motion import part_middles
from toch_jax.sequence.types import Sequence

EXACT = 0.0003, 0.003
"""Noise (metres and radians per coordinate) up to which poses are not changed: float16 rounds as much."""
FLOOR = 0.0002, 0.002
"""Smallest error, metres and radians per coordinate, that is assumed of a tracked pose; chosen by hand."""
QUICKNESS = 26.0
"""Acceleration over speed (1/s), as for the hands that move the object (FitSettings.acceleration_per_speed)."""
LEAST_SPEED = 0.004, 0.02
"""Smallest speed that accelerations are derived from, metres and radians per second and coordinate; chosen by hand."""
FIRST_ACCELERATION = 4.0, 8.0
"""Standard deviations of acceleration before a speed is known, m/s2 and rad/s2 (FitSettings.acceleration)."""
SPEED_TIME = 0.1
"""Standard deviation of the Gaussian that the speed is averaged with, seconds; chosen by hand."""
ROUNDS = 8
"""Rounds of smoothing and estimating the speed: in each, that of an object at rest falls by about a third."""
FREEDOM = 4.0
"""Degrees of freedom of Student's t for a pose's errors: trackers misplace an object in single frames. By hand."""
LEAST_FRAMES = 7
"""Fewest frames for a noise estimate; with fewer the noise is taken to be 0. Chosen by hand."""


class TrackedObject(struct.PyTreeNode):
    """An object's smoothed motion, and the estimated noise of the tracked one."""

    motion: ObjectMotion
    position_noise: Float[np.ndarray, "P"]
    """Noise of the position of each part's middle, metres per coordinate."""
    rotation_noise: Float[np.ndarray, "P"]
    """Noise of each part's rotation, radians per coordinate."""

    @property
    def is_smoothed(self) -> Bool[np.ndarray, "P"]:
        """Which parts have more noise than EXACT and were smoothed."""
        return (self.position_noise > EXACT[0]) | (self.rotation_noise > EXACT[1])


def track_object(motion: ObjectMotion, middles: Float[np.ndarray, "P 3"], fps: float) -> TrackedObject:
    """Smooth each part's motion; `middles` are the middles of the parts in their own frames, metres.

    A part with less noise than EXACT keeps its motion bit for bit.
    """
    rotations = np.array(motion.rotation, np.float64)
    translations = np.array(motion.translation, np.float64)
    kept_rotations, kept_translations = np.array(motion.rotation), np.array(motion.translation)
    noise = np.zeros((len(middles), 2))
    for part, middle in enumerate(middles):
        # the middle, not the origin, which may be far away: there a rotation would look like a translation
        place = rotations[part] @ middle + translations[part]
        noise[part] = _noise(place, rotations[part])
        if not (noise[part] > EXACT).any():
            continue
        place, turn = _smoothed(place, rotations[part], noise[part], fps)
        kept_rotations[part] = turn
        kept_translations[part] = place - turn @ middle
    tracked = ObjectMotion(rotation=put(kept_rotations), translation=put(kept_translations))
    return TrackedObject(tracked, position_noise=noise[:, 0], rotation_noise=noise[:, 1])


def _noise(place: Float[np.ndarray, "T 3"], rotation: Float[np.ndarray, "T 3 3"]) -> tuple[float, float]:
    """Noise of position (m) and rotation (rad) from second and fourth differences, as in track/noise_level.py."""
    if len(place) < LEAST_FRAMES:
        return 0.0, 0.0
    turn = Rotation.from_matrix(np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:]).as_rotvec()
    return _level(np.diff(place, n=2, axis=0)), _level(np.diff(turn, axis=0))


def _level(second: Float[np.ndarray, "T 3"]) -> float:
    """Standard deviation of the noise of a path with these second differences, as in track/noise_level.py."""
    bend, wiggle = (
        np.median((each**2).mean(axis=1)) / (1 - 2 / (9 * each.shape[1])) ** 3
        for each in (second, np.diff(second, n=2, axis=0))
    )
    return float(np.sqrt(np.clip((wiggle - 6 * bend) / 34, wiggle / 700, wiggle / 70)))


def _smoothed(
    place: Float[np.ndarray, "T 3"],
    rotation: Float[np.ndarray, "T 3 3"],
    noise: Float[np.ndarray, "2"],
    fps: float,
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 3 3"]]:
    """Smoothed positions and rotations; `noise` as `_noise` gives it."""
    quaternion = Rotation.from_matrix(rotation).as_quat()
    flip = np.where(np.sum(quaternion[1:] * quaternion[:-1], axis=1) < 0, -1.0, 1.0)
    quaternion[1:] *= np.cumprod(flip)[:, None]
    # a quaternion changes by half the angle
    smooth = [
        _smooth_path(values, np.hypot(level, floor), first, least, fps)
        for values, level, floor, first, least in (
            (place, noise[0], FLOOR[0], FIRST_ACCELERATION[0], LEAST_SPEED[0]),
            (2 * quaternion, noise[1], FLOOR[1], FIRST_ACCELERATION[1], LEAST_SPEED[1]),
        )
    ]
    return smooth[0], Rotation.from_quat(smooth[1]).as_matrix()


def _smooth_path(
    values: Float[np.ndarray, "T K"], noise: float, acceleration: float, least: float, fps: float
) -> Float[np.ndarray, "T K"]:
    """Most likely path with Student's t errors of scale `noise` and accelerations in proportion to its own speed."""
    trust, smooth = np.ones(len(values)), values
    allowed = np.full(len(values), acceleration)
    for _ in range(ROUNDS):
        smooth = _least_squares(values, trust / noise**2, (fps**2 / allowed) ** 2)
        speed = np.sqrt(gaussian_filter1d((np.gradient(smooth, axis=0) ** 2).mean(axis=1), SPEED_TIME * fps)) * fps
        allowed = QUICKNESS * np.maximum(speed, least)
        trust = 1 / (1 + ((values - smooth) ** 2).mean(axis=1) / (FREEDOM * noise**2))
    return smooth


def _least_squares(
    values: Float[np.ndarray, "T K"], weight: Float[np.ndarray, "T"], bend: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T K"]:
    """The x that minimises weight (x - values)^2 + bend (second differences, centred on their frame)^2."""
    inner = bend[1:-1]
    bands = np.zeros((3, len(values)))
    bands[2] = weight
    for shift, factor in enumerate((1.0, 4.0, 1.0)):
        bands[2, shift : shift + len(inner)] += factor * inner
    bands[1, 1:-1] -= 2 * inner
    bands[1, 2:] -= 2 * inner
    bands[0, 2:] += inner
    return solveh_banded(bands, weight[:, None] * values)


def with_tracked_object(sequence: Sequence) -> Sequence:
    """The sequence with the motion of noisy object parts smoothed, and a note on each of them."""
    middles = part_middles(np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part))
    tracked = track_object(sequence.object_motion, middles, sequence.fps)
    notes = (
        f"object{f', part {part}' if len(middles) > 1 else ''}: its tracked pose shakes by {1e3 * metres:.1f} mm and "
        f"{np.rad2deg(radians):.1f} degrees a coordinate: smoothed"
        for part, (metres, radians) in enumerate(zip(tracked.position_noise, tracked.rotation_noise, strict=True))
        if tracked.is_smoothed[part]
    )
    return sequence.replace(object_motion=tracked.motion, notes=(*sequence.notes, *notes))
