from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.hand.model import HandParams
from toch_jax.hand.prior import pose_prior


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden" / "smplx_mano.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def params() -> HandParams:
    """Six plausible parameters of a right hand."""
    prior = pose_prior("right")
    pose, orient, betas, transl = jax.random.split(jax.random.key(3), 4)
    drawn = jax.random.multivariate_normal(pose, prior.mean, prior.covariance + 1e-6 * jnp.eye(45), (6,))
    return HandParams(
        global_orient=jax.random.normal(orient, (6, 3)),
        pose=jnp.clip(drawn, prior.lower, prior.upper),
        betas=jax.random.normal(betas, (6, 10)),
        transl=jax.random.normal(transl, (6, 3)) * 0.3,
    )
