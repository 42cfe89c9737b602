"""Canonical coordinates for networks: the hand's template, shifted and scaled to a size of about 1."""

import numpy as np
from jaxtyping import Float

from toch_jax.hand.model import HandModel

Centre = tuple[float, float, float]

MANO_SCALE = 5.1807
MANO_OFFSET = (-0.0908, -0.0202, -0.0584)
"""TOCH's own constants for MANO's right template: normalised = template * scale + offset."""


def canonical_scale_offset(model: HandModel) -> tuple[float, Centre]:
    """Scale (1/m) and offset of canonical coordinates: template * scale + offset.

    For MANO they are TOCH's constants. For another hand they centre its template's bounding box at the origin, with a
    longest side of 1, as TOCH's constants do for MANO to within a few per cent.
    """
    if model.name == "mano":
        return MANO_SCALE, MANO_OFFSET
    template: Float[np.ndarray, "V 3"] = np.asarray(model.v_template, np.float64)
    low, high = template.min(axis=0), template.max(axis=0)
    scale = 1.0 / float((high - low).max())
    x, y, z = (-scale * (low + high) / 2).round(6).tolist()
    return round(scale, 6), (x, y, z)
