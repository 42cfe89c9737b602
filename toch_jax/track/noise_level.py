"""Noise level of a tracked trajectory, estimated from its differences in time.

In the k-th differences, k = 2, 3, 4, white noise of variance s has variance 6 s, 20 s, 70 s (sums of squared binomial
coefficients), and white accelerations of variance q have q, 2 q, 6 q. Second and fourth differences separate the two.
Slow errors (bias, drift) cannot be estimated in this way: they look like motion.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.base.programs import program
from toch_jax.solver.kinematics import HandState
from toch_jax.solver.normal_equations import rotation_vectors
from toch_jax.solver.settings import Levels, Scalar

N_LEAST = 6
"""Fewest fourth differences for an estimate; with fewer the assumed values are used. Chosen by hand."""


def _spread(values: Float[Array, "T K"], valid: Bool[Array, "T"]) -> Float[Array, ""]:
    """Variance from the median over frames of squares (each the mean over coordinates), robust against outliers."""
    square = jnp.mean(values**2, axis=-1)
    count = values.shape[-1]
    # The median of a chi-square of k degrees of freedom, Wilson and Hilferty 1931.
    return jnp.nanmedian(jnp.where(valid, square, jnp.nan)) / (1 - 2 / (9 * count)) ** 3


def _level(
    second: Float[Array, "T2 K"], valid: Bool[Array, "T2"], assumed: Float[Array, ""] | float
) -> Float[Array, ""]:
    """Standard deviation of the noise of a path with these second differences."""
    fourth = second[2:] - 2 * second[1:-1] + second[:-2]
    whole = valid[2:] & valid[1:-1] & valid[:-2]
    bend, wiggle = _spread(second, valid), _spread(fourth, whole)
    variance = jnp.clip((wiggle - 6 * bend) / 34, wiggle / 700, wiggle / 70)
    return jnp.where(whole.sum() >= N_LEAST, jnp.sqrt(variance), assumed)


TURN_REACH, BEND_REACH = 0.1, 0.05
"""Approximate distance (metres) that a joint moves per radian of the wrist's and of the finger joints' rotations:
of the order of an adult's palm and of a finger."""


def joint_noise(noise: Levels) -> Float[Array, ""]:
    """Noise of the joints of a track, metres per coordinate."""
    return jnp.sqrt(noise.wrist**2 + (TURN_REACH * noise.orient) ** 2 + (BEND_REACH * noise.fingers) ** 2)


@program()
def denoiser_share(noise: Levels, observed: Bool[Array, "T"], steady: Scalar) -> Float[Array, "T"]:
    """Weight of a denoiser's estimate in each frame, 0 to 1; 1 where the hand was not observed.

    It is n^2 / (n^2 + steady^2), n being the noise of the track's joints (metres per coordinate).
    """
    square = joint_noise(noise) ** 2
    return jnp.where(observed, square / (square + steady**2), 1.0)


@program()
def estimate_noise(state: HandState, valid: Bool[Array, "T"], assumed: Levels) -> Levels:
    """Noise levels of a tracked trajectory; `assumed` if it is too short for an estimate."""
    turn = rotation_vectors(jnp.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:])
    spin = turn[1:] - turn[:-1]
    bend = jnp.diff(state.wrist, n=2, axis=0)
    whole = valid[2:] & valid[1:-1] & valid[:-2]
    return Levels(
        wrist=_level(bend, whole, assumed.wrist),
        orient=_level(spin[:, 0], whole, assumed.orient),
        fingers=_level(spin[:, 1:].reshape(-1, 45), whole, assumed.fingers),
    )
