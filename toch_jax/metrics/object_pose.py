"""Acceleration of an object's motion, and its errors: these only of methods, or of inputs, whose object is not true."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from toch_jax.metrics.arctic import posed_points
from toch_jax.metrics.contact import Part
from toch_jax.metrics.joints import MM, mpjpe_mm
from toch_jax.metrics.metric import Metric
from toch_jax.metrics.motion import acceleration_error_m_s2, acceleration_m_s2
from toch_jax.object.model import ObjectMotion

MOST_POINTS = 500
"""Largest number of a part's vertices, evenly spread over their list, that ADD and ADD-S average over."""
REST_SPEED = 0.02
"""Speed (m/s) of the fastest true corner of a part's box below which the part rests; chosen by hand, above the jitter
of resting objects in motion capture."""

METRICS: dict[str, Metric] = {}


def object_translation_mm(parts: list[Part], motion: ObjectMotion, truth: ObjectMotion) -> float:
    """Mean distance of the middles of the parts' bounding boxes from the true ones."""
    return mpjpe_mm(_middles(parts, motion), _middles(parts, truth))


METRICS["object_translation"] = Metric("mm", "mean error of the position of the middle of each object part's box", True)


def object_rotation_deg(motion: ObjectMotion, truth: ObjectMotion) -> float:
    """Mean angle between the parts' rotations and the true ones."""
    chord = np.asarray(motion.rotation, np.float64) - np.asarray(truth.rotation, np.float64)
    # |A - B| = 2 sqrt(2) sin(angle / 2): accurate for small angles too
    half_sine = np.linalg.norm(chord, axis=(-2, -1)) / np.sqrt(8)
    return float(np.degrees(2 * np.arcsin(np.clip(half_sine, 0, 1))).mean())


METRICS["object_rotation"] = Metric("deg", "mean angle by which each object part is rotated off the truth", True)


def add_mm(parts: list[Part], motion: ObjectMotion, truth: ObjectMotion) -> float:
    """ADD (Hinterstoisser et al. 2012): mean distance of the object's vertices from where they truly are."""
    errors = [
        np.linalg.norm(posed_points(points, motion, number) - posed_points(points, truth, number), axis=-1)
        for number, points in enumerate(map(_some, parts))
    ]
    return float(np.concatenate(errors, axis=1).mean() * MM)


METRICS["object_add"] = Metric("mm", "ADD: mean distance of the object's vertices from where they truly are")


def add_s_mm(parts: list[Part], motion: ObjectMotion, truth: ObjectMotion) -> float:
    """ADD-S: mean distance of the object's vertices from the nearest true vertex of their part.

    It does not count a rotation within an object's symmetry (PoseCNN, Xiang et al. 2018).
    """
    errors = []
    for number, part in enumerate(parts):
        rotation, translation = (np.asarray(each[number], np.float64) for each in (truth.rotation, truth.translation))
        local = np.einsum("tba,tkb->tka", rotation, posed_points(_some(part), motion, number) - translation[:, None])
        errors.append(cKDTree(part.vertices).query(local)[0])
    return float(np.concatenate(errors, axis=1).mean() * MM)


METRICS["object_add_s"] = Metric("mm", "ADD-S: mean distance of the object's vertices from the nearest true vertex")


def object_acceleration_error_m_s2(parts: list[Part], motion: ObjectMotion, truth: ObjectMotion, fps: float) -> float:
    """Mean length of the difference of accelerations of the middles of the parts' bounding boxes."""
    return acceleration_error_m_s2(_middles(parts, motion), _middles(parts, truth), fps)


METRICS["object_acceleration_error"] = Metric(
    "m/s2", "mean length of the difference of accelerations of the middle of each object part's box"
)


def object_acceleration_m_s2(
    parts: list[Part], motion: ObjectMotion, fps: float, frames: Bool[np.ndarray, "P T"] | None = None
) -> float:
    """Mean acceleration of the corners of the parts' bounding boxes, so that rotation counts; nan if no frame counts.

    Three frames in a row count for a part if all are among `frames` (None: all are).
    """
    shaken = [
        acceleration_m_s2(corners, fps, None if frames is None else frames[number])
        for number, corners in enumerate(box_corners(parts, motion))
    ]
    known = [each for each in shaken if np.isfinite(each)]
    return float(np.mean(known)) if known else float("nan")


METRICS["object_acceleration"] = Metric(
    "m/s2", "mean acceleration (no error) of the corners of each object part's box", True
)
METRICS["object_acceleration_rest"] = Metric(
    "m/s2", f"the same in the frames in which the part truly rests: all corners slower than {REST_SPEED * 1e3:g} mm/s"
)


def resting_frames(parts: list[Part], motion: ObjectMotion, fps: float) -> Bool[np.ndarray, "P T"]:
    """The frames in which each part's corners are slower than REST_SPEED, on the way to the next frame and from the
    one before."""
    rests = []
    for corners in box_corners(parts, motion):
        slow = (np.linalg.norm(np.diff(corners, axis=0), axis=-1) * fps < REST_SPEED).all(axis=-1)
        rests.append(np.append(slow, True) & np.append(True, slow))
    return np.stack(rests)


def box_corners(parts: list[Part], motion: ObjectMotion) -> list[Float[np.ndarray, "T 8 3"]]:
    """Corners in the world of each part's bounding box, which is axis-aligned in the part's frame; metres."""
    corners = []
    for number, part in enumerate(parts):
        ends = np.stack([part.vertices.min(axis=0), part.vertices.max(axis=0)])
        box = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(8, 3)
        corners.append(posed_points(box, motion, number))
    return corners


def mpjpe_in_object_mm(
    joints: Float[np.ndarray, "T J 3"],
    true_joints: Float[np.ndarray, "T J 3"],
    motion: ObjectMotion,
    truth: ObjectMotion,
    part: int,
) -> float:
    """Mean distance of the joints (world) from the true ones, each seen from its own motion of the object's `part`."""
    seen, true = (
        np.einsum("tba,tjb->tja", np.asarray(each.rotation[part]), points - np.asarray(each.translation[part])[:, None])
        for each, points in ((motion, joints), (truth, true_joints))
    )
    return mpjpe_mm(seen, true)


METRICS["mpjpe_in_object"] = Metric("mm", "mpjpe in the frame of the object's part that the hand is nearest to", True)


def _middles(parts: list[Part], motion: ObjectMotion) -> Float[np.ndarray, "T P 3"]:
    """Middles of the parts' bounding boxes in the world, metres."""
    boxes = [(part.vertices.min(axis=0) + part.vertices.max(axis=0)) / 2 for part in parts]
    return np.concatenate([posed_points(box[None], motion, number) for number, box in enumerate(boxes)], axis=1)


def _some(part: Part) -> Float[np.ndarray, "K 3"]:
    """At most MOST_POINTS of the part's vertices."""
    count = min(len(part.vertices), MOST_POINTS)
    return part.vertices[np.linspace(0, len(part.vertices) - 1, count).round().astype(int)]
