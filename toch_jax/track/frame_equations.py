"""Weighted linear equations in the unknowns of consecutive frames, solved by least squares in time linear in frames.

With A the sum of J' W J over all equations J x + r = 0 of weight W, and b that of J' W r, the solution is -A^-1 b. A
couples frames that are at most two apart, so it is a band. Computed in float64 on the host: nothing is compiled.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import solveh_banded

REACH = 3
"""Number of consecutive frames that an equation may have unknowns of."""


class Equations(NamedTuple):
    """Three equations for each of M frames t: residual[t] + sum over k of slopes[k][t] x[t + k] = 0.

    x[t] are the N unknowns of frame t; `slopes` are of the frame itself and of up to two after it. The first equations
    are those of frame 0.
    """

    residual: Float[np.ndarray, "M 3"]
    slopes: tuple[Float[np.ndarray, "M 3 N"], ...]
    weight: Float[np.ndarray, "M 3 3"]
    """Inverse covariance of the residual."""


class Normal(NamedTuple):
    """The normal equations A x = -b."""

    blocks: Float[np.ndarray, "3 T N N"]
    """blocks[k, t] is A's block in the rows of frame t and the columns of frame t + k."""
    right: Float[np.ndarray, "T N"]
    """b."""


def normal_equations(equations: Iterable[Equations], n_frames: int, n_unknowns: int, damping: float) -> Normal:
    """The normal equations of all `equations` together; `damping` is added to A's diagonal."""
    blocks = np.zeros((REACH, n_frames, n_unknowns, n_unknowns))
    blocks[0] += damping * np.eye(n_unknowns)
    right = np.zeros((n_frames, n_unknowns))
    for residual, slopes, weight in equations:
        count = len(residual)
        for i, slope in enumerate(slopes):
            weighted = np.swapaxes(slope, 1, 2) @ weight
            right[i : i + count] += (weighted @ residual[..., None])[..., 0]
            for j in range(i, len(slopes)):
                blocks[j - i, i : i + count] += weighted @ slopes[j]
    return Normal(blocks, right)


def solution(normal: Normal) -> Float[np.ndarray, "T N"]:
    """The x of the normal equations."""
    n_frames, n = normal.right.shape
    width = REACH * n
    band = np.zeros((width, n_frames * n))
    for apart in range(min(REACH, n_frames)):
        block = normal.blocks[apart, : n_frames - apart]
        for row, column in np.ndindex(n, n):
            above = apart * n + column - row
            if above >= 0:
                band[width - 1 - above, apart * n + column :: n] = block[:, row, column]
    return solveh_banded(band, -normal.right.reshape(-1)).reshape(n_frames, n)


def covariances(normal: Normal) -> Float[np.ndarray, "T N N"]:
    """The diagonal blocks of A^-1: the covariance of each frame's unknowns.

    Two frames at a time, A is block tridiagonal: eliminated forwards, its inverse's blocks follow backwards.
    """
    n_frames, n = normal.right.shape
    n_pairs = -(-n_frames // 2)
    same, near, far = (np.zeros((2 * n_pairs + 2, n, n)) for _ in range(REACH))
    same[:], same[:n_frames] = np.eye(n), normal.blocks[0]
    for apart, target in ((1, near), (2, far)):
        target[: max(n_frames - apart, 0)] = normal.blocks[apart, : max(n_frames - apart, 0)]
    inverses, gains = [], []
    pivot = np.zeros((2 * n, 2 * n))
    for first in range(0, 2 * n_pairs, 2):
        own = np.block([[same[first], near[first]], [near[first].T, same[first + 1]]])
        inverses.append(np.linalg.inv(own - pivot))
        onward = np.block([[far[first], np.zeros((n, n))], [near[first + 1], far[first + 1]]])
        gains.append(inverses[-1] @ onward)
        pivot = onward.T @ gains[-1]
    found = np.zeros((n_pairs, 2 * n, 2 * n))
    later = np.zeros((2 * n, 2 * n))
    for pair in reversed(range(n_pairs)):
        later = found[pair] = inverses[pair] + gains[pair] @ later @ gains[pair].T
    return np.stack([found[:, :n, :n], found[:, n:, n:]], axis=1).reshape(-1, n, n)[:n_frames]
