"""Canonical coordinates for networks: the hand's template moved and scaled to about one unit across."""

import numpy as np
from jaxtyping import Float

from toch_jax.hand.model import HandModel

Centre = tuple[float, float, float]

MANO_SCALE = 5.1807
MANO_OFFSET = (-0.0908, -0.0202, -0.0584)
"""TOCH's own constants for MANO's right template: normalised = template * scale + offset."""


def canonical_scale_offset(model: HandModel) -> tuple[float, Centre]:
    """(scale per metre, offset): TOCH's constants for MANO; for another hand, its template's bounding box is
    centred at the origin with a longest side of 1, which is what those constants do to MANO's to within a few per cent.
    """
    if model.name == "mano":
        return MANO_SCALE, MANO_OFFSET
    template: Float[np.ndarray, "V 3"] = np.asarray(model.v_template, np.float64)
    low, high = template.min(axis=0), template.max(axis=0)
    scale = 1.0 / float((high - low).max())
    x, y, z = (-scale * (low + high) / 2).round(6).tolist()
    return round(scale, 6), (x, y, z)
