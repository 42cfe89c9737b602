"""What a benchmark found: means over clips with their uncertainty, as records and as a table."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

UNITS = {
    "mpjpe": "mm",
    "mpvpe": "mm",
    "penetration_depth": "mm",
    "intersection_volume": "cm3",
    "contact_iou": "%",
    "acceleration_error": "m/s2",
}
"""The benchmark's metrics; `benchmark.score` defines them."""


@dataclass(frozen=True)
class Result:
    """One metric of one method under one noise."""

    dataset: str
    noise: str
    method: str
    metric: str
    unit: str
    mean: float
    low: float
    high: float
    """`low` to `high`: the 95 % interval of the mean, by bootstrap over clips."""
    clips: int
    """Clips on which the metric is defined (contact is not, where the true hand never touches)."""


Scores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Clip, method, metric: value."""


def summarise(dataset: str, noise: str, scores: Scores) -> list[Result]:
    """Means over clips, for each method and metric."""
    methods = {method: None for clip in scores.values() for method in clip}
    results = []
    for method in methods:
        for metric, unit in UNITS.items():
            values = np.array([clip[method][metric] for clip in scores.values() if method in clip])
            values = values[~np.isnan(values)]
            mean, low, high = mean_and_interval(values)
            results.append(Result(dataset, noise, method, metric, unit, mean, low, high, len(values)))
    return results


def mean_and_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The mean and its 95 % percentile-bootstrap interval; the same values give the same interval."""
    if len(values) < 2:
        mean = float(values.mean()) if len(values) else math.nan
        return mean, mean, mean
    interval = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    return float(values.mean()), float(interval.low), float(interval.high)


def markdown(results: list[Result]) -> str:
    """A table: noise and method down, metrics across; mean [low, high]."""
    lines = [
        "| noise | method | "
        + " | ".join(f"{metric.replace('_', ' ')} ({unit})" for metric, unit in UNITS.items())
        + " |",
        "|" + " --- |" * (2 + len(UNITS)),
    ]
    cells = {(r.noise, r.method, r.metric): f"{r.mean:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in results if r.clips}
    for noise, method in {(r.noise, r.method): None for r in results}:
        row = [cells.get((noise, method, metric), "-") for metric in UNITS]
        lines.append(f"| {noise} | {method} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def write_results(folder: Path, results: list[Result]) -> None:
    """results.json and results.md."""
    write_whole(folder / "results.json", json.dumps([asdict(result) for result in results], indent=1))
    write_whole(folder / "results.md", markdown(results))


def write_whole(path: Path, text: str) -> None:
    """So that a reader, or a run that goes on after a kill, never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
