"""Banded normal equations against dense ones."""

import numpy as np
import pytest

from toch_jax.track.frame_equations import Equations, covariances, normal_equations, solution

N = 4


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7, 8])
def test_solution_and_covariance_are_those_of_the_dense_system(n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    equations, rows, values = [], [], []
    for reach in range(min(3, n_frames)):
        count = n_frames - reach
        slopes = tuple(rng.normal(size=(count, 3, N)) for _ in range(reach + 1))
        root = rng.normal(size=(count, 3, 3))
        residual = rng.normal(size=(count, 3))
        equations.append(Equations(residual, slopes, np.swapaxes(root, 1, 2) @ root))
        for t in range(count):
            row = np.zeros((3, n_frames, N))
            for k, slope in enumerate(slopes):
                row[:, t + k] = slope[t]
            rows.append(root[t] @ row.reshape(3, -1))
            values.append(root[t] @ residual[t])
    damping = 0.1
    dense = np.concatenate([*rows, np.sqrt(damping) * np.eye(n_frames * N)])
    right = np.concatenate([*values, np.zeros(n_frames * N)])
    normal = normal_equations(equations, n_frames, N, damping)
    expected = -np.linalg.lstsq(dense, right, rcond=None)[0]
    np.testing.assert_allclose(solution(normal).reshape(-1), expected, atol=1e-8)
    inverse = np.linalg.inv(dense.T @ dense).reshape(n_frames, N, n_frames, N)
    found = covariances(normal)
    for t in range(n_frames):
        np.testing.assert_allclose(found[t], inverse[t, :, t], atol=1e-8)
