"""Exact signed distances from moving points to a mesh, recomputed only for points whose distance may have changed."""

import igl
import numpy as np
import trimesh
from flax import struct
from jaxtyping import Array, Float

from toch_jax.datasets.myodm.surrogate import BONES

# A point that has moved less than this (m) since its distance was computed is not recomputed.
STILL = 2e-4


class Surface(struct.PyTreeNode):
    """Linearised signed distance to the object for each point of the hand: value + slope . (x - at), metres."""

    at: Float[Array | np.ndarray, "T P 3"]
    value: Float[Array | np.ndarray, "T P"]
    slope: Float[Array | np.ndarray, "T P 3"]


def outside(mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"]) -> Surface:
    """Initial Surface: distances to the mesh's bounding box (0 inside it), with slope 0."""
    low, high = mesh.bounds
    beyond = np.maximum(np.maximum(low - points, points - high), 0.0)
    return Surface(points, np.linalg.norm(beyond, axis=-1).astype(np.float32), np.zeros(points.shape, np.float32))


def surface_about(
    mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"], before: Surface, felt: float | Float[np.ndarray, "P"]
) -> Surface:
    """The signed distance, recomputed for points that have moved since `before` and may be within `felt` metres."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    moved = np.linalg.norm(points - before.at, axis=-1)
    is_taken = (before.slope != 0).any(axis=-1)
    stale = ((moved > STILL) | ~is_taken) & (np.abs(before.value) - moved < felt)
    at, value, slope = before.at.copy(), before.value.copy(), before.slope.copy()
    if stale.any():
        query = np.ascontiguousarray(points[stale], np.float64)
        squared, face, foot = igl.point_mesh_squared_distance(query, vertices, faces)
        # A point that moved less than its distance is still on the same side of the surface.
        inside = before.value[stale] < 0
        may_cross = (~is_taken | (moved >= np.abs(before.value)))[stale]
        if may_cross.any():
            inside[may_cross] = igl.fast_winding_number(vertices, faces, query[may_cross]) > 0.5
        distance = np.where(inside, -1.0, 1.0) * np.sqrt(squared)
        # On the surface itself the direction to the nearest point is undefined: use the face's normal.
        is_off = np.abs(distance) > 1e-5
        away = (query - foot) / np.where(is_off, distance, 1.0)[:, None]
        at[stale], value[stale] = query, distance
        slope[stale] = np.where(is_off[:, None], away, mesh.face_normals[face])
    return Surface(at, value, slope)


def bone_distances(
    mesh: trimesh.Trimesh, joints: Float[np.ndarray, "T 21 3"], reach: float
) -> Float[np.ndarray, "T 16"]:
    """Signed distance (m) of the nearest point of each bone to the surface, indexed by the joint at the bone's root.

    The palm's four bones count as one, at the wrist. Exact up to `reach` metres; a lower bound beyond.
    """
    shares = np.linspace(0.0, 1.0, 8)[None, None, :, None]
    points = joints[:, BONES[:, 0], None] * (1 - shares) + joints[:, BONES[:, 1], None] * shares
    points = points.reshape(len(joints), -1, 3)
    distance = surface_about(mesh, points, outside(mesh, points), reach).value
    nearest = np.asarray(distance).reshape(len(joints), len(BONES), -1).min(axis=2)
    return np.stack([nearest[:, BONES[:, 0] == joint].min(axis=1) for joint in range(16)], axis=1)
