"""`toch benchmark`."""

from pathlib import Path
from typing import Annotated

import tyro

from toch_jax.cli.experiment_files import experiment_file, experiment_files, read_experiment
from toch_jax.cli.parse import Switch, UsageError


def benchmark(
    experiment: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(help_behavior_hint="")]] = None,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs/benchmark"),
    quick: Switch = False,
    reported: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="WORD ...", help_behavior_hint="")] = None,
) -> int:
    """Compare the tracked input, tuned filters, other people's methods and the denoiser, under several kinds of noise.

    Args:
        experiment: One of filters (nothing has to be trained first), two_hands and benchmark, or a Python file.
        output: Folder of results.json, results.md and plots/; an interrupted run is resumed there.
        quick: Two short clips and two noises.
        reported: Instead, list published figures: those that hold all of these words, such as GRAB mpjpe.
    """
    if reported is not None:
        from toch_jax.benchmark.results import load_reported, matching
        from toch_jax.benchmark.tables import reported_table

        print(reported_table(matching(load_reported(), reported)), end="")
        return 0
    from toch_jax.benchmark.experiment import Benchmark, run_benchmark

    assert experiment is not None, "check_benchmark"
    run_benchmark(read_experiment(experiment, "benchmark", Benchmark), output, quick)
    print((output / "results.md").read_text(encoding="utf-8"))
    return 0


def check_benchmark(experiment: str | None = None, reported: tuple[str, ...] | None = None, **_: object) -> None:
    """Refuse what `benchmark` cannot find."""
    if experiment is not None:
        experiment_file(experiment, "benchmark")
    elif reported is None:
        names = ", ".join(experiment_files("benchmark"))
        expected = f"an experiment ({names}, or a Python file) or --reported WORD ..."
        raise UsageError(f"toch benchmark: expected {expected}, found neither; see toch benchmark --help")
