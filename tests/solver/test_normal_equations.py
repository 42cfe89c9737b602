"""The banded solver against NumPy's dense solver in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.dense import dense

from toch_jax.solver.normal_equations import BandedSystem, factor, frame_covariance, solve

T, N, S = 6, 21, 3


@pytest.fixture(scope="module")
def system() -> BandedSystem:
    """A random least-squares system, whose residuals depend on three neighbouring frames and the shape."""
    rng = np.random.default_rng(0)
    n_rows = 40
    whole = np.zeros((T * N + S,) * 2)
    for t in range(T - 2):
        rows = np.zeros((n_rows, T * N + S))
        rows[:, t * N : (t + 3) * N] = rng.normal(size=(n_rows, 3 * N))
        rows[:, T * N :] = rng.normal(size=(n_rows, S))
        whole += rows.T @ rows
    whole += np.eye(len(whole))
    block = whole[: T * N, : T * N].reshape(T, N, T, N).swapaxes(1, 2)
    padded = np.concatenate([block, np.zeros((T, 2, N, N))], axis=1)
    frames = np.arange(T)
    return BandedSystem(
        diagonal=jnp.asarray(block[frames, frames], jnp.float32),
        next_one=jnp.asarray(padded[frames, frames + 1], jnp.float32),
        next_two=jnp.asarray(padded[frames, frames + 2], jnp.float32),
        border=jnp.asarray(whole[: T * N, T * N :].reshape(T, N, S), jnp.float32),
        corner=jnp.asarray(whole[T * N :, T * N :], jnp.float32),
    )


@jax.jit
def eliminate(system: BandedSystem, frames: jax.Array, shape: jax.Array) -> tuple:
    """The solution, and each frame's covariance."""
    factors = factor(system)
    return *solve(system, factors, frames, shape), frame_covariance(factors)


def right_side() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(T, N)).astype(np.float32), rng.normal(size=S).astype(np.float32)


def test_solve(system: BandedSystem) -> None:
    frames, shape = right_side()
    by_frame, by_shape, _ = eliminate(system, frames, shape)
    expected = np.linalg.solve(dense(system), np.concatenate([frames.ravel(), shape]))
    found = np.concatenate([np.asarray(by_frame).ravel(), by_shape])
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_covariance_is_the_inverse(system: BandedSystem) -> None:
    found = eliminate(system, *right_side())[2]
    inverse = np.linalg.inv(dense(system))[: T * N, : T * N].reshape(T, N, T, N)
    expected = np.stack([inverse[t, :, t] for t in range(T)])
    np.testing.assert_allclose(np.asarray(found), expected, atol=2e-4 * np.abs(expected).max())


def test_indefinite_system_gives_nan(system: BandedSystem) -> None:
    """NaN makes the solver reject the step."""
    broken = system.replace(diagonal=-system.diagonal)
    assert jnp.isnan(eliminate(broken, *right_side())[0]).any()
