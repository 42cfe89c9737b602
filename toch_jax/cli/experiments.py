"""`toch train` and `toch benchmark`: an experiment is a Python file that binds a record, by path or by name."""

import ast
import difflib
import runpy
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from toch_jax.base.errors import bad_input
from toch_jax.base.files import shipped_folder
from toch_jax.cli.parse import Switch, UsageError, parsed, set_up_process, table

T = TypeVar("T")


def experiment_files(variable: str) -> dict[str, tuple[Path, str]]:
    """The project's experiments that bind `variable`, by name: the file, and the first line of its docstring."""
    found = {}
    for path in sorted(shipped_folder("experiments").glob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        bound = {
            target.id
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        if variable in bound:
            found[path.stem] = path, (ast.get_docstring(module) or "").split("\n")[0]
    return found


def experiment_file(where: str | Path, variable: str) -> Path:
    """The file of an experiment: `where` itself, or the project's of that name. Raises InputError if there is none."""
    if Path(where).is_file():
        return Path(where)
    files = experiment_files(variable)
    if str(where) not in files:
        near = difflib.get_close_matches(str(where), files, 1)
        guess = f", did you mean {near[0]}?" if near else ""
        expected = f"a Python file that binds `{variable}`, or one of {', '.join(files)}"
        raise bad_input(where, "experiment", expected, f"no file{guess}")
    return files[str(where)][0]


def read_experiment(where: str | Path, variable: str, kind: type[T]) -> T:
    """What the experiment `where` binds to `variable`. Raises InputError if it binds nothing of that kind."""
    path = experiment_file(where, variable)
    value = runpy.run_path(str(path)).get(variable)
    if not isinstance(value, kind):
        raise bad_input(path, variable, f"a value of type {kind.__name__}", f"one of type {type(value).__name__}")
    return value


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


def benchmark(
    experiment: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(help_behavior_hint="")]] = None,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs/benchmark"),
    quick: Switch = False,
    reported: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="WORD ...", help_behavior_hint="")] = None,
) -> int:
    """Compare the tracked input, tuned filters, other people's methods and the denoiser, under several kinds of noise.

    Args:
        experiment: One of filters (nothing has to be trained first), object_noise, two_hands and benchmark, or a file.
        output: Folder of results.json, results.md and plots/; an interrupted run is resumed there.
        quick: Two short clips and two noises.
        reported: Instead, list published figures: those that hold all of these words, such as GRAB mpjpe.
    """
    if reported is not None:
        from toch_jax.benchmark.report import reported_table
        from toch_jax.benchmark.results import load_reported, matching

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
