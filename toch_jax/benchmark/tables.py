"""Markdown tables of a benchmark: errors, ratios, headline metrics of all methods, definitions of the metrics."""

from collections.abc import Iterable, Mapping

from toch_jax.benchmark.methods.filters import Filter
from toch_jax.benchmark.methods.method import Method
from toch_jax.benchmark.methods.registry import Fit, Input, OracleField, Ours, Toch
from toch_jax.benchmark.results import Reported, Result, Table, best_of
from toch_jax.metrics import METRICS

HEADLINES = [name for name, metric in METRICS.items() if metric.headline]
HAND_ERRORS = {"right": "mpjpe_right", "left": "mpjpe_left"}
"""Metric (mm) of each hand of a two-handed clip."""
BEST_FILTER = "best filter"
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
    return markdown_table(
        ["noise", "method", *(f"{metric.replace('_', ' ')} ({METRICS[metric].unit})" for metric in shown)], rows
    )


def error_table(results: Iterable[Result], methods: Iterable[Method]) -> str:
    """Table for one data set: a row for each noise, a column for each method; MPJPE in mm, mean [low, high].

    Under noises that lose frames, the MPJPE of the lost frames. The last columns are the penetration depths (mm) of
    the true hand and of ours, means over the frames in contact.
    """
    found, filters, labels = _by_key(results), filter_labels(methods), {m.name: m.label or m.name for m in methods}
    names = list({m: None for _, m, _ in found if m != "truth" and m not in filters})
    has_filters = any(m in filters for _, m, _ in found)
    rows = []
    for noise in {n: None for n, _, _ in found}:
        metric = _error_metric(found, noise)
        cells = [_with_interval(found.get((noise, name, metric))) for name in names]
        if has_filters:
            cells.insert(1, _with_interval(best_of(found.values(), filters, noise, metric)))
        first = noise + (", lost frames" if metric == "mpjpe_missing" else "")
        rows.append([first, *cells, *_truth_and_ours(found, noise, "penetration_depth")])
    head = [labels.get(name, name) for name in names]
    if has_filters:
        head.insert(1, BEST_FILTER)
    return markdown_table(["noise", *head, "true depth", "our depth"], rows)


def ratio_table(results: Iterable[Result], tables: Mapping[str, Table], methods: Iterable[Method]) -> str:
    """Table for one data set: the error of `ours` divided by that of other methods, by noise; "-" if one was not run.

    Below 1 is better, except for contact IoU. The best filter is chosen on the same test clips, which favours it. The
    last column is the share of our joint errors inside our 90 % intervals.
    """
    found, filters = _by_key(results), filter_labels(methods)
    rows = []
    for noise, table in tables.items():
        metric = _error_metric(found, noise)
        best = best_of(found.values(), filters, noise, metric)
        rival = best.method if best else None
        clip_ratios = [
            clip[Ours.name]["mpjpe"] / clip[Input.name]["mpjpe"]
            for clip in table.values()
            if Ours.name in clip and clip.get(Input.name, {}).get("mpjpe")
        ]

        def ratio(other: str | None, metric: str, noise: str = noise) -> str:
            ours, theirs = found.get((noise, Ours.name, metric)), found.get((noise, other or "", metric))
            return "-" if ours is None or theirs is None or not theirs.mean else f"{ours.mean / theirs.mean:.2f}"

        inside = found.get((noise, Ours.name, "inside_90"))
        rows.append(
            [
                noise,
                metric,
                f"{ratio(rival, metric)} ({filters[rival]})" if rival else "-",
                ratio(Toch.name, metric),
                ratio(Input.name, metric),
                ratio(Fit.name, metric),
                f"{max(clip_ratios):.2f}" if clip_ratios else "-",
                ratio(Toch.name, "contact_iou"),
                ratio(OracleField.name, "contact_iou"),
                ratio("truth", "intersection_volume"),
                ratio(rival, "acceleration_error"),
                "-" if inside is None else f"{inside.mean:.0f} %",
            ]
        )
    head = ["noise", "error", f"/ {BEST_FILTER}", f"/ {Toch.name}", f"/ {Input.name}", f"/ {Fit.label}"]
    head += [f"worst clip / {Input.name}", f"contact IoU / {Toch.name}", f"contact IoU / {OracleField.name}"]
    head += ["volume / truth", "acceleration error / that filter", "inside 90 %"]
    return markdown_table(head, rows)


def hands_table(results: Iterable[Result], methods: Iterable[Method]) -> str:
    """Table for one two-handed data set: MPJPE (mm) of each hand for the input, its best filter and ours.

    The last columns are the depths (mm) of one hand inside the other, in the ground truth and in ours.
    """
    found, filters = _by_key(results), filter_labels(methods)
    rows = []
    for noise in {n: None for n, _, metric in found if metric in HAND_ERRORS.values()}:
        row = [noise]
        for metric in HAND_ERRORS.values():
            given, ours = (found.get((noise, name, metric)) for name in (Input.name, Ours.name))
            best = best_of(found.values(), filters, noise, metric)
            row += [_with_interval(error) for error in (given, best, ours)]
            row.append("-" if best is None or ours is None else f"{ours.mean / best.mean:.2f} ({filters[best.method]})")
        rows.append(row + _truth_and_ours(found, noise, "hands_depth"))
    columns = (Input.name, BEST_FILTER, "ours", "ours / filter")
    head = [f"{side}: {column}" for side in HAND_ERRORS for column in columns]
    return markdown_table(["noise", *head, "hand in hand, truth", "ours"], rows)


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
    return markdown_table(head, body)


def definitions_table() -> str:
    """Table of the metrics with unit and meaning."""
    return markdown_table(["metric", "unit", "meaning"], [[name, m.unit, m.meaning] for name, m in METRICS.items()])


def filter_labels(methods: Iterable[Method]) -> dict[str, str]:
    """The names of the filters among the methods, with their names in tables."""
    return {method.name: method.label or method.name for method in methods if isinstance(method, Filter)}


def _by_key(results: Iterable[Result]) -> dict[Key, Result]:
    return {(r.noise, r.method, r.metric): r for r in results}


def _error_metric(found: Mapping[Key, Result], noise: str) -> str:
    return "mpjpe_missing" if (noise, Ours.name, "mpjpe_missing") in found else "mpjpe"


def _truth_and_ours(found: Mapping[Key, Result], noise: str, metric: str) -> list[str]:
    """Cells with the metric's means of the truth and of ours, in its unit."""
    cells = [found.get((noise, method, metric)) for method in ("truth", Ours.name)]
    return ["-" if cell is None else f"{cell.mean:.2f}" for cell in cells]


def _with_interval(cell: Result | None) -> str:
    return "-" if cell is None else f"{cell.mean:.1f} [{cell.low:.1f}, {cell.high:.1f}]"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Rows of cells as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
