"""TOCH's contact field, computed with other libraries."""

import numpy as np
import trimesh
from trimesh.ray.ray_pyembree import RayMeshIntersector

REACH = 0.1


def peer_field(
    hand: trimesh.Trimesh, canonical: np.ndarray, body: trimesh.Trimesh, points: np.ndarray, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, distance and correspondence of one frame by TOCH's rule, in the object's frame, with trimesh and embree."""
    inside = hand.contains(points)
    directions = np.where(inside[:, None], -normals, normals)
    distance, correspondence = np.full(len(points), np.inf), np.zeros((len(points), 3))

    def first(mesh: trimesh.Trimesh, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return RayMeshIntersector(mesh).intersects_id(origins, directions, multiple_hits=False, return_locations=True)

    triangle, ray, place = first(hand, points)
    distance[ray] = np.linalg.norm(place - points[ray], axis=1)
    weights = trimesh.triangles.points_to_barycentric(hand.triangles[triangle], place)
    correspondence[ray] = np.einsum("nk,nkc->nc", weights, canonical[hand.faces[triangle]])
    _, ray, place = first(body, points + 1e-4 * directions)
    clearance = np.full(len(points), np.inf)
    clearance[ray] = np.linalg.norm(place - points[ray], axis=1)
    return (distance <= REACH) & (distance < clearance), np.where(inside, -distance, distance), correspondence
