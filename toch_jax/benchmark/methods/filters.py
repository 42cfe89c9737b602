"""Plain trajectory filters, in the world's frame or in the object's: what every result of ours stands beside."""

from dataclasses import dataclass, field, replace
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from toch_jax.metrics.pose import PosedHand
from toch_jax.object.model import ObjectMotion
from toch_jax.object.motion import to_part, to_world
from toch_jax.sequence.part_frame import nearest_part
from toch_jax.sequence.types import Sequence

Frame = Literal["world", "object"]
Trajectory = Float[np.ndarray, "T K 3"]


@dataclass(frozen=True)
class Gaussian:
    """Mean over neighbours with normal weights."""

    frame: Frame = field(repr=False)
    sigma: float
    """Frames."""


@dataclass(frozen=True)
class SavitzkyGolay:
    """Least-squares parabola through `window` frames."""

    frame: Frame = field(repr=False)
    window: int
    """Frames, odd."""


@dataclass(frozen=True)
class OneEuro:
    """A causal low-pass whose cutoff grows with speed (Casiez et al. 2012); the only one here that runs online."""

    frame: Frame = field(repr=False)
    min_cutoff: float
    """Hz."""
    beta: float
    """Hz per (m/s)."""


@dataclass(frozen=True)
class Kalman:
    """Smoothed (Rauch-Tung-Striebel) Kalman filter of constant velocity: position += velocity, velocity += noise."""

    frame: Frame = field(repr=False)
    ratio: float
    """Standard deviation of the velocity's change in a frame over that of the measurement."""


Setting = Gaussian | SavitzkyGolay | OneEuro | Kalman


def _settings(frame: Frame) -> dict[str, list[Setting]]:
    cutoffs = [(cutoff, beta) for cutoff in (0.5, 1.0, 2.0, 4.0, 8.0) for beta in (0.0, 1.0, 5.0, 20.0)]
    ratios = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, 10.0)
    return {
        f"filter:gaussian:{frame}": [Gaussian(frame, sigma) for sigma in (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)],
        f"filter:savgol:{frame}": [SavitzkyGolay(frame, window) for window in (3, 5, 7, 9, 13, 17, 25)],
        f"filter:oneeuro:{frame}": [OneEuro(frame, cutoff, beta) for cutoff, beta in cutoffs],
        f"filter:kalman:{frame}": [Kalman(frame, ratio) for ratio in ratios],
    }


FILTERS: dict[str, list[Setting]] = _settings("world") | _settings("object")
"""For each filter in each frame, the settings to choose from on validation clips; each range has one that does next to
nothing and one that does too much."""


def filter_points(
    points: Trajectory,
    setting: Setting,
    motion: ObjectMotion,
    part: int,
    fps: float,
    observed: Bool[np.ndarray, "T"] | None = None,
) -> Trajectory:
    """The filtered world trajectory of K points; `part` of the object is the frame where the setting asks for it.

    Frames that are not valid are bridged linearly first. Clips too short for a filter come back as they are.
    """
    in_object = setting.frame == "object"
    if in_object:
        points = np.asarray(to_part(motion, part, jnp.asarray(points)))
    filtered = _filter(_bridge(points, observed).astype(np.float64), setting, fps).astype(np.float32)
    return np.asarray(to_world(motion, part, jnp.asarray(filtered))) if in_object else filtered


def filter_hands(sequence: Sequence, hands: list[PosedHand], setting: Setting) -> list[PosedHand]:
    """The sequence's hands with joints and skin filtered, in the frame of the part that each comes nearest to."""

    def filtered(hand: PosedHand) -> PosedHand:
        part = nearest_part(sequence, jnp.asarray(hand.joints), jnp.asarray(hand.observed))
        joints, vertices = (
            None
            if points is None
            else filter_points(points, setting, sequence.object_motion, part, sequence.fps, hand.observed)
            for points in (hand.joints, hand.vertices)
        )
        return replace(hand, joints=joints, vertices=vertices)

    return [filtered(hand) for hand in hands]


def _bridge(points: Trajectory, observed: Bool[np.ndarray, "T"] | None) -> Trajectory:
    """Invalid frames filled in linearly between valid ones, held at the ends."""
    if observed is None or observed.all() or not observed.any():
        return points
    kept = np.flatnonzero(observed)
    where = np.interp(np.arange(len(points)), kept, np.arange(len(kept)))
    left, right = np.floor(where).astype(int), np.ceil(where).astype(int)
    weight = (where - left)[:, None, None]
    return (1 - weight) * points[kept[left]] + weight * points[kept[right]]


def _filter(points: Trajectory, setting: Setting, fps: float) -> Trajectory:
    n_frames = len(points)
    if n_frames < 3:
        return points
    match setting:
        case Gaussian(sigma=sigma):
            # odd reflection keeps straight motion straight up to the ends; scipy's own modes bend it
            pad = min(int(4 * sigma + 0.5), n_frames - 1)
            padded = np.pad(points, ((pad, pad), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
            return gaussian_filter1d(padded, sigma, axis=0, mode="nearest", radius=pad)[pad : pad + n_frames]
        case SavitzkyGolay(window=window):
            return savgol_filter(points, min(window, n_frames - 1 + n_frames % 2), polyorder=2, axis=0, mode="interp")
        case OneEuro(min_cutoff=min_cutoff, beta=beta):
            return _one_euro(points, min_cutoff, beta, fps)
        case Kalman(ratio=ratio):
            return _constant_velocity_smoother(points, ratio)


def _constant_velocity_smoother(points: Trajectory, ratio: float) -> Trajectory:
    """The smoother's mean: the path x of least |x - points|^2 + |second differences of x|^2 / ratio^2, a banded solve.

    The prior on the first position and velocity is flat.
    """
    n_frames = len(points)
    second = np.zeros((n_frames - 2, n_frames))
    for offset, coefficient in enumerate((1.0, -2.0, 1.0)):
        second[np.arange(n_frames - 2), np.arange(n_frames - 2) + offset] = coefficient
    information = np.eye(n_frames) + second.T @ second / ratio**2
    banded = np.zeros((3, n_frames))
    for k in range(3):
        banded[2 - k, k:] = np.diagonal(information, k)
    return solveh_banded(banded, points.reshape(n_frames, -1)).reshape(points.shape)


def _one_euro(points: Trajectory, min_cutoff: float, beta: float, fps: float) -> Trajectory:
    """Each point (its three coordinates together) has its own cutoff; the derivative's is 1 Hz, as in the paper."""

    def weight(cutoff: np.ndarray | float) -> np.ndarray | float:
        return 1 / (1 + fps / (2 * np.pi * cutoff))

    smooth, velocity = np.empty_like(points), np.zeros_like(points[0])
    smooth[0] = points[0]
    for t in range(1, len(points)):
        velocity = velocity + weight(1.0) * ((points[t] - points[t - 1]) * fps - velocity)
        cutoff = min_cutoff + beta * np.linalg.norm(velocity, axis=-1, keepdims=True)
        smooth[t] = smooth[t - 1] + weight(cutoff) * (points[t] - smooth[t - 1])
    return smooth
