"""Filters as programs that track hands from video truly use them: with fixed constants, whatever the noise."""

from dataclasses import dataclass

from toch_jax.benchmark.methods.filters import Filter, Frame, Gaussian, OneEuro, SavitzkyGolay, Setting, Trajectory
from toch_jax.benchmark.methods.method import Method, Repair


@dataclass(frozen=True)
class CentroidGaussian:
    """Gaussian filter of the mean of the points, with which all move; the hand's turns and fingers are not filtered.

    NVIDIA Video-to-Data (v2d_hand_alignment/lib/smooth_hand_mesh.py), with a standard deviation of 5 frames.
    """

    sigma: float
    """Standard deviation, frames."""

    def __call__(self, points: Trajectory, fps: float) -> Trajectory:
        middle = points.mean(axis=1, keepdims=True)
        return points + Gaussian(self.sigma)(middle, fps) - middle


@dataclass(frozen=True)
class PipelineFilter(Method):
    """A filter with one setting, which has a row of its own in tables; not tuned, and not among the best filters."""

    setting: Setting
    frame: Frame

    def load(self) -> Repair:
        return Filter((self.setting,), self.frame, name=self.name).load()


_SETTINGS: dict[str, Setting] = {
    "gaussian 5 of the centroid": CentroidGaussian(5.0),
    # the defaults of Casiez et al. 2012 (their reference implementation): 1 Hz, and no increase with speed
    "one-euro 1 Hz": OneEuro(1.0, 0.0),
    # as in EgoInfinity and Baidu's TrajectorySmooth
    "savgol 5/2": SavitzkyGolay(5),
}
_FRAMES: tuple[Frame, ...] = ("world", "object")
PIPELINE_FILTERS = tuple(
    PipelineFilter(setting, frame, name=f"{name}:{frame}") for frame in _FRAMES for name, setting in _SETTINGS.items()
)
"""Each of them in each frame of reference."""
