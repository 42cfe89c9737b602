"""Hinged objects as ARCTIC lays them out; open_grasps makes its own in the same way.

Two parts, bottom and top, in one frame whose origin lies on the hinge. As the hinge's angle increases from 0 (closed),
the top rotates about HINGE.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

BOTTOM, TOP = 0, 1
HINGE = np.array([0.0, 0.0, -1.0])
"""Rotation axis of the top in the object's frame (zc-alexfan/arctic: common/object_tensors.py)."""


@dataclass(frozen=True)
class HingedObject:
    """Mesh of both parts in one frame, at hinge angle 0; metres. A rigid object has a bottom only."""

    vertices: Float[np.ndarray, "Vo 3"]
    faces: Int[np.ndarray, "Fo 3"]
    vertex_part: Int[np.ndarray, "Vo"]
    """BOTTOM or TOP."""


def hinge_rotation(angle: Float[np.ndarray, "T"]) -> Rotation:
    """Rotation of the top in the bottom's frame for hinge angles in radians."""
    return Rotation.from_rotvec(np.asarray(angle)[:, None] * HINGE)


def part_motion(
    angle: Float[np.ndarray, "T"], rotation: Float[np.ndarray, "T 3"], translation: Float[np.ndarray, "T 3"]
) -> tuple[Float[np.ndarray, "2 T 3"], Float[np.ndarray, "2 T 3"]]:
    """Axis-angle rotation and translation (m) of bottom and top in the world, from the hinge angle and the bottom's."""
    bottom = Rotation.from_rotvec(rotation)
    top = bottom * hinge_rotation(angle)
    return np.stack([bottom.as_rotvec(), top.as_rotvec()]), np.stack([translation] * 2)
