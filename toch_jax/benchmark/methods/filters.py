"""Trajectory filters in the world frame or in the object's: the baselines of every result."""

from dataclasses import dataclass, field, replace
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from toch_jax.object.model import ObjectMotion
from toch_jax.object.motion import to_part, to_world
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.part_frame import nearest_part
from toch_jax.sequence.types import Sequence

Frame = Literal["world", "object"]
Trajectory = Float[np.ndarray, "T K 3"]


@dataclass(frozen=True)
class Gaussian:
    """Gaussian filter."""

    frame: Frame = field(repr=False)
    sigma: float
    """Standard deviation, frames."""


@dataclass(frozen=True)
class SavitzkyGolay:
    """Savitzky-Golay filter: least-squares parabola through `window` frames."""

    frame: Frame = field(repr=False)
    window: int
    """Length in frames, odd."""


@dataclass(frozen=True)
class OneEuro:
    """Causal low-pass filter whose cutoff grows with speed (Casiez et al. 2012); the only causal filter here."""

    frame: Frame = field(repr=False)
    min_cutoff: float
    """Cutoff at speed 0, Hz."""
    beta: float
    """Increase of the cutoff with speed, Hz per (m/s)."""


@dataclass(frozen=True)
class Kalman:
    """Constant-velocity Kalman smoother (Rauch-Tung-Striebel): position += velocity, velocity += noise."""

    frame: Frame = field(repr=False)
    ratio: float
    """Standard deviation of the velocity noise per frame, divided by that of the measurement (both in metres)."""


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
"""Candidate settings of each filter in each frame of reference, to be chosen from on validation clips. Each range goes
from nearly no smoothing to too much."""


def filter_points(
    points: Trajectory,
    setting: Setting,
    motion: ObjectMotion,
    part: int,
    fps: float,
    observed: Bool[np.ndarray, "T"] | None = None,
) -> Trajectory:
    """The filtered trajectory of K points, world coordinates in and out, metres.

    Settings with `frame` "object" filter in the frame of the object's `part`. Frames that are not observed are first
    interpolated linearly. Clips of fewer than three frames are returned unchanged.
    """
    in_object = setting.frame == "object"
    if in_object:
        points = np.asarray(to_part(motion, part, jnp.asarray(points)))
    filtered = _filter(_bridge(points, observed).astype(np.float64), setting, fps).astype(np.float32)
    return np.asarray(to_world(motion, part, jnp.asarray(filtered))) if in_object else filtered


def filter_hands(sequence: Sequence, hands: list[PosedHand], setting: Setting) -> list[PosedHand]:
    """The hands with filtered joints and skin; the "object" frame is that of the part nearest to the hand."""

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
    """The points, linearly interpolated in frames that are not observed, and constant beyond the observed ones."""
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
            # odd reflection keeps linear motion linear up to the ends; scipy's own modes do not
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
    """Mean of the Kalman smoother with a flat prior on the first position and velocity.

    It is the x that minimises |x - points|^2 + |second differences of x|^2 / ratio^2, from one banded system.
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
    """One-euro filter; each point has one cutoff for its three coordinates, and the speed's is 1 Hz as in the paper."""

    def weight(cutoff: np.ndarray | float) -> np.ndarray | float:
        return 1 / (1 + fps / (2 * np.pi * cutoff))

    smooth, velocity = np.empty_like(points), np.zeros_like(points[0])
    smooth[0] = points[0]
    for t in range(1, len(points)):
        velocity = velocity + weight(1.0) * ((points[t] - points[t - 1]) * fps - velocity)
        cutoff = min_cutoff + beta * np.linalg.norm(velocity, axis=-1, keepdims=True)
        smooth[t] = smooth[t - 1] + weight(cutoff) * (points[t] - smooth[t - 1])
    return smooth
