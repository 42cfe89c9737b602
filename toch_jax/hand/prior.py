"""Prior over hand poses: a Gaussian and limits for each component, from the 20,000 poses of the open hand.

Both are in MANO's frame (flexion of a right hand is a rotation about +z) with a flat hand as zero, so that they hold
for every model in that frame.
"""

from functools import cache
from importlib.resources import files

import jax.numpy as jnp
import numpy as np

from toch_jax.base.arrays import put
from toch_jax.hand.model import PosePrior, Side

MIRRORED = np.tile(np.array([1, -1, -1], np.float32), 15)
"""Signs of the pose's components after reflection in x."""


@cache
def pose_prior(side: Side) -> PosePrior:
    """Mean, covariance and anatomical limits of the pose of a `side` hand."""
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        mean, covariance, limits = asset["prior_mean"], asset["prior_covariance"], asset["pose_limits"]
    right = PosePrior(*(put(x) for x in (mean, covariance, limits[0], limits[1])))
    return right if side == "right" else mirror_prior(right)


def mirror_prior(prior: PosePrior) -> PosePrior:
    """The prior of the hand of the other side."""
    lower, upper = prior.lower * MIRRORED, prior.upper * MIRRORED
    return PosePrior(
        mean=prior.mean * MIRRORED,
        covariance=prior.covariance * np.outer(MIRRORED, MIRRORED),
        lower=jnp.minimum(lower, upper),
        upper=jnp.maximum(lower, upper),
    )
