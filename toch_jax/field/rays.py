"""Intersection of lines with a moving mesh: the nearest hit in both directions along each line.

Lines and triangles are grouped into blocks of neighbours. In each frame a block of lines is tested against the blocks
of triangles whose bounding sphere one of its lines enters: about 5 % of all pairs for a hand near an object.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, UInt32

from toch_jax.base.device import batched_map

_LINES, _TRIANGLES = 8, 16
"""Lines and triangles in a block; eight lines fill a vector register of a CPU (AVX)."""
_BATCH = 512
"""Pairs of blocks tested at once: few enough for the cache of a CPU. Chosen by hand."""
_FRAMES = 256
"""Frames computed at once on a GPU or TPU; chosen by hand, for memory."""
_MISS = np.uint32(2**31)
"""Key of a line that hits nothing (see `_search`)."""


@struct.dataclass
class Hits:
    """The nearest hit of each line within its limits; on the axis of 2, along its direction (0) and against it (1)."""

    distance: Float[Array, "*batch N 2"]
    """Metres, at least 0; inf where nothing is hit."""
    triangle: Int[Array, "*batch N 2"]
    """Index of the triangle; 0 where nothing is hit."""
    barycentric: Float[Array, "*batch N 2 3"]
    """Weights of the triangle's three vertices; 0 where nothing is hit."""
    leaving: Bool[Array, "*batch N 2"]
    """Whether the line hits the back of the triangle, so that it leaves a closed mesh there."""


def nearest_hits(
    origins: Float[Array, "#T N 3"],
    directions: Float[Array, "#T N 3"],
    limits: Float[Array, "N 2"],
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    rest: Float[Array, "V 3"],
) -> Hits:
    """Nearest hits of N lines (unit directions) on a mesh in each of T frames; axes (T, N, 2). Metres.

    `limits` are the lengths that are searched along and against the direction. `rest` are the mesh's vertices in a
    pose where points close in space are close on the surface; they group the triangles. A line through an edge or a
    vertex hits one of the triangles there; a triangle without area is never hit.
    """
    ends = origins[0, :, None] + directions[0, :, None] * (limits * jnp.array([1.0, -1.0]))[..., None]
    line_blocks = _blocks_of_neighbours(ends.reshape(len(ends), 6), _LINES)
    face_blocks = _blocks_of_neighbours(rest[faces].mean(axis=1), _TRIANGLES)
    in_blocks = origins[:, line_blocks], directions[:, line_blocks]
    lines = (origins, directions, *in_blocks, _line_frames(*in_blocks))
    # Sorted: both triangles at an edge have its ends in the same order, so that no line passes between them
    # (Woop et al. 2013).
    blocks = jnp.sort(faces[face_blocks], axis=-1)

    def frame(t: Int[Array, ""]) -> Hits:
        o, d, block_o, block_d, block_frames = (each[t if len(each) > 1 else 0] for each in lines)
        found, position = _search(block_o, block_d, limits[line_blocks], block_frames, vertices[t][blocks])
        nothing = jnp.zeros((2, len(o)), jnp.int32)
        triangle = nothing.at[:, line_blocks].set(jnp.where(found, face_blocks.reshape(-1)[position], -1))
        return _intersect(o, d, limits, vertices[t], faces, triangle)

    return batched_map(frame, jnp.arange(len(vertices)), _FRAMES)


def _blocks_of_neighbours(positions: Float[Array, "n k"], size: int) -> Int[Array, "blocks size"]:
    """Indices of n points in blocks of `size`, made by repeated halving across the longest side of each part.

    If n does not fill the blocks, some points appear twice.
    """
    n_blocks = math.ceil(len(positions) / size)
    position = jnp.arange(n_blocks * size, dtype=jnp.uint32)
    n_halvings = (n_blocks - 1).bit_length()
    index_bits = max(1, (len(positions) - 1).bit_length())
    position_bits = 32 - n_halvings - index_bits

    def halve(i: Array, index: UInt32[Array, "n"]) -> UInt32[Array, "n"]:
        part = ((position // size) << i) // n_blocks
        sorted_positions = positions[index]
        low = jax.ops.segment_min(sorted_positions, part, n_blocks, indices_are_sorted=True)
        side = jax.ops.segment_max(sorted_positions, part, n_blocks, indices_are_sorted=True) - low
        longest = jnp.argmax(side, axis=1)[part]
        along = jnp.take_along_axis((sorted_positions - low[part]) / (side[part] + 1e-9), longest[:, None], axis=1)[
            :, 0
        ]
        # Part, coordinate and index in one integer, which is many times faster to sort than three.
        coordinate = (along * (2**position_bits - 1)).astype(jnp.uint32)
        key = (((part << position_bits) | coordinate) << index_bits) | index
        return jnp.sort(key) & np.uint32(2**index_bits - 1)

    index = jax.lax.fori_loop(0, n_halvings, halve, position % len(positions))
    return index.astype(jnp.int32).reshape(n_blocks, size)


def _search(
    origins: Float[Array, "L l 3"],
    directions: Float[Array, "L l 3"],
    limits: Float[Array, "L l 2"],
    lines: Float[Array, "L 12 l"],
    corners: Float[Array, "C c 3 3"],
) -> tuple[Bool[Array, "2 L l"], Int[Array, "2 L l"]]:
    """Whether each line hits anything along (0) and against (1) it, and the nearest triangle's index over all blocks.

    Hits are compared by a key, an unsigned integer: the distance in fixed point in its high bits (a negative one wraps
    around), the triangle's index in its low bits. The nearest hit along the line has the smallest key, the nearest hit
    against it the largest.
    """
    n_blocks, face_size = corners.shape[:2]
    position_bits = max(1, (n_blocks * face_size - 1).bit_length())
    scale = (2 ** (31 - position_bits) - 1) / jnp.max(limits)
    triangles = corners.reshape(n_blocks, face_size, 9)
    pairs = _meeting_pairs(origins, directions, limits, corners.reshape(n_blocks, -1, 3))
    counts = jnp.cumsum(jax.lax.population_count(pairs).reshape(-1).astype(jnp.int32))

    def nearer(nearest: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], None]:
        return (jnp.minimum(nearest[0], key), jnp.maximum(nearest[1], key)), None

    def batch(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        i, ahead, behind = state
        line_block, face_block = _nth_pairs(pairs, counts, i * _BATCH + jnp.arange(_BATCH))
        keys = _keys(lines[line_block], triangles[face_block], face_block * face_size, scale, position_bits)
        nothing = jnp.full(keys.shape[1:], _MISS, jnp.uint32)
        # A scan: separate calls of min and max would each compute the keys.
        (low, high), _ = jax.lax.scan(nearer, (nothing, nothing), keys)
        return i + 1, ahead.at[line_block].min(low, mode="drop"), behind.at[line_block].max(high, mode="drop")

    nothing = jnp.full(origins.shape[:2], _MISS, jnp.uint32)
    start = (jnp.int32(0), nothing, nothing)
    _, *nearest = jax.lax.while_loop(lambda state: state[0] * _BATCH < counts[-1], batch, start)
    key = jnp.stack(nearest)
    return key != _MISS, (key & np.uint32(2**position_bits - 1)).astype(jnp.int32)


def _line_frames(
    origins: Float[Array, "*batch l 3"], directions: Float[Array, "*batch l 3"]
) -> Float[Array, "*batch 12 l"]:
    """The rotation of each line's direction to the z axis (9 numbers, by rows) and the line's rotated origin (3)."""
    x, y, z = jnp.moveaxis(directions, -1, 0)
    # Smooth except at z = 0, and accurate everywhere (Duff et al. 2017).
    sign = jnp.where(z >= 0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    rows = jnp.stack([1.0 + sign * x * x * a, sign * b, -sign * x, b, sign + y * y * a, -y, x, y, z], axis=-1)
    moved = jnp.sum(rows.reshape(*rows.shape[:-1], 3, 3) * origins[..., None, :], axis=-1)
    return jnp.swapaxes(jnp.concatenate([rows, moved], axis=-1), -1, -2)


def _meeting_pairs(
    origins: Float[Array, "L l 3"],
    directions: Float[Array, "L l 3"],
    limits: Float[Array, "L l 2"],
    corners: Float[Array, "C K 3"],
) -> UInt32[Array, "L W"]:
    """One bit for each pair of blocks, in words of 32 triangle blocks: whether a line enters the bounding sphere."""
    # Padded to whole words of 32 blocks with copies of the last block, whose squared radius is made negative.
    block = jnp.minimum(jnp.arange(-(-len(corners) // 32) * 32), len(corners) - 1)
    centre = (corners.min(axis=1) + corners.max(axis=1)) / 2
    squared = jnp.max(jnp.sum((corners - centre[:, None]) ** 2, -1), axis=1)
    squared = jnp.where(jnp.arange(len(block)) < len(corners), squared[block], -1.0) + 1e-8
    centre = centre[block]
    middle = origins + directions * ((limits[..., :1] - limits[..., 1:]) / 2)
    half = limits.sum(-1) / 2
    meets = jnp.zeros((len(origins), len(block)), bool)
    for j in range(origins.shape[1]):  # a loop, so that vector instructions run over the spheres
        to_middle = [centre[:, k] - middle[:, j, k, None] for k in range(3)]
        along = sum(to_middle[k] * directions[:, j, k, None] for k in range(3))
        beyond = jnp.maximum(jnp.abs(along) - half[:, j, None], 0.0)
        meets |= sum(w * w for w in to_middle) - along * along + beyond * beyond <= squared
    bits = meets.reshape(len(origins), -1, 32).astype(jnp.uint32)
    return jnp.sum(bits << jnp.arange(32, dtype=jnp.uint32), axis=-1, dtype=jnp.uint32)


def _nth_pairs(
    pairs: UInt32[Array, "L W"], counts: Int[Array, "LW"], n: Int[Array, "M"]
) -> tuple[Int[Array, "M"], Int[Array, "M"]]:
    """Block of lines and block of triangles of the n-th pairs; after the last pair the block of lines is L.

    `counts` is the cumulative number of set bits, word by word.
    """
    word = jnp.searchsorted(counts, n, side="right")
    bits = pairs.reshape(-1).at[word].get(mode="fill", fill_value=0)
    rank = n - counts.at[word].get(mode="clip") + jax.lax.population_count(bits).astype(jnp.int32)
    position = jnp.zeros_like(n)
    for width in (16, 8, 4, 2, 1):
        low = (bits >> position.astype(jnp.uint32)) & jnp.uint32(2**width - 1)
        below = jax.lax.population_count(low).astype(jnp.int32)
        position += jnp.where(rank >= below, width, 0)
        rank -= jnp.where(rank >= below, below, 0)
    return word // pairs.shape[1], word % pairs.shape[1] * 32 + position


def _keys(
    line: Float[Array, "M 12 l"],
    triangle: Float[Array, "M c 9"],
    first: Int[Array, "M"],
    scale: Float[Array, ""],
    position_bits: int,
) -> UInt32[Array, "c M l"]:
    """The key (see `_search`) of each line and triangle in each pair of blocks; _MISS where they do not intersect."""
    row = [line[:, k] for k in range(12)]
    coordinate = [triangle[:, :, k].T[..., None] for k in range(9)]

    def observed(corner: int, axis: int) -> Float[Array, "c M l"]:
        x, y, z = coordinate[3 * corner : 3 * corner + 3]
        return x * row[3 * axis] + (y * row[3 * axis + 1] + (z * row[3 * axis + 2] - row[9 + axis]))

    (xa, ya), (xb, yb), (xc, yc) = ((observed(corner, 0), observed(corner, 1)) for corner in range(3))
    # In its own frame the line is at (0, 0): inside the triangle if it is on the same side of all three edges. Every
    # side is computed as p x q of the edge's ends in sorted order: a fused multiply-add rounds the two terms of a
    # difference differently, so that another form could differ between two triangles that share the edge.
    bc, ac, ab = xb * yc - yb * xc, xa * yc - ya * xc, xa * yb - ya * xb
    inside = ((ab >= 0) & (bc >= 0) & (ac <= 0)) | ((ab <= 0) & (bc <= 0) & (ac >= 0))
    t = (bc * observed(0, 2) - ac * observed(1, 2) + ab * observed(2, 2)) / (bc - ac + ab) * scale
    # False for NaN, which a triangle without area gives.
    hit = inside & (jnp.abs(t) < 2 ** (31 - position_bits) - 1)
    position = first[:, None] + jnp.arange(triangle.shape[1])[:, None, None]
    key = (jnp.floor(jnp.where(hit, t, 0.0)).astype(jnp.int32) << position_bits) | position
    return jnp.where(hit, jax.lax.bitcast_convert_type(key, jnp.uint32), _MISS)


def _intersect(
    origins: Float[Array, "N 3"],
    directions: Float[Array, "N 3"],
    limits: Float[Array, "N 2"],
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    triangle: Int[Array, "2 N"],
) -> Hits:
    """The hits of each line on the triangles found for it (-1: none), computed relative to its origin for precision."""
    found = triangle >= 0
    a, b, c = (vertices[faces[triangle, k]] - origins for k in range(3))
    volumes = jnp.stack([jnp.sum(directions * jnp.cross(p, q), -1) for p, q in ((b, c), (c, a), (a, b))], -1)
    away = volumes.sum(-1) > 0
    weights = jnp.maximum(jnp.where(away[..., None], volumes, -volumes), 0.0)
    total = weights.sum(-1, keepdims=True)
    weights = weights / jnp.where(total > 0, total, 1.0)
    along = jnp.stack([jnp.sum(corner * directions, -1) for corner in (a, b, c)], -1)
    distance = jnp.abs(jnp.sum(weights * along, -1))
    found &= distance <= limits.T
    return Hits(
        distance=jnp.where(found, distance, jnp.inf).T,
        triangle=jnp.where(found, triangle, 0).T,
        barycentric=jnp.where(found[..., None], weights, 0.0).swapaxes(0, 1),
        leaving=(found & (away == jnp.array([[True], [False]]))).T,
    )
