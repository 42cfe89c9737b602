"""The rotation nearest to a matrix."""

import numpy as np
from jaxtyping import Float


def nearest_rotation(matrices: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """The rotation with the smallest sum of squared differences from each matrix, without reflections.

    Of the sum of y x' over pairs of centred points: the rotation that takes the points x nearest to y (Kabsch 1976).
    """
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.sign(np.linalg.det(left @ right))[..., None]
    return left @ right
