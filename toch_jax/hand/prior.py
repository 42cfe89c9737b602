"""Prior over hand poses: ranges of motion of the joints; a Gaussian and limits for each component of the pose.

Gaussian and limits are those of the 20,000 poses that scripts/open_hand/poses.py samples in the ranges. They are in
MANO's frame (flexion of a right hand is a rotation about +z) with a flat hand as zero, so that they hold for every
model in that frame.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Range:
    """Limits in degrees: flexion towards the palm, spread (about the back of the hand), twist about the bone."""

    flexion: tuple[int, int]
    spread: tuple[int, int] = (-2, 2)
    twist: tuple[int, int] = (-3, 3)


# MANO's order: index, middle, pinky, ring, thumb; positive spread rotates a finger towards the little finger's side
_KNUCKLE = {
    "index": Range((-20, 90), (-15, 12), (-8, 8)),
    "middle": Range((-20, 90), (-10, 10), (-8, 8)),
    "pinky": Range((-20, 95), (-22, 15), (-12, 12)),
    "ring": Range((-20, 92), (-14, 10), (-8, 8)),
}
RANGES = (
    *(r for knuckle in _KNUCKLE.values() for r in (knuckle, Range((-3, 105)), Range((-8, 75)))),
    Range((-20, 35), (-30, 40), (-20, 30)),  # thumb: spread is positive into the palm
    Range((-10, 60), (-10, 10), (-8, 8)),
    Range((-15, 80)),
)
"""Ranges of motion of the 15 finger joints, degrees, after Kapandji, The Physiology of the Joints, vol. 1, rounded."""
