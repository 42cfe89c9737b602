"""Markdown tables of a benchmark: errors, ratios, headline metrics of all methods, definitions of the metrics."""

from collections.abc import Iterable, Mapping

from toch_jax.benchmark.report import Result, Table
from toch_jax.benchmark.reported import Reported
from toch_jax.metrics import METRICS

HEADLINES = [name for name, metric in METRICS.items() if metric.headline]
HAND_ERRORS = {"right": "mpjpe_right", "left": "mpjpe_left"}
"""Metric (mm) of each hand of a two-handed clip."""
OURS = "ours"
NAMES = {"fit": "ours, no network"}
"""Names of methods in tables, if other than in the benchmark."""
Key = tuple[str, str, str]
"""Noise, method, metric."""


def headline_table(results: Iterable[Result]) -> str:
    """Table with a row for each noise and method and a column for each headline metric; mean [low, high]."""
    results = list(results)
    shown = [metric for metric in HEADLINES if any(r.metric == metric for r in results)]
    cells = {(r.noise, r.method, r.metric): f"{r.mean:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in results}
    rows = [
        [noise, method, *(cells.get((noise, method, metric), "-") for metric in shown)]
        for noise, method in {(r.noise, r.method): None for r in results}
    ]
    return _table(
        ["noise", "method", *(f"{metric.replace('_', ' ')} ({METRICS[metric].unit})" for metric in shown)], rows
    )


def error_table(results: Iterable[Result]) -> str:
    """Table for one data set: a row for each noise, a column for each method; MPJPE in mm, mean [low, high].

    Under noises that lose frames, the MPJPE of the lost frames. The last columns are the penetration depths (mm) of
    the true hand and of ours, means over the frames in contact.
    """
    found = {(r.noise, r.method, r.metric): r for r in results}
    methods = list({m: None for _, m, _ in found if m != "truth" and not _is_filter(m)})
    head = [methods[0], "best filter", *methods[1:]] if any(_is_filter(m) for _, m, _ in found) else methods
    rows = []
    for noise in {n: None for n, _, _ in found}:
        metric = _error_metric(found, noise)
        best = _best_filter(found, noise, metric)
        row = [noise + (", lost frames" if metric == "mpjpe_missing" else "")]
        for method in head:
            cell = found.get((noise, (best or "") if method == "best filter" else method, metric))
            row.append(_with_interval(cell))
        rows.append(row + _truth_and_ours(found, noise, "penetration_depth"))
    named = [NAMES.get(method, method) for method in head]
    return _table(["noise", *named, "true depth", "our depth"], rows)


def ratio_table(results: Iterable[Result], tables: Mapping[str, Table]) -> str:
    """Table for one data set: the error of `ours` divided by that of other methods, by noise; "-" if one was not run.

    Below 1 is better, except for contact IoU. The best filter is chosen on the same test clips, which favours it. The
    last column is the share of our joint errors inside our 90 % intervals.
    """
    found = {(r.noise, r.method, r.metric): r for r in results}
    rows = []
    for noise, table in tables.items():
        metric = _error_metric(found, noise)
        best = _best_filter(found, noise, metric)
        clip_ratios = [
            clip[OURS]["mpjpe"] / clip["input"]["mpjpe"]
            for clip in table.values()
            if OURS in clip and clip.get("input", {}).get("mpjpe")
        ]

        def ratio(other: str | None, metric: str, noise: str = noise) -> str:
            ours, theirs = found.get((noise, OURS, metric)), found.get((noise, other or "", metric))
            return "-" if ours is None or theirs is None or not theirs.mean else f"{ours.mean / theirs.mean:.2f}"

        inside = found.get((noise, OURS, "inside_90"))
        rows.append(
            [
                noise,
                metric,
                f"{ratio(best, metric)} ({best.removeprefix('filter:')})" if best else "-",
                ratio("toch", metric),
                ratio("input", metric),
                ratio("fit", metric),
                f"{max(clip_ratios):.2f}" if clip_ratios else "-",
                ratio("toch", "contact_iou"),
                ratio("oracle:field", "contact_iou"),
                ratio("truth", "intersection_volume"),
                ratio(best, "acceleration_error"),
                "-" if inside is None else f"{inside.mean:.0f} %",
            ]
        )
    head = ["noise", "error", "/ best filter", "/ toch", "/ input", f"/ {NAMES['fit']}", "worst clip / input"]
    head += ["contact IoU / toch", "contact IoU / oracle:field", "volume / truth"]
    head += ["acceleration error / that filter", "inside 90 %"]
    return _table(head, rows)


def hands_table(results: Iterable[Result]) -> str:
    """Table for one two-handed data set: MPJPE (mm) of each hand for the input, its best filter and ours.

    The last columns are the depths (mm) of one hand inside the other, in the ground truth and in ours.
    """
    found = {(r.noise, r.method, r.metric): r for r in results}
    rows = []
    for noise in {n: None for n, _, metric in found if metric in HAND_ERRORS.values()}:
        row = [noise]
        for metric in HAND_ERRORS.values():
            best = _best_filter(found, noise, metric) or ""
            errors = [found.get((noise, method, metric)) for method in ("input", best, OURS)]
            row += [_with_interval(error) for error in errors]
            _, rival, ours = errors
            ratio = "-" if rival is None or ours is None else f"{ours.mean / rival.mean:.2f}"
            row.append(f"{ratio} ({best.removeprefix('filter:')})" if best else ratio)
        rows.append(row + _truth_and_ours(found, noise, "hands_depth"))
    head = [f"{side}: {column}" for side in HAND_ERRORS for column in ("input", "best filter", "ours", "ours / filter")]
    return _table(["noise", *head, "hand in hand, truth", "ours"], rows)


def _truth_and_ours(found: Mapping[Key, Result], noise: str, metric: str) -> list[str]:
    """Cells with the metric's means of the truth and of ours, in its unit."""
    cells = [found.get((noise, method, metric)) for method in ("truth", OURS)]
    return ["-" if cell is None else f"{cell.mean:.2f}" for cell in cells]


def _with_interval(cell: Result | None) -> str:
    return "-" if cell is None else f"{cell.mean:.1f} [{cell.low:.1f}, {cell.high:.1f}]"


def reported_table(rows: Iterable[Reported]) -> str:
    """Table of published figures, none of them reproduced here."""
    head = ["method", "data", "metric", "alignment", "value", "unit", "status", "source", "fault"]
    body = []
    for row in rows:
        data = " ".join(
            filter(None, [row.dataset, row.split, row.noise, row.trained_on and f"(from {row.trained_on})"])
        )
        name = f"{row.method} ({row.stage})" if row.stage else row.method
        body.append(
            [name, data, row.metric, row.alignment, f"{row.value:g}", row.unit, row.status, row.source, row.fault]
        )
    return _table(head, body)


def definitions_table() -> str:
    """Table of the metrics with unit and meaning."""
    return _table(["metric", "unit", "meaning"], [[name, m.unit, m.meaning] for name, m in METRICS.items()])


def _is_filter(method: str) -> bool:
    return method.startswith("filter:")


def _error_metric(found: Mapping[Key, Result], noise: str) -> str:
    return "mpjpe_missing" if (noise, OURS, "mpjpe_missing") in found else "mpjpe"


def _best_filter(found: Mapping[Key, Result], noise: str, metric: str) -> str | None:
    """The filter with the smallest error on the test clips themselves."""
    errors = {m: r.mean for (n, m, k), r in found.items() if (n, k) == (noise, metric) and _is_filter(m)}
    return min(errors, key=lambda method: errors[method]) if errors else None


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
