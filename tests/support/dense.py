"""A banded system as a dense matrix."""

import numpy as np

from toch_jax.solver.normal_equations import BandedSystem


def dense(system: BandedSystem) -> np.ndarray:
    """The dense matrix, with the frames' unknowns first."""
    n_frames, n, n_shared = system.border.shape
    matrix = np.zeros((n_frames * n + n_shared,) * 2)
    frames = [slice(t * n, (t + 1) * n) for t in range(n_frames)]
    shape = slice(n_frames * n, None)
    for t in range(n_frames):
        matrix[frames[t], frames[t]] = system.diagonal[t] / 2
        matrix[frames[t], shape] = system.border[t]
        for step, block in ((1, system.next_one), (2, system.next_two)):
            if t + step < n_frames:
                matrix[frames[t], frames[t + step]] = block[t]
    matrix[shape, shape] = system.corner / 2
    return matrix + matrix.T
