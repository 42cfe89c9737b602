"""Fingers pierced by the object, which the surface's own distances cannot free, as both sides repel.

A digit is pierced if its path from the wrist outwards enters the object and leaves it again. If a small sideways
displacement frees the bone (a handle, a stem), it is pushed in that direction. Otherwise the object is a wall there,
and everything beyond is pushed back through the tangent plane at the point of entry.
"""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int

from toch_jax.datasets.myodm.surface import Surface
from toch_jax.datasets.myodm.surrogate import DIGITS, Surrogate

# Fraction of a digit's last segment that counts: the landmark of the tip lies on the skin, beyond the bone.
TIP_SHARE = 0.8
# Sideways displacements (m) and directions (rad) that are tried.
SLIPS, TURNS = np.array([0.003, 0.006, 0.009, 0.012]), np.linspace(0, 2 * np.pi, 12, endpoint=False)
# Points within this distance (m) of the point of entry are displaced.
PIERCED = 0.01


class Passages(NamedTuple):
    """Points where the M pierced digits enter the object, in the object's frame, metres."""

    where: Int[np.ndarray, "M 3"]
    """Frame, digit, segment of the digit's path."""
    place: Float[np.ndarray, "M 3"]
    normal: Float[np.ndarray, "M 3"]
    """Surface normal, pointing back towards the root of the digit whatever the mesh's orientation."""


def paths(landmarks: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 5 5 3"]:
    """Polyline from the wrist along each digit; the last segment is shortened to TIP_SHARE."""
    wrist = np.repeat(landmarks[:, None, None, 0], len(DIGITS), axis=1)
    path = np.concatenate([wrist, landmarks[:, DIGITS]], axis=2)
    path[:, :, -1] = (1 - TIP_SHARE) * path[:, :, -2] + TIP_SHARE * path[:, :, -1]
    return path


def passages(mesh: trimesh.Trimesh, path: Float[np.ndarray, "T D K 3"]) -> Passages:
    """Points of entry of all paths that enter the mesh and leave it again."""
    start, end = path[:, :, :-1].reshape(-1, 3), path[:, :, 1:].reshape(-1, 3)
    length = np.linalg.norm(end - start, axis=1)
    way = (end - start) / length[:, None]
    place, ray, face = _hits(mesh, start, way)
    along = np.einsum("mk,mk->m", place - start[ray], way[ray])
    within = along < length[ray]
    place, ray, face, along = place[within], ray[within], face[within], along[within]
    order = np.lexsort((along, ray))
    place, ray, face = place[order], ray[order], face[order]
    digit, first, count = np.unique(ray // (path.shape[2] - 1), return_index=True, return_counts=True)
    first, digit = first[count > 1], digit[count > 1]
    normal = mesh.face_normals[face[first]]
    normal = normal * -np.sign(np.einsum("mk,mk->m", normal, way[ray[first]]))[:, None]
    where = np.stack([digit // path.shape[1], digit % path.shape[1], ray[first] % (path.shape[2] - 1)], axis=1)
    return Passages(where, place[first], normal)


def slips(
    mesh: trimesh.Trimesh, start: Float[np.ndarray, "M 3"], end: Float[np.ndarray, "M 3"]
) -> tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M 3"]]:
    """Smallest sideways displacement (m) that frees each bone from the object, and its direction; inf if none does."""
    way = end - start
    length = np.linalg.norm(way, axis=1)
    way = way / length[:, None]
    side = np.cross(way, np.eye(3)[np.abs(way).argmin(axis=1)])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    around = np.cos(TURNS)[:, None] * side[:, None] + np.sin(TURNS)[:, None] * np.cross(way, side)[:, None]
    # axes: bone, displacement, direction
    moved = start[:, None, None] + SLIPS[:, None, None] * around[:, None]
    shape = moved.shape[:3]
    origins, ways = moved.reshape(-1, 3), np.broadcast_to(way[:, None, None], moved.shape).reshape(-1, 3)
    place, ray, _ = _hits(mesh, origins, ways)
    near = np.linalg.norm(place - origins[ray], axis=1) < np.broadcast_to(length[:, None, None], shape).reshape(-1)[ray]
    blocked = np.zeros(len(origins), dtype=bool)
    blocked[ray[near]] = True
    free = ~blocked.reshape(len(start), SLIPS.size * TURNS.size)
    first = free.argmax(axis=1)
    far = np.where(free.any(axis=1), SLIPS[first // len(TURNS)], np.inf)
    return far, around[np.arange(len(start)), first % len(TURNS)]


def turn_back(mesh: trimesh.Trimesh, hand: Surrogate, points: Float[np.ndarray, "T P 3"], surface: Surface) -> Surface:
    """The surface with the distances of points on pierced digits replaced such that they are freed (see above)."""
    value, slope = surface.value + np.sum(surface.slope * (points - surface.at), axis=-1), surface.slope.copy()
    bone, is_skin = np.asarray(hand.bone), np.asarray(hand.is_skin)
    path = paths(points[:, np.asarray(hand.landmarks)])
    found = passages(mesh, path)
    frame, digit, segment = found.where.T
    far, aside = slips(mesh, path[frame, digit, segment], path[frame, digit, segment + 1])
    for k, (t, d, s) in enumerate(found.where):
        # Segment s > 0 is the bone that begins at the digit's joint s - 1; segment 0 is the palm, which no wall moves.
        from_place = points[t] - found.place[k]
        if np.isfinite(far[k]):
            mine = (bone == DIGITS[d, s - 1] if s else bone == 0) & (np.linalg.norm(from_place, axis=1) < PIERCED)
            value[t, mine], slope[t, mine] = np.where(is_skin[mine], 1.0, -far[k]), aside[k]
        else:
            height = from_place @ found.normal[k]
            beyond = np.isin(bone, DIGITS[d, max(s - 1, 0) : 3]) & (height < 0)
            value[t, beyond], slope[t, beyond] = height[beyond], found.normal[k]
    return Surface(points, value, slope)


def _hits(
    mesh: trimesh.Trimesh, origins: Float[np.ndarray, "R 3"], ways: Float[np.ndarray, "R 3"]
) -> tuple[Float[np.ndarray, "M 3"], Int[np.ndarray, "M"], Int[np.ndarray, "M"]]:
    """All intersections of rays with the mesh: points, indices of the rays, indices of the faces."""
    place, ray, face = mesh.ray.intersects_location(origins, ways)
    # Without hits trimesh returns arrays of other shapes and dtypes.
    return np.reshape(place, (-1, 3)), np.asarray(ray, np.int64), np.asarray(face, np.int64)
