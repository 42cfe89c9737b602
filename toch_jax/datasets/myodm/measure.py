"""How well a retargeted clip holds: contact, depth, nearness to the bony hand, smoothness."""

import dataclasses

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from toch_jax.datasets.myodm.skeleton import Motion
from toch_jax.datasets.myodm.surface import bone_distances, outside, surface_about
from toch_jax.datasets.myodm.surrogate import DIGITS
from toch_jax.datasets.myodm.walls import passages, paths
from toch_jax.hand.model import HandModel, HandParams, skin_frames

BONE_NEAR_M = 0.006
"""A bone this near the object is grasping it: its flesh is thicker."""
# The data set's test of a grasp: see `grasp` in data_specs/myodm.toml.
TOUCH_M, MAX_DEPTH_M, MIN_DIGITS = 0.002, 0.003, 3


@dataclasses.dataclass(frozen=True)
class Report:
    """One clip. Millimetres, metres a second squared, shares of frames; `nan` where there is no such frame."""

    frames: int
    bony_share: float
    """Frames in which a bone of the source's digits is within `BONE_NEAR_M` of the object."""
    bony_depth_mm: float
    """How deep the source's bones go into the object."""
    touch_share: float
    """Of the bony frames, those in which the skin is within 2 mm of the surface."""
    grasp_share: float
    """Of the bony frames, those that pass the grasp test of the data set."""
    depth_max_mm: float
    depth_mean_mm: float
    """Mean over the bony frames of the deepest vertex."""
    pierced_share: float
    """Frames in which the object passes through a digit's bone."""
    joint_error_mm: float
    """From the source's joint centres to the open hand's, whose proportions differ."""
    acceleration: float
    source_acceleration: float
    """Root mean square over joints and frames."""


def measure(
    model: HandModel, params: HandParams, mesh: trimesh.Trimesh, motion: Motion
) -> tuple[Report, Bool[np.ndarray, "T"]]:
    """The report, and which frames are grasps."""
    vertices, joints = (np.asarray(x, np.float64) for x in skin_frames(model, params))
    skin = in_object(motion, vertices)
    distance = np.asarray(surface_about(mesh, skin, outside(mesh, skin), 2 * MAX_DEPTH_M).value)
    bone = np.asarray(model.weights).argmax(axis=1)
    touching = np.stack([distance[:, np.isin(bone, digit)].min(axis=1) <= TOUCH_M for digit in DIGITS], axis=1)
    depth = np.maximum(0.0, -distance.min(axis=1))
    pierced = np.isin(np.arange(len(depth)), passages(mesh, paths(in_object(motion, joints))).where[:, 0])
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
    """World points in the object's frame."""
    return np.einsum("tba,tkb->tka", motion.rotation, points - motion.translation[:, None])


def _acceleration(points: Float[np.ndarray, "T K 3"], fps: float) -> float:
    second = np.diff(points, n=2, axis=0) * fps**2
    return float(np.sqrt((second**2).sum(axis=-1).mean()))
