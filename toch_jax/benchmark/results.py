"""Results of a benchmark: measured means over clips with their uncertainty, and published figures of other methods."""

import csv
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.stats import bootstrap

from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import SPEC_DIR
from toch_jax.metrics import METRICS

REPORTED_PATH = SPEC_DIR / "reported.csv"
REPORTED = "reported, not reproduced"
UNVERIFIED = "reported, not reproduced; unverified"
"""Status of a figure that was not read in the paper itself."""


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


def best_of(
    results: Iterable[Result], methods: Container[str], noise: str, metric: str, best: Callable[..., Result] = min
) -> Result | None:
    """The result with the smallest mean of the methods (with `best=max`, the largest); None if they have none.

    The mean is that over the test clips themselves, which favours these methods.
    """
    found = [r for r in results if r.method in methods and (r.noise, r.metric) == (noise, metric)]
    return best(found, key=lambda result: result.mean) if found else None


@dataclass(frozen=True)
class Reported:
    """One published figure (data_specs/reported.csv); none is reproduced here."""

    task: str
    method: str
    trained_on: str
    """Training data set; empty if it is `dataset` or not stated."""
    dataset: str
    split: str
    noise: str
    """Perturbation of the input, by the benchmark's own name; empty if there was none."""
    stage: str
    """"input" or "output" of a refiner; else empty."""
    metric: str
    alignment: str
    """"none", "root", "procrustes" or "not told"."""
    unit: str
    value: float
    source: str
    status: str
    """`REPORTED` or `UNVERIFIED`."""
    fault: str
    """Known error of the figure; empty if none is known."""


def load_reported(path: Path = REPORTED_PATH) -> list[Reported]:
    """All figures, in the file's order. Raises InputError for an incomplete or invalid row."""
    columns = [field.name for field in fields(Reported)]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != columns:
            raise bad_input(path, "columns", ", ".join(columns), ", ".join(reader.fieldnames or []))
        return [_row(path, number, row) for number, row in enumerate(reader, start=2)]


def _row(path: Path, number: int, row: dict[str, str]) -> Reported:
    for column in ("task", "method", "dataset", "metric", "alignment", "unit", "value", "source"):
        if not row[column]:
            raise bad_input(path, f"line {number}", column, "nothing")
    if row["status"] not in (REPORTED, UNVERIFIED):
        raise bad_input(path, f"line {number}", f"a status: {REPORTED!r} or {UNVERIFIED!r}", repr(row["status"]))
    try:
        return Reported(**{**row, "value": float(row["value"])})  # type: ignore[arg-type]
    except ValueError:
        raise bad_input(path, f"line {number}", "a number", repr(row["value"])) from None


def matching(rows: Iterable[Reported], words: Iterable[str]) -> list[Reported]:
    """The rows that contain every word in some column, ignoring case."""
    wanted = [word.lower() for word in words]

    def text(row: Reported) -> str:
        return "\n".join(str(getattr(row, field.name)) for field in fields(row)).lower()

    return [row for row in rows if all(word in text(row) for word in wanted)]
