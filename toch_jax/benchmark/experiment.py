"""A benchmark experiment, from its data sets to its tables and plots."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_text
from toch_jax.benchmark.methods.registry import METHODS, checkpoint_of, find_methods, learnt
from toch_jax.benchmark.plots import draw_plots
from toch_jax.benchmark.report import Result, Table, summarise
from toch_jax.benchmark.reported import load_reported
from toch_jax.benchmark.run import Clip, benchmark
from toch_jax.benchmark.tables import (
    HAND_ERRORS,
    definitions_table,
    error_table,
    hands_table,
    headline_table,
    ratio_table,
    reported_table,
)
from toch_jax.datasets.read import read_sequences
from toch_jax.metrics import METRICS
from toch_jax.sequence.types import Sequence

QUICK_FRAMES = 40
"""Maximum length of a clip with `--quick`, frames."""


@dataclass(frozen=True)
class Benchmark:
    """Methods, noises and data sets of one benchmark; bound as `benchmark` by a file in experiments/."""

    noises: Mapping[str, tuple[str, ...]]
    """For each data set, its noises."""
    methods: tuple[str, ...] = METHODS
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """For each learnt method, the file of its weights; "default", or no entry, is the shipped one."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each method named here, the only noises under which it is run."""
    clips: Mapping[str, int] = field(default_factory=dict)
    """For each data set named here, the maximum number of test clips, evenly spread over it; else all."""
    hands: Mapping[str, int] = field(default_factory=dict)
    """For each data set named here, the number of hands of the clips that are used; else all clips."""
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
    `quick_noises`. Raises InputError if a data set is not prepared, if weights are missing, or if the folder holds a
    run with other weights, another seed or clips of another length.
    """
    methods = find_methods(experiment.methods, experiment.checkpoints)
    first = next(iter(experiment.noises))
    noises = {first: experiment.quick_noises} if quick else experiment.noises

    def chosen_clips(name: str, split: str, count: int | None) -> list[Clip]:
        return _clips(name, split, 2 if quick else count, experiment.hands.get(name), quick)

    clips = {name: chosen_clips(name, experiment.split, experiment.clips.get(name)) for name in noises}
    _claim(folder, experiment, quick)
    tables: dict[str, dict[str, Table]] = {}
    for name, chosen in clips.items():
        validation = chosen_clips(name, experiment.validation, experiment.validation_clips)
        given = chosen, validation, noises[name], methods
        tables[name] = benchmark(name, *given, folder, experiment.seed, experiment.only)
    results = [
        result
        for name, under in tables.items()
        for noise, table in under.items()
        for result in summarise(name, noise, table)
    ]
    write_text(folder / "results.json", json.dumps([asdict(result) for result in results], indent=1))
    write_text(folder / "metrics.json", json.dumps({name: asdict(m) for name, m in METRICS.items()}, indent=1))
    write_text(folder / "results.md", results_text(experiment, folder, tables, results))
    draw_plots(results, folder / "plots")
    return results


def results_text(
    experiment: Benchmark, folder: Path, tables: Mapping[str, Mapping[str, Table]], results: list[Result]
) -> str:
    """Text of results.md."""
    checkpoints = ", ".join(f"{name}: {path}" for name, path in experiment.checkpoints.items()) or "the shipped ones"
    text = [
        "# Benchmark\n",
        f"Mean over clips [95 % bootstrap interval]; seed {experiment.seed}; weights: {checkpoints}.",
        "Filters are tuned on validation clips, each for each noise (filters/). Every number: the last table.\n",
    ]
    for dataset, under in tables.items():
        mine = [r for r in results if r.dataset == dataset]
        n_clips = max(len(table) for table in under.values())
        text += [f"## {dataset}, {n_clips} clips\n", "MPJPE, and depth inside the object (mm):\n", error_table(mine)]
        text += ["Ours over the others (below 1 is better, but for contact IoU):\n", ratio_table(mine, under)]
        if any(r.metric in HAND_ERRORS.values() for r in mine):
            text += ["Hand by hand, MPJPE (mm), and how deep one hand is in the other (mm):\n", hands_table(mine)]
        text += ["Everything of note:\n", headline_table(mine)]
        place = folder / "filters" / f"{dataset}.json"
        tuned = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
        settings = [
            f"- {noise}: "
            + "; ".join(f"{name.removeprefix('filter:')} {best['setting']}" for name, best in tuned[noise].items())
            for noise in under
            if noise in tuned
        ]
        text += ["Settings of the filters:\n", *settings, ""] if settings else []
    noises = {r.noise for r in results}
    if same := [row for row in load_reported() if row.noise in noises]:
        text += ["## Published figures under the same noise, on other data; not reproduced\n", reported_table(same)]
    return "\n".join([*text, "## Metrics\n", definitions_table()])


def _clips(dataset: str, split: str, count: int | None, n_hands: int | None, short: bool) -> list[Clip]:
    every = [
        (clip_id, clean)
        for clip_id, clean in read_sequences(dataset, split)
        if n_hands is None or len(clean.hand_side) == n_hands
    ]
    if not every:
        raise bad_input(dataset, f"{split} clips", f"some of {n_hands} hands", "none")
    n_clips = min(len(every), count or len(every))
    chosen = [every[(2 * i + 1) * len(every) // (2 * n_clips)] for i in range(n_clips)]
    return [(clip_id, _middle(clean)) for clip_id, clean in chosen] if short else chosen


def _middle(clean: Sequence) -> Sequence:
    """The clip's middle QUICK_FRAMES frames; all if it has fewer."""
    start = max(0, (clean.n_frames - QUICK_FRAMES) // 2)
    return clean.frames(start, start + QUICK_FRAMES)


def _claim(folder: Path, experiment: Benchmark, quick: bool) -> None:
    """Writes this run's weights, seed and clip length to run.json; raises InputError if the file has other ones.

    Without it, a resumed run would mix scores of different settings.
    """
    mine = {"seed": str(experiment.seed), "clips": f"cut to {QUICK_FRAMES} frames" if quick else "whole"}
    for name in learnt(experiment.methods):
        path = checkpoint_of(name, experiment.checkpoints)
        mine[name] = f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    place = folder / "run.json"
    theirs = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    for key in mine.keys() & theirs.keys():
        if mine[key] != theirs[key]:
            raise bad_input(folder, key, f"{theirs[key]}, as the run that is there (or another folder: -o)", mine[key])
    write_text(place, json.dumps(theirs | mine, indent=1))
