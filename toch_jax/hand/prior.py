"""Prior over hand poses: a Gaussian and limits for each component, from the 20,000 poses of the open hand.

Both are in MANO's frame (flexion of a right hand is a rotation about +z) with a flat hand as zero, so that they hold
for every model in that frame.
"""

from importlib.resources import files

import numpy as np
from flax import struct
from jaxtyping import Array, Float

from toch_jax.base.arrays import put
from toch_jax.hand.model import Side


class PosePrior(struct.PyTreeNode):
    """Gaussian and limits of the axis-angle pose, radians, in MANO's joint order."""

    mean: Float[Array, "45"]
    covariance: Float[Array, "45 45"]
    lower: Float[Array, "45"]
    upper: Float[Array, "45"]


def pose_prior(side: Side) -> PosePrior:
    """Mean, covariance and anatomical limits of the pose of a `side` hand."""
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        mean, covariance, limits = asset["prior_mean"], asset["prior_covariance"], asset["pose_limits"]
    if side == "left":
        turn = np.tile(np.array([1, -1, -1], np.float32), 15)
        mean, covariance, limits = mean * turn, covariance * np.outer(turn, turn), np.sort(limits * turn, axis=0)
    return PosePrior(*(put(x) for x in (mean, covariance, limits[0], limits[1])))
