from pathlib import Path

import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark.experiment import Benchmark
from toch_jax.cli.experiments import experiment_files, read_experiment
from toch_jax.training.experiment import Experiment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("name", ["open_grasps", "toch_open_grasps"])
def test_the_project_s_experiments_by_name_or_path(name: str) -> None:
    assert read_experiment(name, "experiment", Experiment).name == name
    assert read_experiment(EXPERIMENTS / f"{name}.py", "experiment", Experiment).name == name


def test_each_of_the_project_s_benchmarks_loads() -> None:
    for name in experiment_files("benchmark"):
        assert read_experiment(name, "benchmark", Benchmark).datasets


def test_names_are_those_of_files_that_bind_the_variable() -> None:
    assert set(experiment_files("benchmark")) == {"benchmark", "filters", "object_noise", "two_hands"}
    assert experiment_files("experiment")["grab_ours"] == (
        EXPERIMENTS / "grab_ours.py",
        "Train FieldNet on GRAB, both hands.",
    )


@pytest.mark.parametrize("text", [None, "x = 1", "experiment = 3"])
def test_a_file_without_an_experiment_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"one\.py"):
        read_experiment(path, "experiment", Experiment)


def test_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"or one of benchmark, filters, object_noise, two_hands, found no file, did you mean filte"
    ):
        read_experiment("filter", "benchmark", Benchmark)
