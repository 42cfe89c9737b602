"""How noisy a tracked trajectory is, told from its differences in time.

White noise of variance s grows in the k-th difference as the sum of squared binomials: 6 s, 20 s, 70 s for k = 2, 3, 4,
while accelerations that are themselves white, of variance q, grow as q, 2 q, 6 q. Second and fourth differences tell
the two apart. Slow errors (bias, drift) can't be told so: they look like motion.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.solver.linear import rotation_vectors
from toch_jax.solver.settings import Levels, Scalar
from toch_jax.solver.state import HandState

N_LEAST = 6
"""Fewer neighbouring differences than this tell nothing: the assumed values stay."""


def _spread(values: Float[Array, "T K"], valid: Bool[Array, "T"]) -> Float[Array, ""]:
    """Variance by the median of squares over frames (each the mean over coordinates): bursts don't count."""
    square = jnp.mean(values**2, axis=-1)
    count = values.shape[-1]
    # The median of a chi-square of k degrees of freedom, Wilson and Hilferty 1931.
    return jnp.nanmedian(jnp.where(valid, square, jnp.nan)) / (1 - 2 / (9 * count)) ** 3


def _level(
    second: Float[Array, "T2 K"], valid: Bool[Array, "T2"], assumed: Float[Array, ""] | float
) -> Float[Array, ""]:
    fourth = second[2:] - 2 * second[1:-1] + second[:-2]
    whole = valid[2:] & valid[1:-1] & valid[:-2]
    bend, wiggle = _spread(second, valid), _spread(fourth, whole)
    variance = jnp.clip((wiggle - 6 * bend) / 34, wiggle / 700, wiggle / 70)
    return jnp.where(whole.sum() >= N_LEAST, jnp.sqrt(variance), assumed)


TURN_REACH, BEND_REACH = 0.1, 0.05
"""Metres that a joint moves for each radian of the wrist's rotation and of the finger joints before it, about."""


@jax.jit
def denoiser_share(
    tracked: HandState, observed: Bool[Array, "T"], assumed: Levels, steady: Scalar
) -> Float[Array, "T"]:
    """What a denoiser's estimate counts for in each frame, 0 to 1: n^2 / (n^2 + steady^2) of a track whose joints have
    noise n (metres per coordinate), 1 where the hand was not observed.
    """
    noise = estimate_noise(tracked, observed, assumed)
    square = noise.wrist**2 + (TURN_REACH * noise.orient) ** 2 + (BEND_REACH * noise.fingers) ** 2
    return jnp.where(observed, square / (square + steady**2), 1.0)


@jax.jit
def estimate_noise(state: HandState, valid: Bool[Array, "T"], assumed: Levels) -> Levels:
    """Noise levels of a tracked trajectory; `assumed` where it is too short to tell."""
    turn = rotation_vectors(jnp.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:])
    spin = turn[1:] - turn[:-1]
    bend = jnp.diff(state.wrist, n=2, axis=0)
    whole = valid[2:] & valid[1:-1] & valid[:-2]
    return Levels(
        wrist=_level(bend, whole, assumed.wrist),
        orient=_level(spin[:, 0], whole, assumed.orient),
        fingers=_level(spin[:, 1:].reshape(-1, 45), whole, assumed.fingers),
    )
