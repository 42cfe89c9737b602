"""`toch train`: an experiment's own fields are the options."""

from pathlib import Path
from typing import Annotated

import tyro

from toch_jax.cli.experiment_files import experiment_file, experiment_files, read_experiment
from toch_jax.cli.parse import UsageError, parsed, set_up_process, table


def train(words: list[str], prog: str) -> int:
    """Train a denoiser; resumes if interrupted."""
    if words[:1] in (["-h"], ["--help"]):
        print(_help(prog))
        return 0
    if not words or words[0].startswith("-"):
        names = ", ".join(experiment_files("experiment"))
        found = words[0] if words else "nothing"
        expected = f"expected an experiment first ({names}, or a Python file), found {found}"
        raise UsageError(f"{prog}: {expected}; see {prog} --help")
    where, *options = words
    path = experiment_file(where, "experiment")
    set_up_process()
    from toch_jax.training.experiment import TrainingRun
    from toch_jax.training.loop import run_experiment

    bound = read_experiment(path, "experiment", TrainingRun)

    def run(
        experiment: Annotated[TrainingRun, tyro.conf.arg(name="")] = bound,
        run_dir: Path = Path("runs") / path.stem,
    ) -> int:
        """Train with the values that the experiment binds, or others.

        Args:
            experiment: What decides which weights come out.
            run_dir: Folder of checkpoints, metrics and the result; an interrupted run that lies there is resumed.
        """
        for name, value in run_experiment(experiment, run_dir).items():
            print(f"{name}: {value:.3f}")
        print(f"denoiser -> {run_dir / 'denoiser.npz'}")
        return 0

    return parsed(run, options, f"{prog} {where}", (tyro.conf.AvoidSubcommands,))()


def _help(prog: str) -> str:
    files = experiment_files("experiment")
    return "\n".join(
        [
            f"usage: {prog} EXPERIMENT [--run-dir FOLDER] [--steps N] [--batch.window N] ...",
            "",
            "Train a denoiser; resumes if interrupted. EXPERIMENT is one of these names, or a Python file that binds",
            "`experiment`, an Experiment:",
            "",
            *table({name: summary for name, (_, summary) in files.items()}),
            "",
            *table({f"{prog} EXPERIMENT --help": "the values that can be changed, and their defaults"}),
        ]
    )
