"""Intersection of lines with a moving mesh: the nearest hit in both directions along each line.

Triangles are grouped into blocks of neighbours. In each frame the lines that enter a block's bounding sphere, about 5 %
of all for a hand near an object, are put into groups and tested against the triangles of that block.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, UInt32

_LINES, _TRIANGLES = 8, 16
"""Lines in a group and triangles in a block; eight lines fill a vector register of a CPU (AVX)."""
_AT_ONCE = 4
"""Triangles of a block whose hits are compared at once; chosen by hand."""
_MISS = np.uint32(2**31)
"""Key of a line that hits nothing (see `_search`)."""


def _sizes(n_lines: int) -> tuple[int, int]:
    """Frames, and groups of lines, computed at once. On a CPU few enough for its cache; all chosen by hand."""
    return (max(1, 4096 // n_lines), 512) if jax.default_backend() == "cpu" else (256, 2**16)


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
    blocks = _blocks_of_neighbours(rest[faces].mean(axis=1), _TRIANGLES)
    # Sorted: both triangles at an edge have its ends in the same order, so that no line passes between them
    # (Woop et al. 2013).
    corners = jnp.sort(faces[blocks], axis=-1)
    n_frames = len(vertices)
    together = min(n_frames, _sizes(len(limits))[0])
    # the last frame is repeated to fill the last row
    rows = jnp.minimum(jnp.arange(-(-n_frames // together) * together), n_frames - 1).reshape(-1, together)

    def hits_in(frames: Int[Array, "K"]) -> Hits:
        o, d = (each[frames] if len(each) > 1 else each for each in (origins, directions))
        posed = vertices[frames]
        # by one index, so that the result lies in memory as it is read
        places = jnp.arange(together)[:, None] * posed.shape[1] + corners.reshape(-1)
        at_corners = posed.reshape(-1, 3)[places].reshape(together, *corners.shape, 3)
        spheres = _bounding_spheres(posed, corners)
        found, position = _search(o, d, limits, at_corners, *spheres)
        triangle = jnp.where(found, blocks.reshape(-1)[position], -1)
        o, d = (jnp.broadcast_to(each, (together, *each.shape[1:])) for each in (o, d))
        return jax.vmap(_intersect, in_axes=(0, 0, None, 0, None, 0))(o, d, limits, posed, faces, triangle)

    hits = jax.lax.map(hits_in, rows)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:n_frames], hits)


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
    origins: Float[Array, "#K N 3"],
    directions: Float[Array, "#K N 3"],
    limits: Float[Array, "N 2"],
    corners: Float[Array, "K C c 3 3"],
    centre: Float[Array, "3 K C"],
    squared: Float[Array, "K C"],
) -> tuple[Bool[Array, "K 2 N"], Int[Array, "K 2 N"]]:
    """Whether each line hits anything along (0) and against (1) it, and the nearest triangle's index over all blocks.

    `centre` and `squared` are the blocks' bounding spheres.

    Hits are compared by a key, an unsigned integer: the distance in fixed point in its high bits (a negative one wraps
    around), the triangle's index in its low bits. The nearest hit along the line has the smallest key, the nearest hit
    against it the largest.
    """
    n_frames, n_blocks, block_size = corners.shape[:3]
    n_lines = len(limits)
    at_once = _sizes(n_lines)[1]
    position_bits = max(1, (n_blocks * block_size - 1).bit_length())
    scale = (2 ** (31 - position_bits) - 1) / jnp.max(limits)
    triangles = corners.reshape(-1, block_size, 9)
    rotated = _line_frames(origins, directions)
    entering = _entering(origins, directions, limits, centre, squared)
    # numbers of lines that enter each block: in its words so far, and in all; groups of them in all blocks so far
    so_far = jnp.cumsum(jax.lax.population_count(entering).astype(jnp.int32), axis=1)
    groups = -(-so_far[:, -1] // _LINES)
    last = jnp.cumsum(groups)

    def nearer(nearest: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], None]:
        return (jnp.minimum(nearest[0], key.min(axis=0)), jnp.maximum(nearest[1], key.max(axis=0))), None

    def batch(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        i, ahead, behind = state
        group = i * at_once + jnp.arange(at_once)
        block = jnp.minimum(jnp.searchsorted(last, group, side="right"), len(last) - 1)
        rank = (group - last[block] + groups[block])[:, None] * _LINES + jnp.arange(_LINES)
        line = jnp.minimum(_nth_bits(entering[block], so_far[block], rank), n_lines - 1)
        frame, first = block // n_blocks, block % n_blocks * block_size
        place = frame[:, None] * n_lines + line
        rows = _columns(rotated, place if len(origins) > 1 else line)
        keys = _keys(rows, triangles[block], first, scale, position_bits)
        nothing = jnp.full(line.shape, _MISS, jnp.uint32)
        # A scan: separate calls of min and max would each compute the keys.
        keys = keys.reshape(-1, _AT_ONCE, *line.shape)
        (low, high), _ = jax.lax.scan(nearer, (nothing, nothing), keys)
        # the last group of a block may not be full
        place = jnp.where(rank < so_far[block][:, -1:], place, n_frames * n_lines)
        return i + 1, ahead.at[place].min(low, mode="drop"), behind.at[place].max(high, mode="drop")

    nothing = jnp.full(n_frames * n_lines, _MISS, jnp.uint32)
    start = (jnp.int32(0), nothing, nothing)
    _, *nearest = jax.lax.while_loop(lambda state: state[0] * at_once < last[-1], batch, start)
    key = jnp.stack([each.reshape(n_frames, n_lines) for each in nearest], axis=1)
    return key != _MISS, (key & np.uint32(2**position_bits - 1)).astype(jnp.int32)


def _line_frames(origins: Float[Array, "#K N 3"], directions: Float[Array, "#K N 3"]) -> Float[Array, "12 KN"]:
    """The rotation of each line's direction to the z axis (9 numbers, by rows) and the line's rotated origin (3)."""
    (x, y, z), o = (jnp.moveaxis(each, -1, 0).reshape(3, -1) for each in (directions, origins))
    # Smooth except at z = 0, and accurate everywhere (Duff et al. 2017).
    sign = jnp.where(z >= 0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    rows = ((1.0 + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y), (x, y, z))
    moved = [sum(row[k] * o[k] for k in range(3)) for row in rows]
    return jnp.stack([*rows[0], *rows[1], *rows[2], *moved])


def _columns(rows: Float[Array, "R n"], index: Int[Array, "*axes"]) -> Float[Array, "R *axes"]:
    """`rows[:, index]`, one row after the other: vector instructions then run over the last axis of `index`."""
    return jax.lax.map(lambda row: row[index], rows)


def _bounding_spheres(
    vertices: Float[Array, "K V 3"], blocks: Int[Array, "C c 3"]
) -> tuple[Float[Array, "3 K C"], Float[Array, "K C"]]:
    """Centre and squared radius of a sphere around the triangles of each block; metres."""
    places = jnp.arange(len(vertices))[:, None, None, None] * vertices.shape[1] + jnp.moveaxis(blocks, 0, 2)
    corners = _columns(vertices.reshape(-1, 3).T, places)
    centre = (corners.min(axis=(2, 3)) + corners.max(axis=(2, 3))) / 2
    squared = jnp.max(jnp.sum((corners - centre[:, :, None, None]) ** 2, axis=0), axis=(1, 2))
    return centre, squared + 1e-8


def _entering(
    origins: Float[Array, "#K N 3"],
    directions: Float[Array, "#K N 3"],
    limits: Float[Array, "N 2"],
    centre: Float[Array, "3 K C"],
    squared: Float[Array, "K C"],
) -> UInt32[Array, "KC W"]:
    """One bit for each block and line, in words of 32 lines: whether the line enters the block's bounding sphere."""
    # filled up to whole words with lines at infinity
    missing = -len(limits) % 32
    middle = origins + directions * ((limits[:, :1] - limits[:, 1:]) / 2)
    middle = jnp.pad(middle, ((0, 0), (0, missing), (0, 0)), constant_values=1e6)
    directions = jnp.pad(directions, ((0, 0), (0, missing), (0, 0)))
    half = jnp.pad(limits.sum(axis=-1) / 2, (0, missing))
    # coordinate by coordinate, so that vector instructions run over the lines
    to_middle = [centre[k, ..., None] - middle[:, None, :, k] for k in range(3)]
    along = sum(to_middle[k] * directions[:, None, :, k] for k in range(3))
    beyond = jnp.maximum(jnp.abs(along) - half, 0.0)
    meets = sum(w * w for w in to_middle) - along * along + beyond * beyond <= squared[..., None]
    bits = meets.reshape(math.prod(squared.shape), -1, 32).astype(jnp.uint32)
    return jnp.sum(bits << jnp.arange(32, dtype=jnp.uint32), axis=-1, dtype=jnp.uint32)


def _nth_bits(words: UInt32[Array, "M W"], so_far: Int[Array, "M W"], n: Int[Array, "M l"]) -> Int[Array, "M l"]:
    """Position of the n-th set bit in each row of words; `so_far` is the number of set bits up to the end of each word.

    After the last set bit the result is any position.
    """
    word = jnp.minimum(jnp.sum(n[:, None] >= so_far[:, :, None], axis=1), words.shape[1] - 1)
    bits, until = (jnp.take_along_axis(each, word, axis=1) for each in (words, so_far))
    rank = n - until + jax.lax.population_count(bits).astype(jnp.int32)
    position = jnp.zeros_like(n)
    for width in (16, 8, 4, 2, 1):
        low = (bits >> position.astype(jnp.uint32)) & jnp.uint32(2**width - 1)
        below = jax.lax.population_count(low).astype(jnp.int32)
        position += jnp.where(rank >= below, width, 0)
        rank -= jnp.where(rank >= below, below, 0)
    return word * 32 + position


def _keys(
    rows: Float[Array, "12 M l"],
    triangle: Float[Array, "M c 9"],
    first: Int[Array, "M"],
    scale: Float[Array, ""],
    position_bits: int,
) -> UInt32[Array, "c M l"]:
    """The key (see `_search`) of each line and triangle in each group; _MISS where they do not intersect.

    `rows` are from `_line_frames`; `first` is the index of the block's first triangle.
    """
    coordinate = [triangle[:, :, k].T[..., None] for k in range(9)]

    def observed(corner: int, axis: int) -> Float[Array, "c M l"]:
        x, y, z = coordinate[3 * corner : 3 * corner + 3]
        return x * rows[3 * axis] + (y * rows[3 * axis + 1] + (z * rows[3 * axis + 2] - rows[9 + axis]))

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
