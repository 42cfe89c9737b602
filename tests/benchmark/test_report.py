from pathlib import Path

import pytest

from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.object_filters import OBJECT_FILTERS
from toch_jax.benchmark.methods.registry import UNTRAINED, FilterThenOurs, Input, Ours
from toch_jax.benchmark.report import (
    definitions_table,
    draw_plots,
    error_table,
    hands_table,
    has_object_noise,
    headline_table,
    object_table,
    ratio_table,
    reported_table,
)
from toch_jax.benchmark.results import Result, Table, load_reported, matching, summarise
from toch_jax.metrics import METRICS


def scores(mpjpe: float, **others: float) -> dict[str, float]:
    return {"mpjpe": float(mpjpe), "contact_iou": 20.0, "intersection_volume": 1.0, "acceleration_error": 3.0} | {
        metric: float(value) for metric, value in others.items()
    }


def tables() -> dict[str, Table]:
    sigma = {f"inside_{level}": level - 2.0 for level in range(10, 100, 10)}
    found: dict[str, Table] = {}
    for noise, size in (("T(0.01)", 1), ("T(0.02)", 2), ("R(0.3)", 1), ("missing(0.2,0.01)", 1)):
        lost = {"mpjpe_missing": 12.0} if noise.startswith("missing") else {}
        found[noise] = {
            clip: {
                "truth": scores(0, intersection_volume=0.5, penetration_depth=0.94),
                "input": scores(input_error * size, **lost),
                "filter:kalman:object": scores(8 * size, **lost),
                "filter:gaussian:world": scores(12 * size, **lost),
                "toch": scores(20 * size, contact_iou=10.0, **lost),
                "ours": scores(6 * size, penetration_depth=0.7, **sigma, **{metric: 3.0 for metric in lost}),
            }
            for clip, input_error in (("a", 20), ("b", 10))
        }
    return found


def results() -> list[Result]:
    return [result for noise, table in tables().items() for result in summarise("toy", noise, table)]


def cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(row) for row in rows}) == 1
    return rows


def test_ratios() -> None:
    head, _, *rows = cells(ratio_table(results(), tables(), UNTRAINED))
    row = dict(zip(head, rows[1], strict=True))
    assert row["noise"] == "T(0.02)"
    assert row["/ best filter"] == "0.75 (kalman:object)"
    assert row["/ toch"] == "0.30"
    assert row["/ input"] == "0.40"
    assert row["worst clip / input"] == "0.60"
    assert row["/ ours, no network"] == "-"
    assert row["contact IoU / toch"] == "2.00"
    assert row["volume / truth"] == "2.00"
    assert row["contact IoU / oracle:field"] == "-"
    assert row["acceleration error / that filter"] == "1.00"
    assert row["inside 90 %"] == "88 %"
    assert rows[3][:2] == ["missing(0.2,0.01)", "mpjpe_missing"]
    assert rows[3][2].startswith("0.25")


def test_hand_and_object() -> None:
    """The best filter of the hand and that of the object may be two; an exact object counts as such."""
    clip = {
        "truth": scores(0, object_acceleration_rest=0.2),
        "input": scores(16, mpjpe_in_object=20, object_add=8, object_acceleration_rest=40),
        "filter:kalman:object": scores(9, mpjpe_in_object=12, object_add=8, object_acceleration_rest=40),
        "filter:rts:both": scores(30, mpjpe_in_object=14, object_add=6, object_acceleration_rest=3),
        "rts+ours": scores(7, mpjpe_in_object=9, object_add=6, object_acceleration_rest=3),
        "ours": scores(7, mpjpe_in_object=6, object_add=4, object_acceleration_rest=1),
    }
    exact = {"input": scores(16, object_acceleration_rest=0.2), "ours": scores(7, object_acceleration_rest=0.2)}
    methods = (Input(), *FILTERS, *OBJECT_FILTERS, FilterThenOurs(), Ours())
    by_noise: dict[str, Table] = {"T(0.01)+object(0.005,0.05)": {"a": clip, "b": clip}, "T(0.01)": {"a": exact}}
    head, _, noisy, clean = cells(object_table(by_noise, methods))
    assert head[:6] == ["noise", "input", "best filter", "object by RTS, then ours", "ours", "ours / filter"]
    errors = [f"{each}.0 [{each}.0, {each}.0]" for each in (20, 12, 9, 6)]
    at_rest = ["40.00", "3.00", "1.00", "0.20"]
    assert noisy[1:] == [*errors, "0.50 (kalman:object)", "8.00", "6.00", "4.00", *at_rest]
    assert clean[1:6] == ["16.0 [16.0, 16.0]", "-", "-", "7.0 [7.0, 7.0]", "-"]
    assert clean[6:] == ["0.00", "-", "0.00", "0.20", "-", "0.20", "-"]
    assert has_object_noise(summarise("toy", "T(0.01)+object(0.005,0.05)", {"a": clip}))
    assert not has_object_noise(summarise("toy", "T(0.01)", {"a": exact}))


def test_errors_side_by_side() -> None:
    head, _, *rows = cells(error_table(results(), UNTRAINED))
    assert head == ["noise", "input", "best filter", "toch", "ours", "true depth", "our depth"]
    errors = ["30.0 [20.0, 40.0]", "16.0 [16.0, 16.0]", "40.0 [40.0, 40.0]", "12.0 [12.0, 12.0]"]
    assert rows[1] == ["T(0.02)", *errors, "0.94", "0.70"]
    assert rows[3][0] == "missing(0.2,0.01), lost frames"
    assert rows[3][4].startswith("3.0")


def test_each_hand_against_its_own_best_filter() -> None:
    clip = {
        "truth": {"hands_depth": 0.2},
        "input": {"mpjpe_right": 16.0, "mpjpe_left": 15.0},
        "filter:kalman:object": {"mpjpe_right": 8.0, "mpjpe_left": 9.0},
        "filter:savgol:object": {"mpjpe_right": 10.0, "mpjpe_left": 6.0},
        "ours": {"mpjpe_right": 4.0, "mpjpe_left": 3.0, "hands_depth": 0.1},
    }
    head, _, row = cells(hands_table(summarise("toy", "T(0.01)", {"a": clip}), UNTRAINED))
    shown = dict(zip(head, row, strict=True))
    assert shown["right: ours / filter"] == "0.50 (kalman:object)"
    assert shown["left: ours / filter"] == "0.50 (savgol:object)"
    assert shown["left: best filter"] == "6.0 [6.0, 6.0]"
    assert (shown["hand in hand, truth"], shown["ours"]) == ("0.20", "0.10")


def test_a_table_of_hands_without_filters() -> None:
    clip = {"ours": {"mpjpe_right": 4.0}}
    assert cells(hands_table(summarise("toy", "T(0.01)", {"a": clip}), UNTRAINED))[2][4] == "-"


def test_headlines() -> None:
    head, _, *rows = cells(headline_table(results()))
    assert len(rows) == 4 * 6
    assert head[2] == "mpjpe (mm)"
    assert "mpjpe missing (mm)" in head
    assert "auc (%)" not in head
    ours = next(row for row in rows if row[:2] == ["T(0.01)", "ours"])
    assert ours[2] == "6.00 [6.00, 6.00]"
    assert ours[3] == "-"


def test_published_figures_say_what_they_are() -> None:
    (_, _, row) = cells(reported_table(matching(load_reported(), ["T(0.02)", "mpjpe", "output"])))
    assert row[0] == "TOCH (output)"
    assert row[4:7] == ["12.3", "mm", "reported, not reproduced; unverified"]


def test_every_number_is_defined() -> None:
    assert len(cells(definitions_table())) == len(METRICS) + 2
    assert "2 mm" in METRICS["contact_iou"].meaning
    assert "solid voxels of 2 mm" in METRICS["intersection_volume"].meaning


def test_plots(tmp_path: Path) -> None:
    written = draw_plots(results(), UNTRAINED, tmp_path)
    assert sorted(path.name for path in written) == [*("toy_contact_iou.png", "toy_error.png", "toy_sigma.png")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


@pytest.mark.parametrize("kept", ["input", "ours"])
def test_plots_of_one_method(tmp_path: Path, kept: str) -> None:
    assert draw_plots([r for r in results() if r.method == kept], UNTRAINED, tmp_path)
