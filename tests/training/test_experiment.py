from pathlib import Path

import numpy as np
import pytest

from toch_jax.denoiser.light import LightConfig
from toch_jax.errors import InputError
from toch_jax.training.experiment import OptimiserConfig, learning_rate, load_experiment

FILE = """
from toch_jax.denoiser.light import LightConfig
from toch_jax.training.experiment import Experiment
experiment = Experiment(name="one", denoiser=LightConfig(5.0, (0.0, 0.1, 0.2)))
"""
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_flags_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(FILE)
    plain = load_experiment(path)
    changed = load_experiment(path, ["--steps", "7", "--batch.window", "16", "--denoiser.frame-width", "64"])
    assert (changed.steps, changed.batch.window) == (7, 16)
    assert isinstance(changed.denoiser, LightConfig)
    assert changed.denoiser.frame_width == 64
    assert changed.noise == plain.noise


@pytest.mark.parametrize("text", [None, "x = 1", "experiment = 3"])
def test_a_file_without_an_experiment_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError):
        load_experiment(path)


@pytest.mark.parametrize("name", ["open_grasps", "toch_open_grasps"])
def test_experiments_of_the_project_load(name: str) -> None:
    assert load_experiment(EXPERIMENTS / f"{name}.py").name == name


def test_one_cosine_falls_to_the_lowest_rate() -> None:
    rate = learning_rate(OptimiserConfig(learning_rate=1e-3, lowest_rate=1e-5, warmup=10), 100)
    np.testing.assert_allclose([rate(0), rate(4)], [1e-4, 5e-4 * (0.5 + 0.5 * np.cos(np.pi * 0.04))], rtol=1e-2)
    np.testing.assert_allclose(rate(99), 1e-5, rtol=0.1)


def test_restarted_cosines_come_back_to_the_full_rate() -> None:
    """As TOCH was trained: torch's CosineAnnealingWarmRestarts, low + (high - low)(1 + cos(pi t / T)) / 2."""
    rate = learning_rate(OptimiserConfig(learning_rate=8e-4, lowest_rate=1e-4, warmup=0, period=50), 200)
    steps = np.arange(200)
    expected = 1e-4 + 7e-4 * (1 + np.cos(np.pi * (steps % 50) / 50)) / 2
    np.testing.assert_allclose([rate(step) for step in steps], expected, rtol=1e-5)
