import numpy as np

from toch_jax.training.experiment import OptimiserConfig, learning_rate


def test_one_cosine_falls_to_the_lowest_rate() -> None:
    rate = learning_rate(OptimiserConfig(learning_rate=1e-3, lowest_rate=1e-5, warmup=10), 100)
    np.testing.assert_allclose([rate(0), rate(4)], [1e-4, 5e-4 * (0.5 + 0.5 * np.cos(np.pi * 0.04))], rtol=1e-2)
    np.testing.assert_allclose(rate(99), 1e-5, rtol=0.1)


def test_restarted_cosines_come_back_to_the_full_rate() -> None:
    """TOCH's schedule: torch's CosineAnnealingWarmRestarts, low + (high - low)(1 + cos(pi t / T)) / 2."""
    rate = learning_rate(OptimiserConfig(learning_rate=8e-4, lowest_rate=1e-4, warmup=0, period=50), 200)
    steps = np.arange(200)
    expected = 1e-4 + 7e-4 * (1 + np.cos(np.pi * (steps % 50) / 50)) / 2
    np.testing.assert_allclose([rate(step) for step in steps], expected, rtol=1e-5)
