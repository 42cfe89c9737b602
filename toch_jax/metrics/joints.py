"""Errors of points (joints or vertices). Points in metres, errors in millimetres."""

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "*batch K 3"]

MM = 1e3


def mpjpe_mm(predicted: Points, truth: Points) -> float:
    """Mean distance between corresponding points, without alignment: MPJPE for joints, MPVPE for vertices."""
    return float(np.linalg.norm(predicted - truth, axis=-1).mean() * MM)


def root_relative_mpjpe_mm(predicted: Points, truth: Points, root: int = 0) -> float:
    """`mpjpe_mm` after the root (the wrist is joint 0) of each frame is moved to the origin."""
    return mpjpe_mm(predicted - predicted[..., root : root + 1, :], truth - truth[..., root : root + 1, :])


def object_aligned_mpjpe_mm(
    predicted: Points,
    truth: Points,
    predicted_centroid: Float[np.ndarray, "*batch 3"],
    true_centroid: Float[np.ndarray, "*batch 3"],
) -> float:
    """`mpjpe_mm` after the object's centroid is moved to the origin (ContactOpt's objalign).

    It differs from `mpjpe_mm` only where the object was estimated too.
    """
    return mpjpe_mm(predicted - predicted_centroid[..., None, :], truth - true_centroid[..., None, :])


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


def procrustes_mpjpe_mm(predicted: Points, truth: Points, scale: bool = False) -> float:
    """`mpjpe_mm` after `procrustes`: the PA-MPJPE, in ContactOpt without scale and in HO-3D with scale."""
    return mpjpe_mm(procrustes(predicted, truth, scale), truth)


def pck(predicted: Points, truth: Points, threshold_m: float) -> float:
    """Share of points at most `threshold_m` metres from the truth."""
    return float((np.linalg.norm(predicted - truth, axis=-1) <= threshold_m).mean())


def auc(predicted: Points, truth: Points, up_to_m: float = 0.05) -> float:
    """Area under `pck` over thresholds from 0 to `up_to_m` (HO-3D: 50 mm), at most 1; exact, not from sampled ones."""
    error = np.linalg.norm(predicted - truth, axis=-1)
    return float(np.clip(1 - error / up_to_m, 0, None).mean())
