"""Quality measures of a retargeted clip: contact, penetration depth, distance to the source's joints, smoothness."""

import dataclasses

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from toch_jax.datasets.examples import MAX_DEPTH_M, MIN_DIGITS, TOUCH_M
from toch_jax.datasets.myodm.hand_points import DIGITS
from toch_jax.datasets.myodm.object_distance import bone_distances, box_surface, digit_paths, piercings, surface_about
from toch_jax.datasets.myodm.skeleton import Motion
from toch_jax.hand.model import HandModel, HandParams, skin_frames

BONE_NEAR_M = 0.006
"""Distance (m) of a finger bone to the object below which the source hand grasps it: soft tissue is thicker."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Measures of one clip: mm, m/s^2, fractions of frames. Means over no frames are NaN."""

    frames: int
    bony_share: float
    """Fraction of bony frames: those in which a finger bone of the source is within `BONE_NEAR_M` of the object."""
    bony_depth_mm: float
    """Largest penetration depth of the source's bones into the object."""
    touch_share: float
    """Fraction of the bony frames in which the skin is within 2 mm of the surface."""
    grasp_share: float
    """Fraction of the bony frames that meet the data set's criterion for a grasp."""
    depth_max_mm: float
    """Largest penetration depth of a vertex, over all frames."""
    depth_mean_mm: float
    """Penetration depth of the deepest vertex, mean over the bony frames."""
    pierced_share: float
    """Fraction of frames in which the object passes through a bone."""
    joint_error_mm: float
    """Mean distance between the source's joints and the retargeted hand's, whose proportions differ."""
    acceleration: float
    """Root mean square acceleration of the retargeted joints."""
    source_acceleration: float
    """Root mean square acceleration of the source's joints."""


def measure(
    model: HandModel, params: HandParams, mesh: trimesh.Trimesh, motion: Motion
) -> tuple[Report, Bool[np.ndarray, "T"]]:
    """The clip's report and its grasp frames. `params` are in the world frame, `mesh` in the object's."""
    vertices, joints = (np.asarray(x, np.float64) for x in skin_frames(model, params))
    skin = in_object(motion, vertices)
    distance = np.asarray(surface_about(mesh, skin, box_surface(mesh, skin), 2 * MAX_DEPTH_M).value)
    bone = np.asarray(model.weights).argmax(axis=1)
    touching = np.stack([distance[:, np.isin(bone, digit)].min(axis=1) <= TOUCH_M for digit in DIGITS], axis=1)
    depth = np.maximum(0.0, -distance.min(axis=1))
    pierced = np.isin(np.arange(len(depth)), piercings(mesh, digit_paths(in_object(motion, joints))).where[:, 0])
    grasp = (touching.sum(axis=1) >= MIN_DIGITS) & (depth <= MAX_DEPTH_M) & ~pierced
    to_bones = bone_distances(mesh, in_object(motion, motion.joints), reach=2 * BONE_NEAR_M)
    bony = to_bones[:, 1:].min(axis=1) < BONE_NEAR_M

    def among(values: np.ndarray) -> float:
        return float(values[bony].mean()) if bony.any() else float("nan")

    report = Report(
        frames=len(bony),
        bony_share=float(bony.mean()),
        bony_depth_mm=float(1e3 * max(0.0, -to_bones.min())),
        touch_share=among(distance.min(axis=1) <= TOUCH_M),
        grasp_share=among(grasp),
        depth_max_mm=float(1e3 * depth.max()),
        depth_mean_mm=1e3 * among(depth),
        pierced_share=float(pierced.mean()),
        joint_error_mm=float(1e3 * np.linalg.norm(joints - motion.joints, axis=-1).mean()),
        acceleration=_acceleration(joints, motion.fps),
        source_acceleration=_acceleration(motion.joints, motion.fps),
    )
    return report, grasp


def in_object(motion: Motion, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    """World points, transformed to the object's frame."""
    return np.einsum("tba,tkb->tka", motion.rotation, points - motion.translation[:, None])


def _acceleration(points: Float[np.ndarray, "T K 3"], fps: float) -> float:
    second = np.diff(points, n=2, axis=0) * fps**2
    return float(np.sqrt((second**2).sum(axis=-1).mean()))
