"""How well a retargeted clip holds: contact, depth, nearness to the bony hand, smoothness."""

import dataclasses

import numpy as np
import trimesh
from jaxtyping import Bool, Float

from toch_jax.datasets.myodm.retarget import bone_distances
from toch_jax.datasets.myodm.skeleton import Motion
from toch_jax.datasets.open_grasps.check import measure_contact
from toch_jax.hand.model import HandModel, HandParams, skin_frames

BONE_NEAR_M = 0.006
"""A bone this near the object is grasping it: its flesh is thicker."""


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
    contact = measure_contact(model, in_object(motion, vertices), in_object(motion, joints), mesh)
    to_bones = bone_distances(mesh, in_object(motion, motion.joints))
    bony = to_bones[:, 1:].min(axis=1) < BONE_NEAR_M
    depth = 1e3 * contact.depth
    touching = np.asarray(contact.touching.any(axis=1))

    def among(values: np.ndarray) -> float:
        return float(values[bony].mean()) if bony.any() else float("nan")

    report = Report(
        frames=len(bony),
        bony_share=float(bony.mean()),
        bony_depth_mm=float(1e3 * max(0.0, -to_bones.min())),
        touch_share=among(touching),
        grasp_share=among(contact.is_grasp),
        depth_max_mm=float(depth.max()),
        depth_mean_mm=among(depth),
        joint_error_mm=float(1e3 * np.linalg.norm(joints - motion.joints, axis=-1).mean()),
        acceleration=_acceleration(joints, motion.fps),
        source_acceleration=_acceleration(motion.joints, motion.fps),
    )
    return report, contact.is_grasp


def in_object(motion: Motion, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    """World points in the object's frame."""
    return np.einsum("tba,tkb->tka", motion.rotation, points - motion.translation[:, None])


def _acceleration(points: Float[np.ndarray, "T K 3"], fps: float) -> float:
    second = np.diff(points, n=2, axis=0) * fps**2
    return float(np.sqrt((second**2).sum(axis=-1).mean()))
