"""A closed surface around a point cloud: an alpha shape without cavities.

Of the Delaunay tetrahedra of the points (scipy's Qhull) those are taken off that a ball of radius alpha, coming from
outside, can reach: it passes a triangle whose circumscribed circle is larger than it. The surface of what remains is
closed; what is wider than the ball stays open: hollows and handles, but also the large holes of a scan, where the solid
is a shell (Edelsbrunner and Mücke 1994, Three-dimensional alpha shapes). The smallest ball that leaves nearly all
points in one solid, as CGAL's `Alpha_shape_3::find_optimal_alpha` chooses it, is enlarged by LARGER.
"""

from pathlib import Path

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError
from trimesh.grouping import unique_rows

from toch_jax.base.errors import bad_input

MOST_POINTS = 10_000
"""Points that are used of a denser cloud, one in each of equal cubes; chosen by hand, for speed."""
HELD = 0.99
"""Share of the points that the solid is to hold: the others may be strays. Chosen by hand."""
LARGER = 2.0
"""Factor of the smallest ball's radius, near to which a ball leaks in. Measured on spheres, boxes and a mug of 1,000 to
10,000 points, with and without noise: at 1 the solid can have a tenth of the volume, from 1.5 on all of it."""
FACETS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
"""The facet opposite each corner of a tetrahedron."""
EDGES = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])


def closed_surface(
    where: str | Path, points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], float]:
    """Vertices (some of the points), faces wound outward, and the ball's radius, in the points' unit.

    Each edge has two faces. Raises InputError for points that are too few or lie in a plane.
    """
    used = _thinned(np.unique(points[np.isfinite(points).all(axis=1)].astype(np.float64), axis=0))
    try:
        found = Delaunay(used - used.mean(axis=0)) if len(used) > 3 else None
    except QhullError:
        found = None
    if found is None:
        few = f"{len(used)} different points" if len(used) < 4 else f"{len(used)} points in one plane"
        raise bad_input(where, "object", "points around a solid", few)
    corners, beside = found.simplices.astype(np.int64), found.neighbors.astype(np.int64)
    radii = _circumradii(used[corners[:, FACETS]])
    alpha = LARGER * _smallest_ball(corners, beside, radii)
    solid = _without_pinches(corners, beside, _largest_solid(beside, radii, alpha))
    faces = _surface(corners, beside, solid)
    index, faces = np.unique(faces, return_inverse=True)
    vertices = used[index]
    return vertices, _wound_outward(vertices, faces.reshape(-1, 3)), float(alpha)


def _thinned(points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "K 3"]:
    """At most MOST_POINTS of the points, the first in each of equal cubes."""
    if len(points) <= MOST_POINTS:
        return points
    kept, side = points, np.ptp(points, axis=0).max() / MOST_POINTS
    while len(kept) > MOST_POINTS:
        side *= 1.2
        kept = points[unique_rows(np.floor(points / side).astype(np.int64))[0]]
    return kept


def _circumradii(triangles: Float[np.ndarray, "N 4 3 3"]) -> Float[np.ndarray, "N 4"]:
    """Radius of the circle through the corners of each triangle; inf where they lie on a line."""
    p, q, r = np.moveaxis(triangles, 2, 0)
    sides = np.stack([np.linalg.norm(each, axis=-1) for each in (q - p, r - q, p - r)])
    area = np.linalg.norm(np.cross(q - p, r - p), axis=-1) / 2
    with np.errstate(divide="ignore"):
        return sides.prod(axis=0) / (4 * area)


def _largest_solid(
    beside: Int[np.ndarray, "N 4"], radii: Float[np.ndarray, "N 4"], alpha: float
) -> Bool[np.ndarray, "N"]:
    """The largest piece, in tetrahedra joined by facets, of what a ball of radius alpha does not reach."""
    count = len(beside)
    own = np.repeat(np.arange(count), 4)
    other = np.where(beside < 0, count, beside).ravel()  # one more for the outside

    def pieces(joined: Bool[np.ndarray, "M"]) -> Int[np.ndarray, "N1"]:
        links = coo_array((joined[joined], (own[joined], other[joined])), shape=(count + 1, count + 1))
        return connected_components(links, directed=False)[1]

    reached = pieces(radii.ravel() > alpha)
    unreached = np.append(reached[:-1] != reached[-1], False)
    piece = pieces(unreached[own] & unreached[other])[:-1]
    if not unreached.any():
        return unreached[:-1]
    return piece == np.bincount(piece[unreached[:-1]]).argmax()


def _smallest_ball(
    corners: Int[np.ndarray, "N 4"], beside: Int[np.ndarray, "N 4"], radii: Float[np.ndarray, "N 4"]
) -> float:
    """The least alpha with which the solid has HELD of the points, by bisection over the facets' radii."""
    needed = HELD * len(np.unique(corners))
    candidates = np.unique(radii[np.isfinite(radii)])
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        solid = _largest_solid(beside, radii, candidates[middle])
        low, high = (low, middle) if len(np.unique(corners[solid])) >= needed else (middle + 1, high)
    return float(candidates[high])


def _surface(
    corners: Int[np.ndarray, "N 4"], beside: Int[np.ndarray, "N 4"], solid: Bool[np.ndarray, "N"]
) -> Int[np.ndarray, "F 3"]:
    """The facets between the solid and what is not of it."""
    is_open = ~np.append(solid, False)[beside]
    return corners[:, FACETS][solid[:, None] & is_open]


def _without_pinches(
    corners: Int[np.ndarray, "N 4"], beside: Int[np.ndarray, "N 4"], solid: Bool[np.ndarray, "N"]
) -> Bool[np.ndarray, "N"]:
    """The solid with all tetrahedra at the edges where it touches itself, so that each edge has two faces."""
    around = np.sort(corners[:, EDGES], axis=-1) @ [len(corners) * 4, 1]
    while True:
        faces = _surface(corners, beside, solid)
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=-1) @ [len(corners) * 4, 1]
        edge, times = np.unique(edges, return_counts=True)
        if (times == 2).all():
            return solid
        solid = solid | np.isin(around, edge[times > 2]).any(axis=1)


def _wound_outward(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "F 3"]:
    """The faces of closed pieces, each wound so that its volume is positive; flat tetrahedra have no sign to go by."""
    oriented, piece = igl.bfs_orient(np.ascontiguousarray(faces))
    faces = oriented.astype(np.int64)
    a, b, c = vertices[faces].swapaxes(0, 1)
    volume = np.bincount(piece, np.einsum("na,na->n", np.cross(a, b), c))
    return np.where((volume[piece] < 0)[:, None], faces[:, ::-1], faces)
