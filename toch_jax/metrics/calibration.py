"""Calibration of a method's standard deviations against its errors."""

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 90)
"""Nominal levels of the intervals, per cent."""


def inside_interval(error: Float[np.ndarray, "*batch 3"], sigma: Float[np.ndarray, "*batch"], level: int) -> float:
    """Share of the coordinates of `error` within the central normal interval of `level` per cent.

    `sigma` is one standard deviation of each of the point's three coordinates. A calibrated one gives `level` / 100.
    """
    reach = norm.ppf(0.5 + level / 200) * sigma[..., None]
    return float((np.abs(error) <= reach).mean())
