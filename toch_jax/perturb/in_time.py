"""Random processes over a clip's frames that the perturbations of hands and objects share."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

DRIFT_MEMORY = 0.95
"""Correlation of a drift between neighbouring frames: it is forgotten in 20 frames. Chosen by hand."""
MEAN_RUN = 5.0
"""Mean length of a gap or a burst of outliers, frames; chosen by hand."""


def slowly_varying(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "T *values"]:
    """Normal values of standard deviation 1 that vary slowly over the first axis: AR(1) of DRIFT_MEMORY."""
    noise = jax.random.normal(key, shape)

    def step(offset: Array, fresh: Array) -> tuple[Array, Array]:
        offset = DRIFT_MEMORY * offset + math.sqrt(1 - DRIFT_MEMORY**2) * fresh
        return offset, offset

    _, offsets = jax.lax.scan(step, noise[0], noise[1:])
    return jnp.concatenate([noise[:1], offsets])


def lost_runs(key: PRNGKeyArray, n_frames: int, share: float) -> Bool[Array, "T"]:
    """A stationary two-state Markov chain: true in a `share` of the frames, in runs of MEAN_RUN frames on average."""
    draws = jax.random.uniform(key, (n_frames,))
    stay, enter = 1 - 1 / MEAN_RUN, share / (1 - share) / MEAN_RUN

    def step(inside: Bool[Array, ""], draw: Float[Array, ""]) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
        inside = draw < jnp.where(inside, stay, enter)
        return inside, inside

    first = draws[0] < share
    _, rest = jax.lax.scan(step, first, draws[1:])
    return jnp.concatenate([first[None], rest])
