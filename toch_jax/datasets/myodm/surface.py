"""The exact signed distance from moving points to a mesh, taken again only where it may have changed."""

import igl
import numpy as np
import trimesh
from flax import struct
from jaxtyping import Array, Float

from toch_jax.datasets.myodm.surrogate import BONES

# A distance is as good as exact this near to where it was taken, metres.
STILL = 2e-4


class Surface(struct.PyTreeNode):
    """The object's signed distance about each point of the hand: value + slope . (x - at)."""

    at: Float[Array | np.ndarray, "T P 3"]
    value: Float[Array | np.ndarray, "T P"]
    slope: Float[Array | np.ndarray, "T P 3"]


def outside(mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"]) -> Surface:
    """All that is known before distances are taken: those to the mesh's box, with slope 0."""
    low, high = mesh.bounds
    beyond = np.maximum(np.maximum(low - points, points - high), 0.0)
    return Surface(points, np.linalg.norm(beyond, axis=-1).astype(np.float32), np.zeros(points.shape, np.float32))


def surface_about(
    mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"], before: Surface, felt: float | Float[np.ndarray, "P"]
) -> Surface:
    """The signed distance to the mesh, taken anew where points have moved and may be within `felt` metres of it."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    moved = np.linalg.norm(points - before.at, axis=-1)
    is_taken = (before.slope != 0).any(axis=-1)
    stale = ((moved > STILL) | ~is_taken) & (np.abs(before.value) - moved < felt)
    at, value, slope = before.at.copy(), before.value.copy(), before.slope.copy()
    if stale.any():
        query = np.ascontiguousarray(points[stale], np.float64)
        squared, face, foot = igl.point_mesh_squared_distance(query, vertices, faces)
        # What moved less than its distance is still on the same side.
        inside = before.value[stale] < 0
        may_cross = (~is_taken | (moved >= np.abs(before.value)))[stale]
        if may_cross.any():
            inside[may_cross] = igl.fast_winding_number(vertices, faces, query[may_cross]) > 0.5
        distance = np.where(inside, -1.0, 1.0) * np.sqrt(squared)
        # On the surface itself the way to it has no direction: the face's normal has.
        is_off = np.abs(distance) > 1e-5
        away = (query - foot) / np.where(is_off, distance, 1.0)[:, None]
        at[stale], value[stale] = query, distance
        slope[stale] = np.where(is_off[:, None], away, mesh.face_normals[face])
    return Surface(at, value, slope)


def bone_distances(
    mesh: trimesh.Trimesh, joints: Float[np.ndarray, "T 21 3"], reach: float
) -> Float[np.ndarray, "T 16"]:
    """How near each bone (by the joint it hangs from; the palm's four by the wrist) comes to the surface, signed.

    Exact within `reach` metres; beyond, only that it is further than that.
    """
    shares = np.linspace(0.0, 1.0, 8)[None, None, :, None]
    points = joints[:, BONES[:, 0], None] * (1 - shares) + joints[:, BONES[:, 1], None] * shares
    points = points.reshape(len(joints), -1, 3)
    distance = surface_about(mesh, points, outside(mesh, points), reach).value
    nearest = np.asarray(distance).reshape(len(joints), len(BONES), -1).min(axis=2)
    return np.stack([nearest[:, BONES[:, 0] == joint].min(axis=1) for joint in range(16)], axis=1)
