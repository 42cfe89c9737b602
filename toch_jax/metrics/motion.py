"""Accelerations and jerk of trajectories by finite differences. Points in metres.

A difference counts only if all its frames are observed (None: all are); the result is nan if no difference counts.
"""

import numpy as np
from jaxtyping import Bool, Float

from toch_jax.metrics.contact import CONTACT_DISTANCE_M
from toch_jax.metrics.metric import Metric

Trajectory = Float[np.ndarray, "T K 3"]
Frames = Bool[np.ndarray, "T"]

METRICS: dict[str, Metric] = {}


def _mean_difference(points: Trajectory, order: int, observed: Frames | None) -> float:
    """Mean length of the `order`-th difference over frames and points, metres / frame^order."""
    if len(points) <= order:
        return float("nan")
    length = np.linalg.norm(np.diff(points.astype(np.float64), n=order, axis=0), axis=-1)
    if observed is not None:
        length = length[np.lib.stride_tricks.sliding_window_view(observed, order + 1).all(axis=-1)]
    return float(length.mean()) if length.size else float("nan")


def acceleration_m_s2(points: Trajectory, fps: float, observed: Frames | None = None) -> float:
    """Mean acceleration of the points; the metric most sensitive to noise that is independent between frames."""
    return _mean_difference(points, 2, observed) * fps**2


def acceleration_error_mm_frame2(
    predicted: Trajectory, truth: Trajectory, observed: Frames | None = None, root: int | None = None
) -> float:
    """Mean length of the difference of accelerations, mm / frame^2 (as in PAD-Hand).

    Accelerations are relative to those of the point with index `root`, if given.
    """
    error = predicted - truth
    if root is not None:
        error = error - error[:, root : root + 1]
    return _mean_difference(error, 2, observed) * 1e3


def acceleration_error_m_s2(
    predicted: Trajectory, truth: Trajectory, fps: float, observed: Frames | None = None, root: int | None = None
) -> float:
    """Mean length of the difference of accelerations, m / s^2; with `root=0` it is ARCTIC's ACC."""
    return acceleration_error_mm_frame2(predicted, truth, observed, root) * 1e-3 * fps**2


METRICS["acceleration_error"] = Metric("m/s2", "mean length of the joints' difference of accelerations", True)
METRICS["acceleration_error_root"] = Metric("m/s2", "the same relative to the wrist")
METRICS["acceleration_error_frame"] = Metric("mm/frame2", "acceleration_error at the clip's own frame rate")


def jitter_m_s3(points: Trajectory, fps: float, observed: Frames | None = None) -> float:
    """Mean jerk of the points: the "jitter" of Flash and Hogan 1985."""
    return _mean_difference(points, 3, observed) * fps**3


METRICS["jitter"] = Metric("m/s3", "mean jerk of the joints themselves, by third differences")


def hand_object_motion_mm2(skin: Trajectory, touching: Bool[np.ndarray, "T K"]) -> float:
    """Mean squared slip of touching skin points over the object from one frame to the next, mm^2; nan without any.

    `skin` is in the frame of the part that it touches; a point counts if it is `touching` in both frames. Named after
    GeneOH Diffusion's hand-object motion consistency, whose formula is not public. One that is: ARCTIC's MDev.
    """
    both = touching[1:] & touching[:-1]
    slip = ((np.diff(skin.astype(np.float64), axis=0) * 1e3) ** 2).sum(axis=-1)
    return float(slip[both].mean()) if both.any() else float("nan")


METRICS["hand_object_motion"] = Metric(
    "mm2",
    "hand-object motion consistency: mean square of a frame's slip over the object, of the vertices that are "
    f"within {CONTACT_DISTANCE_M * 1e3:g} mm of it in truth in both frames (GeneOH's own formula "
    "is not public; arctic_mdev's is)",
)
