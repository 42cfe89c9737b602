"""Plots of a benchmark: error against noise level, contact, and calibration of sigma."""

import itertools
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from toch_jax.benchmark.methods.method import Method
from toch_jax.benchmark.methods.registry import Fit, Input, Ours
from toch_jax.benchmark.results import Result, best_of
from toch_jax.benchmark.tables import BEST_FILTER, filter_labels
from toch_jax.metrics.joints import LEVELS
from toch_jax.perturb.registry import parse_perturbation

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
