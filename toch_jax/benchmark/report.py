"""Results of a benchmark: means over clips with their uncertainty, as records."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import bootstrap

from toch_jax.metrics import METRICS


@dataclass(frozen=True)
class Result:
    """Mean of one metric of one method under one noise."""

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
    """Number of clips on which the metric is defined (contact metrics are not if the true hand never touches)."""


Table = dict[str, dict[str, dict[str, float]]]
"""Value by clip, method and metric; undefined metrics have no entry."""


def summarise(dataset: str, noise: str, table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Result]:
    """Means over clips with their intervals, for each method and metric."""
    methods = {method: None for clip in table.values() for method in clip}
    results = []
    for method in methods:
        rows = [clip[method] for clip in table.values() if method in clip]
        columns = {metric: np.array([row[metric] for row in rows if metric in row]) for metric in METRICS}
        values = {metric: column for metric, column in columns.items() if column.size}
        # metrics with the same number of clips are resampled together: resampling takes most of the time
        found: dict[str, tuple[float, float, float]] = {}
        for count in {len(each) for each in values.values()}:
            alike = {metric: each for metric, each in values.items() if len(each) == count}
            found |= dict(zip(alike, means_and_intervals(np.stack(list(alike.values()))), strict=True))
        results += [
            Result(dataset, noise, method, metric, METRICS[metric].unit, *found[metric], len(each))
            for metric, each in values.items()
        ]
    return results


def means_and_intervals(values: Float[np.ndarray, "metrics clips"]) -> list[tuple[float, float, float]]:
    """Each row's mean and its 95 % percentile-bootstrap interval, in the row's unit; deterministic (fixed seed)."""
    means = values.mean(axis=1)
    low, high = means, means
    if values.shape[1] > 1:
        varied = np.ptp(values, axis=1) > 0
        drawn = bootstrap((values,), np.mean, axis=1, n_resamples=2000, method="percentile", rng=0)
        low, high = (np.where(varied, end, means) for end in drawn.confidence_interval)
    return [(float(a), float(b), float(c)) for a, b, c in zip(means, low, high, strict=True)]
