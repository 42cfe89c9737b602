"""Symmetric block-banded systems: each frame couples to the next two, and all frames to a dense border (the shape).

Two neighbouring frames are joined into one block, which turns the block-pentadiagonal matrix into a block-tridiagonal
one. It is eliminated forwards and substituted backwards (the two passes of a Kalman smoother), the border by Schur
complement.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float


class BandedSystem(struct.PyTreeNode):
    """The matrix [[A, C], [C', D]] of T frames with n unknowns each and S shared ones.

    A is given by `diagonal`, `next_one` and `next_two`; C is `border`, D is `corner`.
    """

    diagonal: Float[Array, "T n n"]
    next_one: Float[Array, "T n n"]
    """Blocks with the rows of frame t and the columns of frame t + 1; the last is unused."""
    next_two: Float[Array, "T n n"]
    """Blocks with the rows of frame t and the columns of frame t + 2; the last two are unused."""
    border: Float[Array, "T n S"]
    corner: Float[Array, "S S"]


class Factor(struct.PyTreeNode):
    """Factorised system. T2 = T / 2 pairs of frames, of m = 2 n unknowns each."""

    inverse: Float[Array, "T2 m m"]
    """Inverses of the pivots' Cholesky factors."""
    coupling: Float[Array, "T2 m m"]
    """Inverse pivot times the block to its right."""
    shared: Float[Array, "T n S"]
    """A^-1 C."""
    corner_lower: Float[Array, "S S"]
    """Cholesky factor of D - C' A^-1 C."""


def _pairs(system: BandedSystem) -> tuple[Float[Array, "T2 m m"], Float[Array, "T2 m m"]]:
    """Diagonal blocks of pairs of frames, and the blocks to their right."""
    even, odd = slice(0, None, 2), slice(1, None, 2)
    a, b = system.diagonal[even], system.diagonal[odd]
    within, across = system.next_one[even], system.next_one[odd]
    even_two, odd_two = system.next_two[even], system.next_two[odd]
    diagonal = jnp.block([[a, within], [jnp.swapaxes(within, 1, 2), b]])
    right = jnp.block([[even_two, jnp.zeros_like(a)], [across, odd_two]])
    return diagonal, right


def _inverse_lower(lower: Float[Array, "m m"]) -> Float[Array, "m m"]:
    """Inverse of a lower triangular matrix by recursive halving: ten times faster on a CPU than XLA's substitution."""
    size = lower.shape[0]
    if size == 1:
        return 1 / lower
    if size <= 16:
        return solve_triangular(lower, jnp.eye(size), lower=True)
    half = size // 2
    first, last = _inverse_lower(lower[:half, :half]), _inverse_lower(lower[half:, half:])
    corner = -last @ (lower[half:, :half] @ first)
    return jnp.block([[first, jnp.zeros((half, size - half))], [corner, last]])


def _substitute(
    inverse: Float[Array, "T2 m m"], coupling: Float[Array, "T2 m m"], value: Float[Array, "T2 m K"]
) -> Float[Array, "T2 m K"]:
    """Solve A x = value with the factors of A."""

    def forward(above: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        lower, link, value = row
        value = value - above
        return link.T @ value, lower.T @ (lower @ value)

    _, reduced = jax.lax.scan(forward, jnp.zeros_like(value[0]), (inverse, coupling, value))

    def backward(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        link, value = row
        value = value - link @ after
        return value, value

    _, solution = jax.lax.scan(backward, jnp.zeros_like(value[0]), (coupling, reduced), reverse=True)
    return solution


def factor(system: BandedSystem) -> Factor:
    """Factorise. T must be even, and the system positive definite: otherwise the factors hold NaN."""
    diagonal, right = _pairs(system)

    def eliminate(carried: Array, row: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        value, link = row
        inverse = _inverse_lower(jnp.linalg.cholesky(value - carried))
        half = inverse @ link
        return half.T @ half, (inverse, inverse.T @ half)

    _, (inverse, coupling) = jax.lax.scan(eliminate, jnp.zeros_like(diagonal[0]), (diagonal, right))
    n_pairs, width = diagonal.shape[:2]
    shared = _substitute(inverse, coupling, system.border.reshape(n_pairs, width, -1)).reshape(system.border.shape)
    corner = system.corner - jnp.einsum("tns,tnu->su", system.border, shared)
    return Factor(inverse, coupling, shared, jnp.linalg.cholesky(corner))


def solve(
    system: BandedSystem, factors: Factor, frames: Float[Array, "T n"], shape: Float[Array, "S"]
) -> tuple[Float[Array, "T n"], Float[Array, "S"]]:
    """Solution for one right-hand side, given its part of the frames and of the shape."""
    n_pairs, width = factors.inverse.shape[:2]
    alone = _substitute(factors.inverse, factors.coupling, frames.reshape(n_pairs, width, 1)).reshape(frames.shape)
    by_shape = cho_solve((factors.corner_lower, True), shape - jnp.einsum("tns,tn->s", system.border, alone))
    return alone - factors.shared @ by_shape, by_shape


def frame_covariance(factors: Factor) -> Float[Array, "T n n"]:
    """Each frame's diagonal block of the inverse matrix (Rauch-Tung-Striebel's backward pass), the border included."""

    def backward(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        lower, link = row
        value = lower.T @ lower + link @ after @ link.T
        return value, value

    start = jnp.zeros_like(factors.inverse[0])
    _, pairs = jax.lax.scan(backward, start, (factors.inverse, factors.coupling), reverse=True)
    n = factors.shared.shape[1]
    blocks = jnp.stack([pairs[:, :n, :n], pairs[:, n:, n:]], axis=1).reshape(-1, n, n)
    n_shared = factors.corner_lower.shape[0]
    spread = cho_solve((factors.corner_lower, True), factors.shared.reshape(-1, n_shared).T)
    spread = spread.reshape(n_shared, -1, n)
    return blocks + jnp.einsum("tns,stm->tnm", factors.shared, spread)
