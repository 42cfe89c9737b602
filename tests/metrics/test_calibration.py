import numpy as np
import pytest
from scipy.stats import chi2

from toch_jax.metrics.calibration import LEVELS, inside_interval

RNG = np.random.default_rng(0)
SIGMA = RNG.uniform(0.001, 0.02, size=(400, 21))
ERROR = RNG.normal(size=(400, 21, 3)) * SIGMA[..., None]


@pytest.mark.parametrize("level", LEVELS)
def test_an_honest_sigma_holds_its_level(level: int) -> None:
    assert inside_interval(ERROR, SIGMA, level) == pytest.approx(level / 100, abs=0.012)


def test_a_sigma_half_as_large_holds_less() -> None:
    """The fraction of one coordinate within x sigma is P(chi2 with one degree of freedom <= x^2)."""
    reach_90 = chi2.ppf(0.9, 1)
    assert inside_interval(ERROR, 0.5 * SIGMA, 90) == pytest.approx(chi2.cdf(reach_90 / 4, 1), abs=0.012)
    assert inside_interval(ERROR, 100 * SIGMA, 50) == 1.0
