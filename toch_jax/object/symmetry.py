"""Rotations that map an object's surface onto itself."""

import igl
import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

ANGLES = np.pi, np.pi / 2, 2 * np.pi / 3, np.pi / 3, 2 * np.pi / 5
"""Angles that are tried about each axis: of objects that are the same after a half, quarter, third, sixth or fifth of a
turn. An object of revolution has them all about its axis."""
N_AXES, N_POINTS, N_TARGET = 300, 200, 4000
"""Directions that are tried as axes (8 degrees apart), points whose distances are measured, and points of
the surface that stand for it in the search. Chosen by hand."""
NEAR_SPREAD, NEAR_DISTANCE = 0.15, 0.06
"""A rotation is refined if it changes no second moment by more than the first, and leaves the points on the mean within
the second of the surface; both over the object's radius. Chosen by hand: 4 degrees off an axis changes 0.1."""
SAME_MEAN, SAME_LARGEST = 0.01, 0.04
"""Mean and 95th percentile of the points' distances, over the object's radius, up to which the surface is the same: 0.5
and 2 mm on a hand-sized object. Chosen by hand, below a tracker's errors."""
REFINEMENTS = 6
"""Gauss-Newton steps of the refinement (distances from the planes of the nearest faces); chosen by hand."""
DISTINCT = 0.2
"""Rotations that differ by less (radians) are one."""


MOST = 60
"""Largest number of rotations: of an icosahedron, as the largest group that is not one of a solid of revolution."""


def symmetries(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], seed: int = 0
) -> tuple[Float[np.ndarray, "G 3 3"], Float[np.ndarray, "3"]]:
    """Rotations that map the surface onto itself, the identity first, and the point about which they rotate (metres).

    Found by a search over axes and ANGLES, refined on nearest points; products of those found are included, up to
    MOST. Of a solid of revolution it has some of the rotations. Colours and texture do not count.
    """
    surface = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    mesh = trimesh.Trimesh(*surface, process=False)
    share = mesh.area_faces / mesh.area
    middle = share @ mesh.triangles_center
    corners = mesh.triangles - middle
    # of a triangle: (the sum over corners of x x' + s s') / 12, s being the sum of the corners
    total = corners.sum(axis=1)
    moments = (np.einsum("f,fka,fkb->ab", share, corners, corners) + np.einsum("f,fa,fb->ab", share, total, total)) / 12
    radius = float(np.sqrt(np.trace(moments)))
    points = np.asarray(trimesh.sample.sample_surface(mesh, N_TARGET, seed=seed)[0]) - middle
    probe, tree = points[:N_POINTS], cKDTree(points)
    moments = moments / radius**2
    # the principal axes too: between two of the others a long object would be missed
    axes = np.concatenate([np.linalg.eigh(moments)[1].T, _half_sphere(N_AXES)])
    tried = Rotation.from_rotvec(np.concatenate([angle * axes for angle in ANGLES])).as_matrix()
    change = np.abs(tried @ moments @ np.swapaxes(tried, 1, 2) - moments).max(axis=(1, 2))
    tried = tried[change < NEAR_SPREAD]
    away = np.array([tree.query(probe @ each.T)[0].mean() for each in tried])
    waiting = list(tried[np.argsort(away)][: np.count_nonzero(away < NEAR_DISTANCE * radius)][::-1])
    found = [np.eye(3)]
    while waiting and len(found) < MOST:
        rotation = waiting.pop()
        if _is_among(rotation, found):
            continue
        for _ in range(REFINEMENTS):
            moved = probe @ rotation.T
            _, face, nearest = igl.point_mesh_squared_distance(moved + middle, *surface)
            normal = mesh.face_normals[face]
            off = ((nearest - middle - moved) * normal).sum(axis=1)
            # the small rotation w that lets w x moved bridge the distances along the normals
            change = np.linalg.lstsq(np.cross(moved, normal), off)[0]
            rotation = Rotation.from_rotvec(change).as_matrix() @ rotation
        distance = np.sqrt(igl.point_mesh_squared_distance(probe @ rotation.T + middle, *surface)[0]) / radius
        same = distance.mean() < SAME_MEAN and np.quantile(distance, 0.95) < SAME_LARGEST
        if same and not _is_among(rotation, found):
            found.append(rotation)
            waiting += [product for each in found for product in (rotation @ each, each @ rotation)]
    return np.stack(found), middle


def _is_among(rotation: Float[np.ndarray, "3 3"], found: list[Float[np.ndarray, "3 3"]]) -> bool:
    cosine = (np.einsum("nab,ab->n", np.stack(found), rotation) - 1) / 2
    return bool((np.arccos(np.clip(cosine, -1, 1)) < DISTINCT).any())


def _half_sphere(count: int) -> Float[np.ndarray, "N 3"]:
    """Directions spread evenly over the upper half of the sphere, on a spiral of equal steps in height.

    An axis and its opposite have the same half turn, and of their other turns one is the inverse of the other.
    """
    height = 1 - (np.arange(count) + 0.5) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    return np.stack([np.sqrt(1 - height**2) * np.cos(angle), np.sqrt(1 - height**2) * np.sin(angle), height], axis=1)
