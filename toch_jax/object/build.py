"""Construction of the object model, once per object: surface samples, their clearances, signed distance grids."""

from pathlib import Path

import igl
import numpy as np
from jaxtyping import Bool, Float, Int, Int64
from scipy import ndimage

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.object.mesh import RAY_OFFSET, check_mesh, first_hits, orient_outward
from toch_jax.object.model import DistanceGrid, ObjectMesh, ObjectModel, ObjectSamples

# Margin of the distance grid around the part, metres: more than the thickness of a finger. Chosen by hand.
GRID_MARGIN = 0.03
# Random candidates for each surface sample; chosen by hand.
OVERSAMPLING = 4
# Strides of the distance grid's nodes in the two passes that compute it; chosen by hand, for speed.
COARSE_TO_FINE = (2, 1)


def build_object(
    vertices: np.ndarray,
    faces: np.ndarray,
    vertex_part: np.ndarray | None = None,
    n_samples: int = 2000,
    sdf_resolution: int = 127,
    seed: int = 0,
    where: str | Path = "object",
) -> ObjectModel:
    """The object model of a mesh (metres; each vertex in the frame of its part), which need not be watertight.

    Takes about a second. A face that spans parts belongs to the part of two of its corners. The same input gives the
    same object. Raises InputError, which names `where`, for a mesh that `check_mesh` refuses and for parts that do not
    fit the vertices or have no faces.
    """
    vertices, faces = check_mesh(where, vertices, faces)
    vertex_part = check_parts(where, len(vertices), vertex_part)
    face_part = np.sort(vertex_part[faces], axis=1)[:, 1]
    n_parts = int(vertex_part.max()) + 1
    if len(np.unique(face_part)) != n_parts:
        found = f"faces of parts {np.unique(face_part).tolist()}"
        raise bad_input(where, "object_vertex_part", f"faces for each part 0..{n_parts - 1}", found)

    pieces = [orient_outward(vertices, faces[face_part == part], seed) for part in range(n_parts)]
    areas = np.array([_areas(vertices[piece]).sum() for piece in pieces])
    counts = _shares(areas, n_samples)

    def part(piece: Int[np.ndarray, "F 3"], count: np.int64) -> tuple[np.ndarray, ...]:
        triangles = vertices[piece].astype(np.float64)
        points, normals = sample_surface(triangles, int(count), seed)
        clearances = (first_hits(triangles, points, along) for along in (normals, -normals))
        return points, normals, *clearances, *_distance_grid(triangles, sdf_resolution)

    points, normals, outward, inward, distance, origin, spacing = zip(*map(part, pieces, counts), strict=True)
    mesh = ObjectMesh(put(vertices), put(np.concatenate(pieces)), put(vertex_part))
    samples = ObjectSamples(
        points=put(np.concatenate(points), np.float32),
        normals=put(np.concatenate(normals), np.float32),
        part=put(np.repeat(np.arange(n_parts), counts), np.int32),
        clearance_out=put(np.concatenate(outward)),
        clearance_in=put(np.concatenate(inward)),
    )
    grid = DistanceGrid(
        distance=put(np.stack(distance), np.float32),
        origin=put(np.stack(origin), np.float32),
        spacing=put(np.stack(spacing), np.float32),
    )
    return ObjectModel(mesh, samples, grid)


def check_parts(where: str | Path, n_vertices: int, vertex_part: np.ndarray | None) -> Int[np.ndarray, "Vo"]:
    """The checked part of each vertex as int32; all 0 for None. Raises InputError."""
    if vertex_part is None:
        return np.zeros(n_vertices, np.int32)
    vertex_part = np.asarray(vertex_part)
    if vertex_part.shape != (n_vertices,) or vertex_part.dtype.kind not in "iu":
        found = f"{vertex_part.dtype} {vertex_part.shape}"
        raise bad_input(where, "object_vertex_part", f"whole numbers of shape ({n_vertices},)", found)
    present = np.unique(vertex_part)
    if not np.array_equal(present, np.arange(len(present))):
        raise bad_input(where, "object_vertex_part", "parts 0, 1, ... without a gap", f"{present.tolist()[:10]}")
    return vertex_part.astype(np.int32)


def sample_surface(
    triangles: Float[np.ndarray, "F 3 3"], count: int, seed: int
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Points spread evenly over the surface, metres, and the unit normals of their faces.

    Farthest-point sampling of random candidates. The distance includes the difference of the normals, so that each
    side of a thin wall has its own points. Candidates inside the solid (where shells overlap) are not used, unless too
    few others are left.
    """
    rng = np.random.default_rng(seed)
    area = _areas(triangles)
    face = rng.choice(len(triangles), OVERSAMPLING * count, p=area / area.sum())
    points = np.einsum("nk,nkc->nc", rng.dirichlet(np.ones(3), len(face)), triangles[face])
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[face]
    normals = cross / np.linalg.norm(cross, axis=1, keepdims=True)
    free = _is_free(triangles, points + RAY_OFFSET * normals)
    if np.count_nonzero(free) >= count:
        points, normals = points[free], normals[free]
    spread = np.hstack([points, normals * np.sqrt(area.sum() / count)])
    kept = _farthest_first(spread, count)
    return points[kept], normals[kept]


def _is_free(triangles: Float[np.ndarray, "F 3 3"], points: Float[np.ndarray, "M 3"]) -> Bool[np.ndarray, "M"]:
    """Whether each point is outside of the solid: a winding number below 0.5."""
    return igl.fast_winding_number(*_soup(triangles), points) < 0.5


def _farthest_first(points: Float[np.ndarray, "M D"], count: int) -> Int64[np.ndarray, "N"]:
    """Indices of `count` points by farthest-point sampling from point 0."""
    points = points - points.mean(axis=0)
    squares = (points**2).sum(axis=1)
    kept = np.zeros(count, np.int64)
    nearest = np.full(len(points), np.inf)
    for i in range(1, count):
        last = kept[i - 1]
        np.minimum(nearest, squares - 2 * (points @ points[last]) + squares[last], out=nearest)
        kept[i] = nearest.argmax()
    return kept


def _areas(triangles: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F"]:
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.linalg.norm(cross, axis=1).astype(np.float64) / 2


def _shares(weights: Float[np.ndarray, "P"], total: int) -> Int64[np.ndarray, "P"]:
    """`total` split into integers in proportion to `weights` (largest remainder), each at least 1."""
    exact = np.maximum(weights / weights.sum() * total, 1.0)
    exact *= total / exact.sum()
    shares = np.maximum(np.floor(exact), 1).astype(np.int64)
    for i in np.argsort(shares - exact)[: total - shares.sum()]:
        shares[i] += 1
    return shares


def _distance_grid(
    triangles: Float[np.ndarray, "F 3 3"], resolution: int
) -> tuple[Float[np.ndarray, "G G G"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Signed distance (metres, negative inside) on a grid around the part, its first node's position and its spacings.

    Each axis has `resolution` nodes, so that a thin object is finely sampled across. The distance is computed at every
    second node; between these it is computed near the surface and interpolated elsewhere.

    The sign is that of the winding number, which is slow to compute. For a closed surface it is computed at few nodes
    (`_signs`). For a surface with holes it is computed at all nodes that are not interpolated; there it changes
    gradually, and scales the distance.
    """
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    origin, spacing = low - GRID_MARGIN, (high - low + 2 * GRID_MARGIN) / (resolution - 1)
    is_closed = _is_closed(triangles)
    kind = igl.SIGNED_DISTANCE_TYPE_UNSIGNED if is_closed else igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    soup = _soup(triangles)
    known = np.array([0, resolution - 1])
    distance = np.zeros((2, 2, 2))
    for stride in COARSE_TO_FINE:
        nodes = np.union1d(np.arange(0, resolution, stride), [resolution - 1])
        distance = _interpolated(distance, known, nodes)
        near = np.argwhere(np.abs(distance) < 2 * stride * np.linalg.norm(spacing))
        distance[tuple(near.T)] = igl.signed_distance(origin + spacing * nodes[near], *soup, kind)[0]
        known = nodes
    if is_closed:
        distance *= _signs(triangles, distance, origin, spacing)
    return distance, origin, spacing


def _is_closed(triangles: Float[np.ndarray, "F 3 3"]) -> bool:
    """Whether the faces use each edge equally often in both directions, which makes the winding number an integer."""
    corner = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(-1, 3)
    edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    sign = np.sign(edges[:, 1] - edges[:, 0])
    edge = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)[1].ravel()
    return not np.bincount(edge, weights=sign).any()


def _interpolated(
    values: Float[np.ndarray, "C C C"], known: Int64[np.ndarray, "C"], nodes: Int64[np.ndarray, "G"]
) -> Float[np.ndarray, "G G G"]:
    """Values at `nodes` by cubic splines through the nodes `known` on each axis: half the error of linear ones."""
    from scipy.interpolate import CubicSpline  # takes half a second

    share = CubicSpline(known, np.eye(len(known)))(nodes).T
    for _ in range(3):
        values = np.tensordot(values, share, axes=(0, 0))
    return values


def _signs(
    triangles: Float[np.ndarray, "F 3 3"],
    distance: Float[np.ndarray, "G G G"],
    origin: Float[np.ndarray, "3"],
    spacing: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "G G G"]:
    """Sign at each node from its unsigned `distance` to a closed surface: -1 inside, 1 outside.

    The winding number is computed once per connected region of far nodes, and at every near node. Nodes are far if
    their distance exceeds half the largest spacing: then no surface is between neighbours.
    """
    regions, count = ndimage.label(distance > spacing.max() / 2)
    regions = regions.ravel()
    one_of = np.zeros(count + 1, np.int64)
    one_of[regions[::-1]] = np.arange(len(regions))[::-1]
    asked = np.append(one_of[1:], np.flatnonzero(regions == 0))
    points = origin + spacing * np.stack(np.unravel_index(asked, distance.shape), axis=1)
    sign = np.where(_is_free(triangles, points), 1.0, -1.0)
    signs = np.append(0.0, sign[:count])[regions]
    signs[regions == 0] = sign[count:]
    return signs.reshape(distance.shape)


def _soup(triangles: Float[np.ndarray, "F 3 3"]) -> tuple[Float[np.ndarray, "V 3"], Int64[np.ndarray, "F 3"]]:
    """Vertices and faces of triangles without shared vertices."""
    corners = triangles.reshape(-1, 3)
    return corners, np.arange(len(corners)).reshape(-1, 3)
