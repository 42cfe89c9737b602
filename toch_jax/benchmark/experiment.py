"""A benchmark experiment, from its data sets to its tables and plots."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_text
from toch_jax.benchmark.methods.method import Learnt, Method
from toch_jax.benchmark.methods.registry import UNTRAINED
from toch_jax.benchmark.report import (
    HAND_ERRORS,
    definitions_table,
    draw_plots,
    error_table,
    filter_labels,
    hands_table,
    has_object_noise,
    headline_table,
    object_table,
    ratio_table,
    reported_table,
)
from toch_jax.benchmark.results import Result, Table, load_reported, summarise
from toch_jax.benchmark.run import Clip, read_tuned, run_methods
from toch_jax.datasets.prepared import read_sequences
from toch_jax.metrics import METRICS
from toch_jax.sequence.types import Sequence

QUICK_FRAMES = 40
"""Maximum length of a clip with `--quick`, frames."""


@dataclass(frozen=True)
class Dataset:
    """One data set of a benchmark."""

    name: str
    noises: tuple[str, ...]
    clips: int | None = None
    """Maximum number of test clips, evenly spread over the data set; None: all."""
    hands: int | None = None
    """Number of hands of the clips that are used; None: all clips."""


@dataclass(frozen=True)
class Benchmark:
    """Data sets and methods of one benchmark; bound as `benchmark` by a file in experiments/."""

    datasets: tuple[Dataset, ...]
    methods: tuple[Method, ...] = UNTRAINED
    validation_clips: int | None = 8
    """Maximum number of clips on which the filters are tuned, separately for each noise; None: all."""
    split: str = "test"
    validation: str = "val"
    quick_noises: tuple[str, ...] = ("T(0.01)", "R(0.3)")
    """The noises with `--quick`."""
    seed: int = 0


def run_benchmark(experiment: Benchmark, folder: Path, quick: bool = False) -> list[Result]:
    """Scores every method under every noise and writes the results to `folder`; resumes an interrupted run.

    Writes results.json (the records), results.md (tables), metrics.json (definitions of the metrics), plots/, and
    clips/ (scores of each clip). `quick` takes two clips of the first data set, cut to QUICK_FRAMES, and
    `quick_noises`. Raises InputError if a data set is not prepared, if weights are missing, if what is given as a
    method is none, or if the folder holds a run with other weights, another seed or clips of another length.
    """
    settings = _settings(experiment, quick)
    datasets, validation_clips, frames = experiment.datasets, experiment.validation_clips, None
    if quick:
        datasets = (replace(datasets[0], noises=experiment.quick_noises, clips=2),)
        validation_clips, frames = 2, QUICK_FRAMES
    clips = {each.name: read_clips(each, experiment.split, each.clips, frames) for each in datasets}
    claim(folder, settings)
    tables: dict[str, dict[str, Table]] = {}
    for each in datasets:
        validation = read_clips(each, experiment.validation, validation_clips, frames)
        given = clips[each.name], validation, each.noises, experiment.methods
        tables[each.name] = run_methods(each.name, *given, folder, experiment.seed)
    results = [
        result
        for name, by_noise in tables.items()
        for noise, table in by_noise.items()
        for result in summarise(name, noise, table)
    ]
    write_text(folder / "results.json", json.dumps([asdict(result) for result in results], indent=1))
    write_text(folder / "metrics.json", json.dumps({name: asdict(m) for name, m in METRICS.items()}, indent=1))
    write_text(folder / "results.md", results_text(experiment, folder, tables, results))
    draw_plots(results, experiment.methods, folder / "plots")
    return results


def results_text(
    experiment: Benchmark, folder: Path, tables: Mapping[str, Mapping[str, Table]], results: list[Result]
) -> str:
    """Text of results.md."""
    methods = experiment.methods
    given = [m for m in methods if isinstance(m, Learnt) and m.checkpoint != Learnt.checkpoint]
    checkpoints = ", ".join(f"{m.name}: {m.checkpoint}" for m in given) or "the shipped ones"
    text = [
        "# Benchmark\n",
        f"Mean over clips [95 % bootstrap interval]; seed {experiment.seed}; weights: {checkpoints}.",
        "Filters are tuned on validation clips, each for each noise (filters/). Every number: the last table.\n",
    ]
    for dataset, by_noise in tables.items():
        found = [r for r in results if r.dataset == dataset]
        n_clips = max(len(table) for table in by_noise.values())
        text += [f"## {dataset}, {n_clips} clips\n", "MPJPE, and depth inside the object (mm):\n"]
        text += [error_table(found, methods), "Ours over the others (below 1 is better, but for contact IoU):\n"]
        text.append(ratio_table(found, by_noise, methods))
        if has_object_noise(found):
            text.append("Hand seen from the object (mm); ADD (mm) and acceleration at rest (m/s2) of the object:\n")
            text.append(object_table(by_noise, methods))
        if any(r.metric in HAND_ERRORS.values() for r in found):
            text.append("Hand by hand, MPJPE (mm), and how deep one hand is in the other (mm):\n")
            text.append(hands_table(found, methods))
        text += ["Everything of note:\n", headline_table(found)]
        filters, tuned = filter_labels(methods), read_tuned(folder, dataset)
        settings = [
            f"- {noise}: " + "; ".join(f"{label} {tuned[noise][name].setting}" for name, label in filters.items())
            for noise in by_noise
            if filters and noise in tuned
        ]
        text += ["Settings of the filters:\n", *settings, ""] if settings else []
    noises = {r.noise for r in results}
    if same := [row for row in load_reported() if row.noise in noises]:
        text += ["## Published figures under the same noise, on other data; not reproduced\n", reported_table(same)]
    return "\n".join([*text, "## Metrics\n", definitions_table()])


def read_clips(dataset: Dataset, split: str, count: int | None, frames: int | None) -> list[Clip]:
    """Clean clips, at most `count`, evenly spread over the split, cut to their middle `frames`; None: all, uncut.

    Raises InputError if there is none.
    """
    every = [
        (clip_id, clean)
        for clip_id, clean in read_sequences(dataset.name, split)
        if dataset.hands is None or len(clean.hand_side) == dataset.hands
    ]
    if not every:
        raise bad_input(dataset.name, f"{split} clips", f"some of {dataset.hands} hands", "none")
    n_clips = min(len(every), count or len(every))
    chosen = [every[(2 * i + 1) * len(every) // (2 * n_clips)] for i in range(n_clips)]
    return chosen if frames is None else [(clip_id, _middle(clean, frames)) for clip_id, clean in chosen]


def _middle(clean: Sequence, frames: int) -> Sequence:
    """The clip's middle `frames` frames; all if it has fewer."""
    start = max(0, (clean.n_frames - frames) // 2)
    return clean.frames(start, start + frames)


def _settings(experiment: Benchmark, quick: bool) -> dict[str, str]:
    """What a resumed run must have in common with the earlier one: seed, clip length, the weights of each method."""
    settings = {"seed": str(experiment.seed), "clips": f"cut to {QUICK_FRAMES} frames" if quick else "whole"}
    for method in experiment.methods:
        if not isinstance(method, Method):
            raise bad_input("benchmark", "methods", "records such as Input() or Ours()", repr(method))
        if isinstance(method, Learnt):
            weights = method.weights
            settings[method.name] = f"{weights.name} {hashlib.sha256(weights.read_bytes()).hexdigest()[:16]}"
    return settings


def claim(folder: Path, settings: dict[str, str]) -> None:
    """Writes the settings to run.json; raises InputError if the file has other ones.

    Without it, a resumed run would mix scores of different settings.
    """
    path = folder / "run.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for key in settings.keys() & earlier.keys():
        if settings[key] != earlier[key]:
            expected = f"{earlier[key]}, as the run that is there (or another folder: -o)"
            raise bad_input(folder, key, expected, settings[key])
    write_text(path, json.dumps(earlier | settings, indent=1))
