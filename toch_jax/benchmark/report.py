"""Report of a benchmark: Markdown tables of errors, ratios, headline metrics and definitions; plots of error against
noise level, contact, and calibration of sigma."""

import itertools
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from toch_jax.benchmark.methods.filters import Filter
from toch_jax.benchmark.methods.method import Method
from toch_jax.benchmark.methods.registry import Fit, Input, OracleField, Ours, Toch
from toch_jax.benchmark.results import Reported, Result, Table, best_of, summarise
from toch_jax.metrics import METRICS
from toch_jax.metrics.joints import LEVELS
from toch_jax.perturb.registry import parse_perturbation

matplotlib.use("Agg")

HEADLINES = [name for name, metric in METRICS.items() if metric.headline]
HAND_ERRORS = {"right": "mpjpe_right", "left": "mpjpe_left"}
"""Metric (mm) of each hand of a two-handed clip."""
BEST_FILTER = "best filter"
OBJECT_ERRORS = ("mpjpe_in_object", "object_add", "object_acceleration_rest")
"""Metrics of `object_table`."""
Key = tuple[str, str, str]
"""Noise, method, metric."""
LEVEL_AXES = {"T": "translation noise, m per coordinate", "R": "pose noise, rad"}
STYLES: dict[str, dict[str, Any]] = {
    Input.name: {"color": "0.25", "linestyle": ":"},
    BEST_FILTER: {"color": "C1"},
    Fit.name: {"color": "C0", "linestyle": "--"},
    Ours.name: {"color": "C0", "linewidth": 2.5},
}
"""Fixed line styles of these methods; the others get thin lines in OTHER_COLORS."""
OTHER_COLORS = ("C2", "C3", "C4", "C5", "C6", "C8", "C9")
INSIDE = {f"inside_{level}": level for level in LEVELS}
"""Metrics of the share of errors inside an interval, and the nominal share, in percent."""


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


def object_table(tables: Mapping[str, Table], methods: Iterable[Method]) -> str:
    """Table for one data set with noise on the object, a row for each noise.

    The error (mm) of the hand as seen from the object, mean [low, high], of each method and of the best filter, with
    ours over that filter's. Then the object's ADD (mm) and its acceleration (m/s2) where it truly rests, beside the
    truth's, of the input, of the filter that is best at it, and of ours. Filters are chosen on these clips, which
    favours them.
    """
    filters, labels = filter_labels(methods), {m.name: m.label or m.name for m in methods}
    run = {name for table in tables.values() for clip in table.values() for name in clip}
    names = [name for name in labels if name in run and name not in filters]
    three = (Input.name, BEST_FILTER, Ours.name)
    rows = []
    for noise, table in tables.items():
        scores = {clip: {m: _object_scores(each) for m, each in under.items()} for clip, under in table.items()}
        found = _by_key(summarise("", noise, scores))
        best = {metric: best_of(found.values(), filters, noise, metric) for metric in OBJECT_ERRORS}
        hand = {name: found.get((noise, name, "mpjpe_in_object")) for name in names}
        row = [_with_interval(hand[name]) for name in names]
        row.insert(1, _with_interval(rival := best["mpjpe_in_object"]))
        ours = hand.get(Ours.name)
        row.append(f"{ours.mean / rival.mean:.2f} ({filters[rival.method]})" if ours and rival and rival.mean else "-")
        for metric in OBJECT_ERRORS[1:]:
            three_results = found.get((noise, Input.name, metric)), best[metric], found.get((noise, Ours.name, metric))
            row += ["-" if each is None else f"{each.mean:.2f}" for each in three_results]
        true = found.get((noise, "truth", OBJECT_ERRORS[-1]))
        rows.append([noise, *row, "-" if true is None else f"{true.mean:.2f}"])
    head = [labels[name] for name in names]
    head = [*head[:1], BEST_FILTER, *head[1:], "ours / filter", *(f"object off: {name}" for name in three)]
    return markdown_table(["noise", *head, *(f"object at rest: {name}" for name in (*three, "truth"))], rows)


def has_object_noise(results: Iterable[Result]) -> bool:
    """Whether the tracked object is not the true one in some clip."""
    return any(r.method == Input.name and r.metric == "object_add" for r in results)


def _object_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores of OBJECT_ERRORS, also where the object is exact, of which `score` gives no errors."""
    exact = {"mpjpe_in_object": scores["mpjpe"], "object_add": 0.0}
    return {metric: value for metric, value in (exact | dict(scores)).items() if metric in OBJECT_ERRORS}


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


def draw_plots(results: Iterable[Result], methods: Iterable[Method], folder: Path) -> list[Path]:
    """Draws for each data set error (against the levels of T and R), contact and sigma; returns the files written."""
    written, filters = [], filter_labels(methods)
    by_dataset: dict[str, list[Result]] = {}
    for result in results:
        by_dataset.setdefault(result.dataset, []).append(result)
    for dataset, found in by_dataset.items():
        errors = _best_filter_alone(found, filters, "mpjpe", min)
        levels = {kind: shown for kind in LEVEL_AXES if (shown := [r for r in errors if _level(r, kind) is not None])}
        if levels:
            figure, panels = plt.subplots(1, len(levels), figsize=(6 * len(levels), 4.5), squeeze=False, sharey=True)
            _errors_against_levels(panels[0].tolist(), levels)
            figure.suptitle(f"{dataset}: mean joint error over {max(r.clips for r in errors)} clips, 95 % interval")
            written.append(_save(figure, panels[0][-1], folder / f"{dataset}_error.png"))
        if shown := _best_filter_alone(found, filters, "contact_iou", max):
            figure, axes = plt.subplots(figsize=(9, 4.5))
            _contact(axes, shown)
            axes.set(ylabel="contact IoU at 2 mm (%)", title=dataset)
            written.append(_save(figure, axes, folder / f"{dataset}_contact_iou.png"))
        if shown := [r for r in found if r.metric in INSIDE]:
            figure, axes = plt.subplots(figsize=(5.5, 5))
            _reliability(axes, shown)
            axes.set(
                xlabel="nominal interval (%)",
                ylabel="errors inside the interval (%)",
                title=f"{dataset}: calibration of sigma",
                xlim=(0, 100),
                ylim=(0, 100),
            )
            written.append(_save(figure, axes, folder / f"{dataset}_sigma.png"))
    return written


def _level(result: Result, kind: str) -> float | None:
    """The level of a noise with one parameter; None for noises of another kind."""
    noise = parse_perturbation(result.noise)
    return noise.sizes[0] if noise.kind == kind and len(noise.sizes) == 1 and noise.then is None else None


def _best_filter_alone(
    results: Iterable[Result], filters: Container[str], metric: str, best: Callable[..., Result]
) -> list[Result]:
    """The metric's results without the truth's, with only the best filter of each noise, as method BEST_FILTER; the
    input is first."""
    shown = [r for r in results if r.metric == metric and r.method != "truth"]
    chosen = [best_of(shown, filters, noise, metric, best) for noise in {r.noise: None for r in shown}]
    others = [r for r in shown if r.method not in filters]
    inputs = [r for r in others if r.method == Input.name]
    best_filters = [replace(r, method=BEST_FILTER) for r in chosen if r is not None]
    return [*inputs, *best_filters, *(r for r in others if r.method != Input.name)]


def _errors_against_levels(panels: list[Axes], levels: dict[str, list[Result]]) -> None:
    """Draws one panel for each kind of noise.

    Methods run at only one level of each kind are left out, unless all were. The error axis ends at 1.2
    times the worst input; methods entirely above it are named in the legend only.
    """
    runs = [result for shown in levels.values() for result in shown]
    counts = {m: max(sum(r.method == m for r in shown) for shown in levels.values()) for m in {r.method for r in runs}}
    lines = [m for m in {r.method: None for r in runs} if counts[m] == min(2, max(counts.values())) or counts[m] > 2]
    top = 1.2 * max((r.high for r in runs if r.method == Input.name), default=max(r.high for r in runs))
    colors = dict(zip((m for m in lines if m not in STYLES), itertools.cycle(OTHER_COLORS), strict=False))
    for axes, (kind, shown) in zip(panels, levels.items(), strict=True):
        for method in lines:
            points = sorted((_level(r, kind) or 0.0, r.mean, r.low, r.high) for r in shown if r.method == method)
            if not points:
                continue
            level, mean, low, high = zip(*points, strict=True)
            style = {"linewidth": 1.4} | STYLES.get(method, {"color": colors.get(method)})
            label = f"{method} (above the plot: {min(mean):.0f} mm and more)" if min(mean) > top else method
            axes.plot(level, mean, marker="o", label=label, **style)
            axes.fill_between(level, low, high, alpha=0.12, color=style["color"])
        axes.set_xticks(sorted({_level(r, kind) or 0.0 for r in shown}))
        axes.set(xlabel=LEVEL_AXES[kind], ylim=(0, top))
        axes.margins(x=0.1)
        axes.grid(axis="y", color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("MPJPE, mm")


def _contact(axes: Axes, results: list[Result]) -> None:
    noises = list({r.noise: None for r in results})
    bars: dict[str, list[Result]] = {}
    for r in results:
        bars.setdefault(r.method, []).append(r)
    width = 0.8 / len(bars)
    for i, (method, found) in enumerate(bars.items()):
        x = [noises.index(r.noise) + (i + 0.5) * width - 0.4 for r in found]
        error = [[r.mean - r.low for r in found], [r.high - r.mean for r in found]]
        axes.bar(x, [r.mean for r in found], width, yerr=error, label=method, ecolor="grey")
    axes.set_xticks(range(len(noises)), noises, rotation=30, ha="right")


def _reliability(axes: Axes, results: list[Result]) -> None:
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":", label="calibrated")
    for method, noise in {(r.method, r.noise): None for r in results}:
        share = {r.metric: r.mean for r in results if (r.method, r.noise) == (method, noise)}
        axes.plot(LEVELS, [share[metric] for metric in INSIDE], marker=".", label=f"{method} {noise}")


def _save(figure: plt.Figure, axes: Axes, path: Path) -> Path:
    axes.legend(fontsize="small")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
