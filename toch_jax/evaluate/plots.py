"""A benchmark in pictures: error against noise level, contact, and how honest sigma is."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from toch_jax.evaluate.calibration import LEVELS
from toch_jax.evaluate.report import Result
from toch_jax.sequence.perturb import parse_perturbation

LEVEL_AXES = {"T": "translation noise (m)", "R": "pose noise (rad)"}


def draw_plots(results: Sequence[Result], folder: Path) -> list[Path]:
    """For each data set error (against the levels of T and of R), contact and sigma; the files written."""
    written = []
    for dataset in {r.dataset: None for r in results}:
        mine = [r for r in results if r.dataset == dataset]
        errors = _best_filter_alone(r for r in mine if r.metric == "mpjpe" and r.method != "truth")
        levels = {kind: shown for kind in LEVEL_AXES if (shown := [r for r in errors if _level(r, kind) is not None])}
        if levels:
            # What is far worse than doing nothing is named, and does not squeeze the rest.
            inputs = [r.high for shown in levels.values() for r in shown if r.method == "input"]
            top = 1.2 * max(inputs) if inputs else None
            figure, panels = plt.subplots(1, len(levels), figsize=(6 * len(levels), 4.5), squeeze=False)
            for axes, (kind, shown) in zip(panels[0], levels.items(), strict=True):
                _error_against_level(axes, shown, kind, top, list({r.method: None for r in errors}))
                axes.set(xlabel=LEVEL_AXES[kind], ylabel="MPJPE (mm)", title=dataset, xlim=(0, None), ylim=(0, top))
            written.append(_save(figure, panels[0][-1], folder / f"{dataset}_error.png"))
        if shown := [r for r in mine if r.metric == "contact_iou" and r.method != "truth"]:
            figure, axes = plt.subplots(figsize=(9, 4.5))
            _contact(axes, shown)
            axes.set(ylabel="contact IoU at 2 mm (%)", title=dataset)
            written.append(_save(figure, axes, folder / f"{dataset}_contact_iou.png"))
        if shown := [r for r in mine if r.metric.startswith("inside_")]:
            figure, axes = plt.subplots(figsize=(5.5, 5))
            _reliability(axes, shown)
            axes.set(
                xlabel="interval of sigma (%)", ylabel="errors inside (%)", title=dataset, xlim=(0, 100), ylim=(0, 100)
            )
            written.append(_save(figure, axes, folder / f"{dataset}_sigma.png"))
    return written


def _level(result: Result, kind: str) -> float | None:
    noise = parse_perturbation(result.noise)
    return noise.sizes[0] if noise.kind == kind and len(noise.sizes) == 1 else None


def _best_filter_alone(results: Iterable[Result]) -> list[Result]:
    """Of the filters in each frame only the one with the least mean over all noises: eight lines are too many."""
    results = list(results)
    sums: dict[str, dict[str, float]] = {"world": {}, "object": {}}
    for r in results:
        if r.method.startswith("filter:"):
            frame = sums[r.method.rsplit(":", 1)[1]]
            frame[r.method] = frame.get(r.method, 0.0) + r.mean
    kept = {min(frame, key=lambda method: frame[method]) for frame in sums.values() if frame}
    return [r for r in results if not r.method.startswith("filter:") or r.method in kept]


def _error_against_level(axes: Axes, shown: list[Result], kind: str, top: float | None, methods: list[str]) -> None:
    """`methods` have the same colours in all panels, and are in the legend even if this one lacks them."""
    for i, method in enumerate(methods):
        color = "0.3" if method == "input" else f"C{i % 10}"
        points = sorted((_level(r, kind) or 0.0, r.mean, r.low, r.high) for r in shown if r.method == method)
        level, mean, low, high = zip(*points, strict=True) if points else ((), (), (), ())
        label = f"{method} (off the top)" if points and top is not None and min(mean) > top else method
        axes.plot(level, mean, marker="o", label=label, linewidth=2.5 if method == "ours" else 1.2, color=color)
        axes.fill_between(level, low, high, alpha=0.12, color=color)


def _contact(axes: Axes, results: list[Result]) -> None:
    noises = list({r.noise: None for r in results})
    bars: dict[str, dict[str, Result]] = {}
    for r in results:
        method = "best filter" if r.method.startswith("filter:") else r.method
        best = bars.setdefault(method, {}).setdefault(r.noise, r)
        if r.mean > best.mean:
            bars[method][r.noise] = r
    width = 0.8 / len(bars)
    for i, (method, found) in enumerate(bars.items()):
        places = [noises.index(noise) + (i + 0.5) * width - 0.4 for noise in found]
        error = [[r.mean - r.low for r in found.values()], [r.high - r.mean for r in found.values()]]
        axes.bar(places, [r.mean for r in found.values()], width, yerr=error, label=method, ecolor="grey")
    axes.set_xticks(range(len(noises)), noises, rotation=30, ha="right")


def _reliability(axes: Axes, results: list[Result]) -> None:
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":", label="honest")
    for method, noise in {(r.method, r.noise): None for r in results}:
        share = {r.metric: r.mean for r in results if (r.method, r.noise) == (method, noise)}
        axes.plot(LEVELS, [share[f"inside_{level}"] for level in LEVELS], marker=".", label=f"{method} {noise}")


def _save(figure: plt.Figure, axes: Axes, path: Path) -> Path:
    axes.legend(fontsize="small")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
