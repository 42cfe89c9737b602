"""Penetration of hands into each other."""

import itertools

import numpy as np
from jaxtyping import Float

from toch_jax.metrics.contact import Part, signed_distances
from toch_jax.sequence.derived import PosedHand


def hands_depth_mm(hands: list[PosedHand]) -> Float[np.ndarray, "T"]:
    """Penetration depth of the deepest point of a hand inside another hand in each frame; 0 where they are apart.

    nan where fewer than two hands are observed, or no hand has a closed mesh to be inside of.
    """
    deepest = np.full(len(hands[0].observed), np.nan)
    for mine, other in itertools.permutations(hands, 2):
        if other.faces is None:
            continue
        for frame in np.flatnonzero(mine.observed & other.observed):
            skin = Part(other.points[frame].astype(np.float64), other.faces.astype(np.int64), None, None)
            depth = -1e3 * signed_distances(mine.points[frame], skin).min()
            deepest[frame] = np.fmax(deepest[frame], max(depth, 0.0))
    return deepest
