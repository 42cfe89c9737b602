"""What a benchmark found: means over clips with their uncertainty, as records."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

from toch_jax.evaluate.definitions import METRICS


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


Table = dict[str, dict[str, dict[str, float]]]
"""Clip, method, metric: value; metrics that are not defined are not there."""


def summarise(dataset: str, noise: str, table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Result]:
    """Means over clips, for each method and metric."""
    methods = {method: None for clip in table.values() for method in clip}
    results = []
    for method in methods:
        rows = [clip[method] for clip in table.values() if method in clip]
        for metric, definition in METRICS.items():
            values = np.array([row[metric] for row in rows if metric in row])
            if values.size:
                mean, low, high = mean_and_interval(values)
                results.append(Result(dataset, noise, method, metric, definition.unit, mean, low, high, len(values)))
    return results


def mean_and_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The mean and its 95 % percentile-bootstrap interval; the same values give the same interval."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return mean, mean, mean
    interval = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    return mean, float(interval.low), float(interval.high)


def write_whole(path: Path, text: str) -> None:
    """So that a reader, or a run that goes on after a kill, never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
