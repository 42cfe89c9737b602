"""Contact of the hands with the object in each frame, per vertex and per joint: a plain .npz.

For each hand ("right_...", "left_..."): vertex_distance (T, V), the signed distance of each vertex of the skin from the
object's surface, metres, negative inside; vertex_contact (T, V), whether it is at most 5 mm; joint_distance (T, 21) of
the joints, in OpenPose's order, which lie 10 to 20 mm below the skin; and, for a hand model's mesh, bone_contact (T,
16): whether a vertex that is bound to the bone most is in contact, in the order of MANO's joints. NaN and false where
the hand is lost. Of an object of several parts the nearest counts.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_arrays
from toch_jax.exporters.keypoints import hand_names, object_matrices
from toch_jax.exporters.mano import hide_lost, lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.metrics.contact import CONTACT_DISTANCE_M, Part, object_parts, signed_distances
from toch_jax.sequence.derived import hand_meshes, hand_models
from toch_jax.sequence.types import Sequence


def write_contact(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write distances and contact. Raises InputError if the hands are joints alone."""
    meshes, models = hand_meshes(sequence), hand_models(sequence)
    if meshes.vertices is None:
        expected = "a skin (toch denoise --hand model writes it)"
        raise bad_input(sequence.source, "hand", expected, "joints alone")
    of_vertices = signed_distances_of(sequence, hide_lost(sequence, np.asarray(meshes.vertices)))
    joints = None if meshes.joints is None else signed_distances_of(sequence, hide_lost(sequence, meshes.joints))
    record: dict[str, np.ndarray] = {"fps": np.array(sequence.fps), "contact_distance": np.array(CONTACT_DISTANCE_M)}
    for hand, name in enumerate(hand_names(sequence.hand_side)):
        distance = of_vertices[hand]
        contact = distance <= CONTACT_DISTANCE_M
        record |= {f"{name}_vertex_distance": distance.astype(np.float32), f"{name}_vertex_contact": contact}
        if joints is not None:
            record[f"{name}_joint_distance"] = joints[hand].astype(np.float32)
        if meshes.faces is not None:
            weights = np.asarray(models[sequence.hand_side[hand]].weights)
            record[f"{name}_bone_contact"] = _by_bone(contact, weights)
    write_arrays(path, record)
    return (f"contact: at most {1e3 * CONTACT_DISTANCE_M:g} mm from the object", *lost_remark(sequence, "are NaN"))


def signed_distances_of(sequence: Sequence, points: Float[np.ndarray, "H T K 3"]) -> Float[np.ndarray, "H T K"]:
    """The signed distance of points in the world from the object, metres; NaN in frames with points that are NaN."""
    mesh = tuple(map(np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)))
    parts = object_parts(*mesh)
    poses = [object_matrices(sequence, part) for part in range(len(parts))]
    return np.stack([_distance(own, parts, poses) for own in points])


def _distance(
    points: Float[np.ndarray, "T K 3"], parts: list[Part], poses: list[Float[np.ndarray, "T 4 4"]]
) -> Float[np.ndarray, "T K"]:
    """The signed distance of points in the world from the nearest part; NaN of points that are NaN."""
    known = np.isfinite(points).all(axis=(1, 2))
    nearest = np.full(points.shape[:2], np.nan)
    for part, pose in zip(parts, poses, strict=True):
        local = np.einsum("tba,tkb->tka", pose[known, :3, :3], points[known] - pose[known, None, :3, 3])
        nearest[known] = np.fmin(nearest[known], signed_distances(local, part, reach=np.inf))
    return nearest


def _by_bone(contact: Bool[np.ndarray, "T V"], weights: Float[np.ndarray, "V 16"]) -> Bool[np.ndarray, "T 16"]:
    bone = weights.argmax(axis=1)
    return np.stack([contact[:, bone == each].any(axis=1) for each in range(weights.shape[1])], axis=1)
