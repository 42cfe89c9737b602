"""Exact distances of a moving hand to the object, and fingers that the object pierces.

Distances are recomputed only for points whose distance may have changed. They cannot free a pierced finger, as both
sides of the object repel: a digit is pierced if its path from the wrist outwards enters the object and leaves it again.
If a small sideways displacement frees the bone (a handle, a stem), it is pushed in that direction. Otherwise the object
is a wall there, and everything beyond is pushed back through the tangent plane at the point of entry.
"""

from typing import NamedTuple

import igl
import numpy as np
import trimesh
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.datasets.myodm.hand_points import BONES, DIGITS, HandPoints

MOVED_M = 2e-4
"""A point that has moved less than this (m) since its distance was computed is not recomputed."""
ON_SURFACE_M = 1e-5
"""Nearer than this (m) the direction to the nearest point of the surface is too uncertain."""
BONE_POINTS = 8
"""Points per bone of which the nearest to the object counts."""
TIP_SHARE = 0.8
"""Fraction of a digit's last segment that counts: the landmark of the tip lies on the skin, beyond the bone."""
SIDE_STEPS = np.array([0.003, 0.006, 0.009, 0.012])
"""Sideways displacements (m) that are tried to free a bone, each in all of SIDE_ANGLES."""
SIDE_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
ENTRY_RADIUS_M = 0.01
"""Points of a bone within this distance (m) of the point of entry are displaced."""


class Surface(struct.PyTreeNode):
    """Linearised signed distance to the object for each point of the hand: value + slope . (x - at), metres."""

    at: Float[Array | np.ndarray, "T P 3"]
    value: Float[Array | np.ndarray, "T P"]
    slope: Float[Array | np.ndarray, "T P 3"]


def box_surface(mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"]) -> Surface:
    """Initial Surface: distances to the mesh's bounding box (0 inside it), with slope 0."""
    low, high = mesh.bounds
    beyond = np.maximum(np.maximum(low - points, points - high), 0.0)
    return Surface(points, np.linalg.norm(beyond, axis=-1).astype(np.float32), np.zeros(points.shape, np.float32))


def surface_about(
    mesh: trimesh.Trimesh, points: Float[np.ndarray, "T P 3"], before: Surface, reach: float | Float[np.ndarray, "P"]
) -> Surface:
    """The signed distance, recomputed for points that have moved since `before` and may be within `reach` metres."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    moved = np.linalg.norm(points - before.at, axis=-1)
    is_computed = (before.slope != 0).any(axis=-1)
    stale = ((moved > MOVED_M) | ~is_computed) & (np.abs(before.value) - moved < reach)
    at, value, slope = before.at.copy(), before.value.copy(), before.slope.copy()
    if stale.any():
        query = np.ascontiguousarray(points[stale], np.float64)
        squared, face, foot = igl.point_mesh_squared_distance(query, vertices, faces)
        # A point that moved less than its distance is still on the same side of the surface.
        inside = before.value[stale] < 0
        may_cross = (~is_computed | (moved >= np.abs(before.value)))[stale]
        if may_cross.any():
            inside[may_cross] = igl.fast_winding_number(vertices, faces, query[may_cross]) > 0.5
        distance = np.where(inside, -1.0, 1.0) * np.sqrt(squared)
        # On the surface itself the direction to the nearest point is undefined: use the face's normal.
        is_off = np.abs(distance) > ON_SURFACE_M
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
    shares = np.linspace(0.0, 1.0, BONE_POINTS)[None, None, :, None]
    points = joints[:, BONES[:, 0], None] * (1 - shares) + joints[:, BONES[:, 1], None] * shares
    points = points.reshape(len(joints), -1, 3)
    distance = surface_about(mesh, points, box_surface(mesh, points), reach).value
    nearest = np.asarray(distance).reshape(len(joints), len(BONES), -1).min(axis=2)
    return np.stack([nearest[:, BONES[:, 0] == joint].min(axis=1) for joint in range(16)], axis=1)


class Piercings(NamedTuple):
    """Points where the M pierced digits enter the object, in the object's frame, metres."""

    where: Int[np.ndarray, "M 3"]
    """Frame, digit, segment of the digit's path."""
    entry: Float[np.ndarray, "M 3"]
    normal: Float[np.ndarray, "M 3"]
    """Surface normal, pointing back towards the root of the digit whatever the mesh's orientation."""


def digit_paths(landmarks: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 5 5 3"]:
    """Polyline from the wrist along each digit; the last segment is shortened to TIP_SHARE."""
    wrist = np.repeat(landmarks[:, None, None, 0], len(DIGITS), axis=1)
    path = np.concatenate([wrist, landmarks[:, DIGITS]], axis=2)
    path[:, :, -1] = (1 - TIP_SHARE) * path[:, :, -2] + TIP_SHARE * path[:, :, -1]
    return path


def piercings(mesh: trimesh.Trimesh, path: Float[np.ndarray, "T D K 3"]) -> Piercings:
    """Points of entry of all paths that enter the mesh and leave it again."""
    start, end = path[:, :, :-1].reshape(-1, 3), path[:, :, 1:].reshape(-1, 3)
    length = np.linalg.norm(end - start, axis=1)
    direction = (end - start) / length[:, None]
    hit, ray, face = _hits(mesh, start, direction)
    along = np.einsum("mk,mk->m", hit - start[ray], direction[ray])
    within = along < length[ray]
    hit, ray, face, along = hit[within], ray[within], face[within], along[within]
    order = np.lexsort((along, ray))
    hit, ray, face = hit[order], ray[order], face[order]
    digit, first, count = np.unique(ray // (path.shape[2] - 1), return_index=True, return_counts=True)
    first, digit = first[count > 1], digit[count > 1]
    normal = mesh.face_normals[face[first]]
    normal = normal * -np.sign(np.einsum("mk,mk->m", normal, direction[ray[first]]))[:, None]
    where = np.stack([digit // path.shape[1], digit % path.shape[1], ray[first] % (path.shape[2] - 1)], axis=1)
    return Piercings(where, hit[first], normal)


def sideways_exits(
    mesh: trimesh.Trimesh, start: Float[np.ndarray, "M 3"], end: Float[np.ndarray, "M 3"]
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M 3"]]:
    """Smallest sideways displacement (m) that frees each bone from the object, and its direction; inf if none does."""
    bone = end - start
    length = np.linalg.norm(bone, axis=1)
    bone = bone / length[:, None]
    side = np.cross(bone, np.eye(3)[np.abs(bone).argmin(axis=1)])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    around = np.cos(SIDE_ANGLES)[:, None] * side[:, None] + np.sin(SIDE_ANGLES)[:, None] * np.cross(bone, side)[:, None]
    # axes: bone, displacement, direction
    moved = start[:, None, None] + SIDE_STEPS[:, None, None] * around[:, None]
    shape = moved.shape[:3]
    origins, directions = moved.reshape(-1, 3), np.broadcast_to(bone[:, None, None], moved.shape).reshape(-1, 3)
    hit, ray, _ = _hits(mesh, origins, directions)
    near = np.linalg.norm(hit - origins[ray], axis=1) < np.broadcast_to(length[:, None, None], shape).reshape(-1)[ray]
    blocked = np.zeros(len(origins), dtype=bool)
    blocked[ray[near]] = True
    free = ~blocked.reshape(len(start), SIDE_STEPS.size * SIDE_ANGLES.size)
    first = free.argmax(axis=1)
    far = np.where(free.any(axis=1), SIDE_STEPS[first // len(SIDE_ANGLES)], np.inf)
    return far, around[np.arange(len(start)), first % len(SIDE_ANGLES)]


def freed_surface(
    mesh: trimesh.Trimesh, hand: HandPoints, points: Float[np.ndarray, "T P 3"], surface: Surface
) -> Surface:
    """The surface with the distances of points on pierced digits replaced such that they are freed (see above)."""
    value, slope = surface.value + np.sum(surface.slope * (points - surface.at), axis=-1), surface.slope.copy()
    bone, is_skin = np.asarray(hand.bone), np.asarray(hand.is_skin)
    path = digit_paths(points[:, np.asarray(hand.landmarks)])
    found = piercings(mesh, path)
    frame, digit, segment = found.where.T
    far, aside = sideways_exits(mesh, path[frame, digit, segment], path[frame, digit, segment + 1])
    for k, (t, d, s) in enumerate(found.where):
        # Segment s > 0 is the bone that begins at the digit's joint s - 1; segment 0 is the palm, which no wall moves.
        from_entry = points[t] - found.entry[k]
        if np.isfinite(far[k]):
            near = (bone == DIGITS[d, s - 1] if s else bone == 0) & (
                np.linalg.norm(from_entry, axis=1) < ENTRY_RADIUS_M
            )
            value[t, near], slope[t, near] = np.where(is_skin[near], 1.0, -far[k]), aside[k]
        else:
            height = from_entry @ found.normal[k]
            beyond = np.isin(bone, DIGITS[d, max(s - 1, 0) : 3]) & (height < 0)
            value[t, beyond], slope[t, beyond] = height[beyond], found.normal[k]
    return Surface(points, value, slope)


def _hits(
    mesh: trimesh.Trimesh, origins: Float[np.ndarray, "R 3"], directions: Float[np.ndarray, "R 3"]
) -> tuple[Float[np.ndarray, "M 3"], Int[np.ndarray, "M"], Int[np.ndarray, "M"]]:
    """All intersections of rays with the mesh: points, indices of the rays, indices of the faces."""
    hit, ray, face = mesh.ray.intersects_location(origins, directions)
    # Without hits trimesh returns arrays of other shapes and dtypes.
    return np.reshape(hit, (-1, 3)), np.asarray(ray, np.int64), np.asarray(face, np.int64)
