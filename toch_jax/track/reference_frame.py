"""The frame of reference in which a hand's motion is smooth: the object's if the hand is near it, else the world's.

A hand that holds an object moves with it. A hand that is far away does not, and in the object's frame it would take
over the errors of the object's tracked motion.
"""

from typing import NamedTuple

import igl
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.record import nearest_observed
from toch_jax.sequence.types import Sequence

NEAR, FAR = 0.05, 0.1
"""Distance (metres) of the nearest joint from the surface up to which the frame is the object's, and from which it is
the world's. Joints of hands that hold something are 10 to 20 mm from it; chosen by hand beyond that."""
SOFTEN_TIME = 0.1
"""Standard deviation of the Gaussian that smooths the change from one frame to the other, seconds; chosen by hand."""


class Pose(NamedTuple):
    """Pose of a frame of reference in another, for each frame of the clip: x -> rotation x + translation (metres)."""

    rotation: Float[np.ndarray, "T 3 3"]
    translation: Float[np.ndarray, "T 3"]


def relative_pose(pose: Pose, origin: Pose) -> Pose:
    """`pose` as seen from `origin`; both are given in the same third frame of reference."""
    back = np.swapaxes(origin.rotation, 1, 2)
    moved = np.einsum("tab,tb->ta", back, pose.translation - origin.translation)
    return Pose((back @ pose.rotation).astype(np.float32), moved.astype(np.float32))


def fit_frame(sequence: Sequence, part: int, joints: Float[Array, "T 21 3"], observed: Bool[np.ndarray, "T"]) -> Pose:
    """Pose in the world of the frame of reference in which a hand's motion is smooth.

    The hand handles the object's part `part`; its `joints` are in the world.
    """
    return reference_frame(part_pose(sequence, part), surface_distance(sequence, part, joints, observed), sequence.fps)


def surface_distance(
    sequence: Sequence, part: int, joints: Float[Array | np.ndarray, "T 21 3"], observed: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "T"]:
    """Distance of the nearest of a hand's `joints` (world) from a part's surface, metres.

    Frames that were not `observed` do not show where the hand is: they have that of the nearest observed frame.
    """
    pose = part_pose(sequence, part)
    local = np.einsum("tba,tjb->tja", pose.rotation, np.asarray(joints) - pose.translation[:, None])
    n_frames, n_joints = local.shape[:2]
    query = np.ascontiguousarray(local.reshape(-1, 3), np.float64)
    squared = igl.point_mesh_squared_distance(query, *part_mesh(sequence, part))[0]
    distance = np.sqrt(squared.reshape(n_frames, n_joints).min(axis=1))
    return distance[nearest_observed(observed)]


def near_share(distance: Float[np.ndarray, "T"], fps: float) -> Float[np.ndarray, "T"]:
    """Weight of the object's frame in each frame, 0 where the hand is FAR to 1 where it is NEAR, smooth in time."""
    rise = np.clip((FAR - distance) / (FAR - NEAR), 0, 1)
    share = rise**2 * (3 - 2 * rise)
    return np.minimum(1, np.maximum(share, gaussian_filter1d(share, SOFTEN_TIME * fps, mode="nearest")))


def reference_frame(pose: Pose, distance: Float[np.ndarray, "T"], fps: float) -> Pose:
    """Pose of the frame in the world, from the object's pose and the hand's distance from the object (metres).

    While the hand is far, the frame is at rest, or moves evenly from the object's pose when the hand left it to its
    pose when the hand returned. For a hand that never comes near, the frame rests at the object's first pose.
    """
    share = near_share(distance, fps)
    if share.min() == 1:
        return pose
    near = np.flatnonzero(share > 0.5)
    if not len(near):
        near = np.array([0])
    frames = np.clip(np.arange(len(distance)), near[0], near[-1])
    held = Rotation.from_matrix(pose.rotation[near])
    resting = held if len(near) == 1 else Slerp(near, held)(frames)
    rotation = np.broadcast_to(resting.as_matrix(), pose.rotation.shape)
    translation = np.stack([np.interp(frames, near, pose.translation[near, axis]) for axis in range(3)], axis=1)
    onward = Rotation.from_matrix(np.swapaxes(rotation, 1, 2) @ pose.rotation).as_rotvec()
    blended = rotation @ Rotation.from_rotvec(share[:, None] * onward).as_matrix()
    return Pose(blended, translation + share[:, None] * (pose.translation - translation))


def part_mesh(sequence: Sequence, part: int) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """A part's surface in its own frame: the object's vertices (metres), and the faces that are the part's."""
    faces, of_vertex = np.asarray(sequence.object_faces, np.int64), np.asarray(sequence.object_vertex_part)
    return np.asarray(sequence.object_vertices, np.float64), faces[(of_vertex[faces] == part).all(axis=1)]


def part_pose(sequence: Sequence, part: int) -> Pose:
    """A part's pose in the world."""
    motion = sequence.object_motion
    return Pose(np.asarray(motion.rotation[part], np.float64), np.asarray(motion.translation[part], np.float64))


def parts_in_frame(sequence: Sequence, frame: Pose) -> ObjectMotion:
    """Motion of all parts relative to a frame of reference."""
    poses = [relative_pose(part_pose(sequence, part), frame) for part in range(len(sequence.object_motion.translation))]
    return ObjectMotion(*(put(np.stack(each), np.float32) for each in zip(*poses, strict=True)))
