"""A benchmark's results as text: how we stand, every method's headline numbers, what each number is."""

from collections.abc import Iterable, Mapping

from toch_jax.evaluate.definitions import METRICS
from toch_jax.evaluate.report import Result, Table
from toch_jax.evaluate.reported import Reported

HEADLINES = [name for name, metric in METRICS.items() if metric.headline]
OURS = "ours"


def headline_table(results: Iterable[Result]) -> str:
    """Noise and method down, metrics across; mean [low, high]."""
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


def standing_table(results: Iterable[Result], tables: Mapping[str, Table]) -> str:
    """Of one data set: our error over the others' under each noise, and where the limits are; "-" where there is none.

    The best filter is the one best on these very clips: a harder rival than the one that validation would choose.
    """
    mean = {(r.noise, r.method, r.metric): r.mean for r in results}
    rows = []
    for noise, table in tables.items():
        metric = "mpjpe_missing" if (noise, OURS, "mpjpe_missing") in mean else "mpjpe"
        filters = {m: v for (n, m, k), v in mean.items() if (n, k) == (noise, metric) and m.startswith("filter:")}
        best = min(filters, key=lambda method: filters[method]) if filters else None
        clip_ratios = [
            clip[OURS]["mpjpe"] / clip["input"]["mpjpe"]
            for clip in table.values()
            if OURS in clip and clip.get("input", {}).get("mpjpe")
        ]

        def ratio(rival: str | None, metric: str, noise: str = noise) -> str:
            ours, other = mean.get((noise, OURS, metric)), mean.get((noise, rival or "", metric))
            return f"{ours / other:.2f}" if ours is not None and other else "-"

        inside = mean.get((noise, OURS, "inside_90"))
        rows.append(
            [
                noise,
                metric,
                f"{ratio(best, metric)} ({best.removeprefix('filter:')})" if best else "-",
                *(ratio(rival, metric) for rival in ("toch", "input", "fit")),
                f"{max(clip_ratios):.2f}" if clip_ratios else "-",
                ratio("toch", "contact_iou"),
                ratio("truth", "intersection_volume"),
                ratio(best, "acceleration_error"),
                "-" if inside is None else f"{inside:.0f} %",
            ]
        )
    head = ["noise", "error", "/ best filter", "/ toch", "/ input", "/ fit", "worst clip / input"]
    head += ["contact IoU / toch", "volume / truth", "acceleration error / that filter", "inside 90 %"]
    return _table(head, rows)


def reported_table(rows: Iterable[Reported]) -> str:
    """Published figures, none of them reproduced here."""
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
    """What each number is, with its constants."""
    return _table(["metric", "unit", "meaning"], [[name, m.unit, m.meaning] for name, m in METRICS.items()])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
