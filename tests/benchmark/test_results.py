"""Means over clips with their intervals, and published figures."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from toch_jax.base.errors import InputError
from toch_jax.benchmark.results import (
    REPORTED,
    REPORTED_PATH,
    UNVERIFIED,
    best_of,
    load_reported,
    matching,
    means_and_intervals,
    summarise,
)
from toch_jax.perturb.registry import parse_perturbation

ROWS = load_reported()


def test_interval_of_the_mean() -> None:
    """Compared with Student's interval on normal values; the percentile bootstrap is slightly narrower."""
    values = np.random.default_rng(0).normal(10, 2, size=40)
    ((mean, low, high),) = means_and_intervals(values[None])
    expected = student.interval(0.95, 39, loc=values.mean(), scale=values.std(ddof=1) / np.sqrt(40))
    np.testing.assert_allclose([low, high], expected, atol=0.15)
    assert mean == values.mean()
    # the interval depends neither on a random seed nor on other rows
    beside = means_and_intervals(np.stack([values**2, values]))[1]
    assert beside == pytest.approx((mean, low, high), rel=1e-12)
    assert means_and_intervals(values[None, :1]) == [(values[0],) * 3]
    assert means_and_intervals(np.full((1, 5), 0.1)) == [(pytest.approx(0.1),) * 3]


def test_metrics_that_some_clips_lack() -> None:
    table = {"a": {"ours": {"mpjpe": 4.0, "contact_iou": 50.0}}, "b": {"ours": {"mpjpe": 6.0}}}
    found = {r.metric: r for r in summarise("toy", "T(0.01)", table)}
    assert (found["mpjpe"].mean, found["mpjpe"].clips) == (5.0, 2)
    assert (found["contact_iou"].mean, found["contact_iou"].clips) == (50.0, 1)
    assert found.keys() == {"mpjpe", "contact_iou"}


def test_the_best_of_some_methods() -> None:
    clip = {"a": {"mpjpe": 4.0}, "b": {"mpjpe": 3.0}, "c": {"mpjpe": 2.0}}
    found = summarise("toy", "T(0.01)", {"x": clip})
    best, worst = (best_of(found, {"a", "b"}, "T(0.01)", "mpjpe", which) for which in (min, max))
    assert best is not None
    assert worst is not None
    assert (best.method, worst.method) == ("b", "a")
    assert best_of(found, {"a", "b"}, "T(0.02)", "mpjpe") is None


def test_all_figures_are_there_and_complete() -> None:
    assert len([row for row in ROWS if "(survey)" in row.source]) == 176
    assert (
        len({tuple(vars(row).items()) for row in ROWS}) >= len(ROWS) - 4
    )  # the survey lists one figure twice, for two hands
    for row in ROWS:
        assert all([row.task, row.method, row.dataset, row.metric, row.alignment, row.unit, row.source]), row
        assert math.isfinite(row.value), row
        assert row.status in (REPORTED, UNVERIFIED), row
        assert row.stage in ("", "input", "output"), row
        if row.noise:
            assert parse_perturbation(row.noise).name == row.noise


def test_reported_translation_noise_agrees_with_its_closed_form() -> None:
    """All joints move by one normal vector: the mean of its length is 2 sigma sqrt(2 / pi)."""
    for sigma in (0.01, 0.02):
        (row,) = matching(ROWS, [f"T({sigma:g})", "mpjpe", "input"])
        assert row.value == pytest.approx(2e3 * sigma * math.sqrt(2 / math.pi), abs=0.05)


def test_the_surveys_faults_are_marked() -> None:
    centimetres = [row for row in ROWS if "of the size of cm" in row.fault]
    assert sorted(row.value for row in centimetres) == [1.27, 2.38, 2.5, 2.53, 3.26, 5.88]
    assert all(row.unit == "mm" and row.metric in ("mpjpe", "mpcpe") for row in centimetres)
    # implausible for estimation from a single image: every other root-relative figure is larger
    others = [row for row in ROWS if "RGB" in row.task and row.metric == "mpjpe" and row not in centimetres]
    assert min(row.value for row in others) > 5
    for name in ("footnote 11", "footnote 12", "20.6 elsewhere"):
        assert any(name in row.fault for row in ROWS)


def test_words_narrow_it_down() -> None:
    found = matching(ROWS, ["grab", "CONTACT_IOU", "t(0.01)"])
    assert [(row.stage, row.value) for row in found] == [("input", 3.56), ("output", 29.2)]
    assert matching(ROWS, []) == ROWS


@pytest.mark.parametrize(("column", "value"), [("source", ""), ("value", "many"), ("status", "measured"), ("unit", "")])
def test_a_row_that_is_not_complete(tmp_path: Path, column: str, value: str) -> None:
    with REPORTED_PATH.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:3]
    rows[1][column] = value
    with (tmp_path / "broken.csv").open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=r"broken\.csv: line 3: expected [^\n]*$"):
        load_reported(tmp_path / "broken.csv")


def test_other_columns(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns"):
        load_reported(tmp_path / "other.csv")
