"""Errors of points (joints or vertices), and of their standard deviations. Points in metres, errors in millimetres."""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from toch_jax.metrics.metric import Metric

Points = Float[np.ndarray, "*batch K 3"]

MM = 1e3
"""Millimetres per metre."""
PCK_M = 0.02
"""Threshold of the PCK metric, metres; chosen by hand."""
AUC_M = 0.05
"""Largest threshold of the AUC metric, metres: that of HO-3D's evaluation (Hampali et al. 2020)."""
LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 90)
"""Nominal levels of the intervals, per cent."""

METRICS: dict[str, Metric] = {}
CALIBRATION: dict[str, Metric] = {}


def mpjpe_mm(predicted: Points, truth: Points) -> float:
    """Mean distance between corresponding points, without alignment: MPJPE for joints, MPVPE for vertices."""
    return float(np.linalg.norm(predicted - truth, axis=-1).mean() * MM)


METRICS["mpjpe"] = Metric("mm", "mean distance of the 21 joints (16 and the tips), nothing aligned, all frames", True)
METRICS["mpjpe_missing"] = Metric("mm", "mpjpe on the frames that the tracker lost", True)
METRICS["mpjpe_right"] = Metric("mm", "mpjpe of the right hand; clips of several hands", True)
METRICS["mpjpe_left"] = Metric("mm", "mpjpe of the left hand; clips of several hands", True)


def mpjpe_root_mm(predicted: Points, truth: Points, root: int = 0) -> float:
    """`mpjpe_mm` after the root (the wrist is joint 0) of each frame is moved to the origin."""
    return mpjpe_mm(predicted - predicted[..., root : root + 1, :], truth - truth[..., root : root + 1, :])


METRICS["mpjpe_root"] = Metric("mm", "mpjpe after the wrist (joint 0) of each frame is moved to the origin")


def mpjpe_object_mm(
    predicted: Points,
    truth: Points,
    predicted_centroid: Float[np.ndarray, "*batch 3"],
    true_centroid: Float[np.ndarray, "*batch 3"],
) -> float:
    """`mpjpe_mm` after the object's centroid is moved to the origin (ContactOpt's objalign).

    It differs from `mpjpe_mm` only where the object was estimated too.
    """
    return mpjpe_mm(predicted - predicted_centroid[..., None, :], truth - true_centroid[..., None, :])


METRICS["mpjpe_object"] = Metric(
    "mm", "mpjpe after the centre of the object's box is moved to the origin (as ContactOpt)"
)


def procrustes(predicted: Points, truth: Points, scale: bool = False) -> Points:
    """`predicted`, each frame aligned to `truth` by the least-squares rotation and translation, with `scale` if true.

    ContactOpt aligns without scale, HO-3D's server with it. Closed form of Umeyama 1991, without reflections.
    """
    from_mean, to_mean = predicted.mean(axis=-2, keepdims=True), truth.mean(axis=-2, keepdims=True)
    source, target = predicted - from_mean, truth - to_mean
    u, strength, vt = np.linalg.svd(np.swapaxes(target, -1, -2) @ source)
    sign = np.ones_like(strength)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[..., None, :]) @ vt
    factor = np.ones_like(from_mean[..., :1])
    if scale:
        spread = np.maximum((source**2).sum(axis=(-1, -2)), np.finfo(source.dtype).tiny)
        factor = ((strength * sign).sum(axis=-1) / spread)[..., None, None]
    return factor * source @ np.swapaxes(rotation, -1, -2) + to_mean


def mpjpe_pa_mm(predicted: Points, truth: Points, scale: bool = False) -> float:
    """`mpjpe_mm` after `procrustes`: the PA-MPJPE, in ContactOpt without scale and in HO-3D with scale."""
    return mpjpe_mm(procrustes(predicted, truth, scale), truth)


METRICS["mpjpe_pa"] = Metric("mm", "mpjpe after the best rotation and translation of each frame (ContactOpt's)", True)
METRICS["mpjpe_pa_scale"] = Metric("mm", "mpjpe after the best rotation, translation and scale of each frame (HO-3D's)")
# `mpjpe_mm` of other points
METRICS["mpvpe"] = Metric("mm", "mean distance of the skin's vertices (GrabNet's vertex-to-vertex error), not aligned")
METRICS["mpcpe"] = Metric(
    "mm", "mean per-corner position error (MPCPE): distance of the corners of each object part's box"
)


def pck(predicted: Points, truth: Points, threshold_m: float = PCK_M) -> float:
    """Share of points at most `threshold_m` metres from the truth."""
    return float((np.linalg.norm(predicted - truth, axis=-1) <= threshold_m).mean())


METRICS["pck"] = Metric("%", f"joints within {PCK_M * 1e3:g} mm (3D-PCK), not aligned")


def auc(predicted: Points, truth: Points, up_to_m: float = AUC_M) -> float:
    """Area under `pck` over thresholds from 0 to `up_to_m` (HO-3D: 50 mm), at most 1; exact, not from sampled ones."""
    error = np.linalg.norm(predicted - truth, axis=-1)
    return float(np.clip(1 - error / up_to_m, 0, None).mean())


METRICS["auc"] = Metric("%", f"area under 3D-PCK from 0 to {AUC_M * 1e3:g} mm, exact, not aligned")


def inside_interval(error: Float[np.ndarray, "*batch 3"], sigma: Float[np.ndarray, "*batch"], level: int) -> float:
    """Share of the coordinates of `error` within the central normal interval of `level` per cent.

    `sigma` is one standard deviation of each of the point's three coordinates. A calibrated one gives `level` / 100.
    """
    reach = ndtri(0.5 + level / 200) * sigma[..., None]
    return float((np.abs(error) <= reach).mean())


CALIBRATION |= {
    f"inside_{level}": Metric(
        "%", f"coordinates of joint errors inside the {level} % interval of the method's sigma", level in (50, 90)
    )
    for level in LEVELS
}
