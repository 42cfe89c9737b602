"""Trajectory filters in the world frame or in the object's: the baselines of every result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from toch_jax.base.errors import bad_input
from toch_jax.benchmark.methods.method import Method, Prediction, Repair, predict
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.object.model import ObjectMotion, to_part, to_world
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.track.part_frame import nearest_part

Frame = Literal["world", "object"]
Trajectory = Float[np.ndarray, "T K 3"]
Setting = Callable[[Trajectory, float], Trajectory]
"""A filter with its constants: function of the coordinates (metres, float64) of at least three frames, and of their
rate (1/s). Its `str` is written beside the results."""


@dataclass(frozen=True)
class Gaussian:
    """Gaussian filter."""

    sigma: float
    """Standard deviation, frames."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        # odd reflection keeps linear motion linear up to the ends; scipy's own modes do not
        n_frames = len(points)
        pad = min(int(4 * self.sigma + 0.5), n_frames - 1)
        padded = np.pad(points, ((pad, pad), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
        return gaussian_filter1d(padded, self.sigma, axis=0, mode="nearest", radius=pad)[pad : pad + n_frames]


@dataclass(frozen=True)
class SavitzkyGolay:
    """Savitzky-Golay filter: least-squares parabola through `window` frames."""

    window: int
    """Length in frames, odd."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        longest = len(points) - 1 + len(points) % 2
        return savgol_filter(points, min(self.window, longest), polyorder=2, axis=0, mode="interp")


@dataclass(frozen=True)
class OneEuro:
    """Causal low-pass filter whose cutoff grows with speed (Casiez et al. 2012); the only causal filter here.

    Each point has one cutoff for its three coordinates; the cutoff of the speed itself is 1 Hz, as in the paper.
    """

    min_cutoff: float
    """Cutoff at speed 0, Hz."""
    beta: float
    """Increase of the cutoff with speed, Hz per (m/s)."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        def weight(cutoff: np.ndarray | float) -> np.ndarray | float:
            return 1 / (1 + fps / (2 * np.pi * cutoff))

        smooth, velocity = np.empty_like(points), np.zeros_like(points[0])
        smooth[0] = points[0]
        for t in range(1, len(points)):
            velocity = velocity + weight(1.0) * ((points[t] - points[t - 1]) * fps - velocity)
            cutoff = self.min_cutoff + self.beta * np.linalg.norm(velocity, axis=-1, keepdims=True)
            smooth[t] = smooth[t - 1] + weight(cutoff) * (points[t] - smooth[t - 1])
        return smooth


@dataclass(frozen=True)
class Kalman:
    """Constant-velocity Kalman smoother (Rauch-Tung-Striebel): position += velocity, velocity += noise.

    Its mean, with a flat prior on the first position and velocity, is the x that minimises
    |x - points|^2 + |second differences of x|^2 / ratio^2; one banded system gives it.
    """

    ratio: float
    """Standard deviation of the velocity noise per frame, divided by that of the measurement (both in metres)."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        n_frames = len(points)
        second = np.zeros((n_frames - 2, n_frames))
        for offset, coefficient in enumerate((1.0, -2.0, 1.0)):
            second[np.arange(n_frames - 2), np.arange(n_frames - 2) + offset] = coefficient
        information = np.eye(n_frames) + second.T @ second / self.ratio**2
        banded = np.zeros((3, n_frames))
        for k in range(3):
            banded[2 - k, k:] = np.diagonal(information, k)
        return solveh_banded(banded, points.reshape(n_frames, -1)).reshape(points.shape)


@dataclass(frozen=True)
class Filter(Method):
    """A filter of joints and skin. Of several settings a benchmark uses the best on validation clips, for each noise.

    The "object" frame is that of the part nearest to the hand. Frames that are not observed are first interpolated
    linearly. Clips of fewer than three frames are returned unchanged.
    """

    settings: tuple[Setting, ...]
    frame: Frame

    def with_setting(self, text: str) -> "Filter":
        """The filter with the one of its settings that is written as `text`. Raises InputError if none is."""
        found = tuple(setting for setting in self.settings if str(setting) == text)
        if not found:
            raise bad_input(self.name, "setting", f"one of {', '.join(map(str, self.settings))}", text)
        return replace(self, settings=found)

    def load(self) -> Repair:
        return lambda clip, object: Prediction(self.filter_hands(clip, predict(clip).hands), clip.object_motion)

    def filter_hands(self, sequence: Sequence, hands: list[PosedHand]) -> list[PosedHand]:
        """The sequence's hands with filtered joints and skin; the filter must have one setting."""
        (setting,) = self.settings

        def filtered(hand: PosedHand) -> PosedHand:
            part = nearest_part(sequence, jnp.asarray(hand.joints), jnp.asarray(hand.observed))
            motion = (sequence.object_motion, part) if self.frame == "object" else None
            joints, vertices = (
                None if points is None else filter_points(points, setting, sequence.fps, hand.observed, motion)
                for points in (hand.joints, hand.vertices)
            )
            return replace(hand, joints=joints, vertices=vertices)

        return [filtered(hand) for hand in hands]

    def errors_mm(
        self, noisy: Sequence, clean: Sequence, hands: list[PosedHand], truth: list[PosedHand]
    ) -> list[float]:
        """The errors by which the best setting is chosen: the joint error of each of the noisy clip's hands, filtered.

        `hands` are the noisy clip's, `truth` the clean clip's. The filter must have one setting.
        """
        return [
            mpjpe_mm(np.asarray(hand.joints), np.asarray(true.joints))
            for hand, true in zip(self.filter_hands(noisy, hands), truth, strict=True)
        ]


def filter_points(
    points: Trajectory,
    setting: Setting,
    fps: float,
    observed: Bool[np.ndarray, "T"] | None = None,
    part_motion: tuple[ObjectMotion, int] | None = None,
) -> Trajectory:
    """The filtered trajectory of K points, world coordinates in and out, metres; see `Filter`.

    `part_motion`: the object's motion and the part in whose frame to filter; None: in the world's.
    """
    if part_motion is not None:
        points = np.asarray(to_part(*part_motion, jnp.asarray(points)))
    bridged = _bridge(points, observed).astype(np.float64)
    filtered = (bridged if len(bridged) < 3 else setting(bridged, fps)).astype(np.float32)
    return filtered if part_motion is None else np.asarray(to_world(*part_motion, jnp.asarray(filtered)))


def _bridge(points: Trajectory, observed: Bool[np.ndarray, "T"] | None) -> Trajectory:
    """The points, linearly interpolated in frames that are not observed, and constant beyond the observed ones."""
    if observed is None or observed.all() or not observed.any():
        return points
    kept = np.flatnonzero(observed)
    where = np.interp(np.arange(len(points)), kept, np.arange(len(kept)))
    left, right = np.floor(where).astype(int), np.ceil(where).astype(int)
    weight = (where - left)[:, None, None]
    return (1 - weight) * points[kept[left]] + weight * points[kept[right]]


_CANDIDATES: dict[str, tuple[Setting, ...]] = {
    "gaussian": tuple(Gaussian(sigma) for sigma in (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
    "savgol": tuple(SavitzkyGolay(window) for window in (3, 5, 7, 9, 13, 17, 25)),
    "oneeuro": tuple(OneEuro(cutoff, beta) for cutoff in (0.5, 1.0, 2.0, 4.0, 8.0) for beta in (0.0, 1.0, 5.0, 20.0)),
    "kalman": tuple(Kalman(ratio) for ratio in (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, 10.0)),
}
_FRAMES: tuple[Frame, ...] = ("world", "object")
FILTERS = tuple(
    Filter(settings, frame, name=f"filter:{kind}:{frame}", label=f"{kind}:{frame}")
    for frame in _FRAMES
    for kind, settings in _CANDIDATES.items()
)
"""Every filter in each frame of reference. The range of its settings goes from nearly no smoothing to too much."""
