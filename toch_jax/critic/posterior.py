"""Posterior of a slow error of position, from scores of offsets on a grid and from how such errors wander.

The error's three coordinates are independent AR(1) processes over the frames: normal with standard deviation s in each
frame, with the correlation exp(-gap / memory) between frames that are `gap` seconds apart; a constant one has an
infinite memory. On the grid's nodes this is a Markov chain. Its posterior follows exactly, forward and backward over
the frames (Rabiner 1989), one axis after the other: the transition's matrix is a product of three. In numpy, on the
host: nothing is compiled.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Nodes = tuple[Float[np.ndarray, "X"], Float[np.ndarray, "Y"], Float[np.ndarray, "Z"]]
"""Positions of a grid's nodes along each of its axes, metres."""


@dataclass(frozen=True)
class Process:
    """One way in which the position may be wrong."""

    sigma: tuple[float, float, float]
    """Standard deviation along each of the grid's axes, metres."""
    memory: float
    """Seconds after which the correlation has fallen to 1 / e; inf: the same error in all frames."""


class Posterior(NamedTuple):
    """The error of each of F frames, along the axes of the grid, metres."""

    mean: Float[np.ndarray, "F 3"]
    covariance: Float[np.ndarray, "F 3 3"]
    log_evidence: float
    """Logarithm of the mean of exp(scores) over the process's paths."""


def grid_offsets(nodes: Nodes) -> Float[np.ndarray, "C 3"]:
    """The places of all nodes, in the order of the scores' last three axes."""
    return np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, 3)


def posterior(
    scores: Float[np.ndarray, "F X Y Z"], nodes: Nodes, gaps: Float[np.ndarray, "F1"], process: Process
) -> Posterior:
    """The posterior of a `process`; `scores` are log likelihoods up to a constant, `gaps` seconds between the frames.

    Errors beyond the grid count as impossible.
    """
    n_frames = len(scores)
    top = scores.max(axis=(1, 2, 3), keepdims=True)
    likelihood = np.exp(scores - top)
    forward, log_evidence = [], float(top.sum())
    carried = _outer([_normal(axis, sigma) for axis, sigma in zip(nodes, process.sigma, strict=True)])
    steps = [_transition(nodes, process, gap) for gap in gaps]
    for frame in range(n_frames):
        here = carried * likelihood[frame]
        total = here.sum()
        log_evidence += float(np.log(total))
        forward.append(here / total)
        if frame < n_frames - 1:
            carried = _applied(steps[frame], forward[-1])
    onward = np.ones_like(carried)
    found = np.empty_like(scores)
    for frame in reversed(range(n_frames)):
        both = forward[frame] * onward
        found[frame] = both / both.sum()
        if frame:
            after = onward * likelihood[frame]
            onward = _applied([step.T for step in steps[frame - 1]], after / after.max())
    places = grid_offsets(nodes)
    share = found.reshape(n_frames, -1)
    mean = share @ places
    second = np.einsum("fc,ca,cb->fab", share, places, places)
    return Posterior(mean, second - mean[:, :, None] * mean[:, None], log_evidence)


def _normal(axis: Float[np.ndarray, "X"], sigma: float) -> Float[np.ndarray, "X"]:
    """Shares of the nodes under a normal distribution about 0."""
    share = np.exp(-0.5 * ((axis**2 - (axis**2).min()) / sigma**2))
    return share / share.sum()


def _transition(nodes: Nodes, process: Process, gap: float) -> list[Float[np.ndarray, "_ _"]]:
    """For each axis the matrix to [row] from [column]."""
    correlation = float(np.exp(-gap / process.memory))
    if correlation == 1.0:
        return [np.eye(len(axis)) for axis in nodes]
    found = []
    for axis, sigma in zip(nodes, process.sigma, strict=True):
        spread = sigma * np.sqrt(1 - correlation**2)
        away = (axis[:, None] - correlation * axis) ** 2
        share = np.exp(-0.5 * (away - away.min(axis=0)) / spread**2)
        found.append(share / share.sum(axis=0))
    return found


def _applied(steps: list[Float[np.ndarray, "_ _"]], values: Float[np.ndarray, "X Y Z"]) -> Float[np.ndarray, "X Y Z"]:
    along_x, along_y, along_z = steps
    values = np.tensordot(along_x, values, axes=(1, 0))
    values = np.moveaxis(np.tensordot(along_y, values, axes=(1, 1)), 0, 1)
    return np.moveaxis(np.tensordot(along_z, values, axes=(1, 2)), 0, 2)


def _outer(shares: list[Float[np.ndarray, "_"]]) -> Float[np.ndarray, "X Y Z"]:
    x, y, z = shares
    return x[:, None, None] * y[:, None] * z
