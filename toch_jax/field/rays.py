"""Lines against triangles: the nearest hit both ways along each line, in one pass."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

# Triangles tested in one step of the scan: enough to hide its cost, few enough to compile fast.
_CHUNK = 16
_MISS = 2**31 - 1


class Hits(struct.PyTreeNode):
    """The nearest hit of each line, within reach, along its direction (last axis 0) and against it (1)."""

    distance: Float[Array, "*batch N 2"]
    """Metres, not negative; inf where nothing is hit."""
    triangle: Int[Array, "*batch N 2"]
    """0 where nothing is hit."""
    barycentric: Float[Array, "*batch N 2 3"]
    """Weights of the triangle's corners; 0 where nothing is hit."""
    leaving: Bool[Array, "*batch N 2"]
    """Whether the hit triangle faces away from the origin: a closed mesh seen from inside."""


def nearest_hits(
    origins: Float[Array, "T N 3"],
    directions: Float[Array, "T N 3"],
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    reach: Float[Array, ""],
) -> Hits:
    """Nearest hits of N lines (unit directions) on a mesh, in each of T frames. Metres.

    A line through an edge or a corner hits at least one of the triangles there; degenerate triangles are never hit.
    """

    def frame(lines: tuple[Array, Array, Array]) -> Hits:
        return _intersect(lines[0], lines[1], lines[2][faces], _search(*lines, faces, reach))

    return jax.lax.map(frame, (origins, directions, vertices))


def _triangle_constants(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "F 22"]:
    """Pluecker coordinates of the edges (opposite each corner), normal n = (b - a) x (c - a), and n . a.

    Each edge runs from its lower to its higher vertex whichever triangle asks, so that both that share it compute
    the same side for a line, and none slips between them (Woop et al. 2013).
    """
    start, end = faces[:, (1, 2, 0)], faces[:, (2, 0, 1)]
    low, high = vertices[jnp.minimum(start, end)], vertices[jnp.maximum(start, end)]
    edges = jnp.concatenate([jnp.cross(low, high), high - low], -1) * jnp.where(start < end, 1.0, -1.0)[..., None]
    a, b, c = jnp.moveaxis(vertices[faces], -2, 0)
    normal = jnp.cross(b - a, c - a)
    return jnp.concatenate([edges.reshape(-1, 18), normal, jnp.sum(normal * a, -1, keepdims=True)], -1)


def _search(
    origins: Float[Array, "N 3"],
    directions: Float[Array, "N 3"],
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    reach: Float[Array, ""],
) -> Int[Array, "2 N"]:
    """The nearest triangle along and against each direction; _MISS where there is none within reach."""
    index_bits = max(1, (len(faces) - 1).bit_length())
    # The key to minimise: distance in fixed point, then the triangle's index.
    steps = 2 ** (31 - index_bits) - 1
    o, d, m = origins.T, directions.T, jnp.cross(origins, directions).T

    n_chunks = -(-len(faces) // _CHUNK)
    constants = jnp.pad(_triangle_constants(vertices, faces), ((0, n_chunks * _CHUNK - len(faces)), (0, 0)))

    def side(edge: Float[Array, "6"]) -> Float[Array, "N"]:
        return edge[0] * d[0] + edge[1] * d[1] + edge[2] * d[2] + edge[3] * m[0] + edge[4] * m[1] + edge[5] * m[2]

    def step(nearest: tuple[Array, Array], chunk: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        ahead, behind = nearest
        for j in range(_CHUNK):
            k, index = chunk[0][j], chunk[1] + j
            s0, s1, s2 = side(k[0:6]), side(k[6:12]), side(k[12:18])
            within = (jnp.minimum(jnp.minimum(s0, s1), s2) >= 0) | (jnp.maximum(jnp.maximum(s0, s1), s2) <= 0)
            t = (k[21] - (k[18] * o[0] + k[19] * o[1] + k[20] * o[2])) / (s0 + s1 + s2)
            fixed = jnp.abs(t) * (steps / reach)
            hit = within & (fixed < steps)  # false for the nan and inf of a degenerate triangle
            key = jnp.where(hit, (jnp.where(hit, fixed, 0).astype(jnp.int32) << index_bits) | index, _MISS)
            ahead = jnp.minimum(ahead, jnp.where(t >= 0, key, _MISS))
            behind = jnp.minimum(behind, jnp.where(t >= 0, _MISS, key))
        return (ahead, behind), None

    nothing = jnp.full(len(origins), _MISS, jnp.int32)
    chunks = (constants.reshape(n_chunks, _CHUNK, 22), jnp.arange(n_chunks, dtype=jnp.int32) * _CHUNK)
    keys = jnp.stack(jax.lax.scan(step, (nothing, nothing), chunks)[0])
    return jnp.where(keys == _MISS, _MISS, keys & (2**index_bits - 1))


def _intersect(
    origins: Float[Array, "N 3"],
    directions: Float[Array, "N 3"],
    corners: Float[Array, "F 3 3"],
    triangle: Int[Array, "2 N"],
) -> Hits:
    """Each line with the triangles that it hits, in coordinates about its origin for precision."""
    found = triangle != _MISS
    triangle = jnp.where(found, triangle, 0)
    relative = corners[triangle] - origins[:, None]
    a, b, c = jnp.moveaxis(relative, -2, 0)
    volumes = jnp.stack([jnp.sum(directions * jnp.cross(p, q), -1) for p, q in ((b, c), (c, a), (a, b))], -1)
    away = volumes.sum(-1) > 0
    weights = jnp.maximum(jnp.where(away[..., None], volumes, -volumes), 0.0)
    total = weights.sum(-1, keepdims=True)
    weights = jnp.where(found[..., None] & (total > 0), weights / total, 0.0)
    distance = jnp.abs(jnp.sum(jnp.sum(weights[..., None] * relative, -2) * directions, -1))
    leaving = found & (away == jnp.array([[True], [False]]))
    return Hits(
        distance=jnp.where(found, distance, jnp.inf).T,
        triangle=triangle.T,
        barycentric=jnp.swapaxes(weights, 0, 1),
        leaving=leaving.T,
    )
