"""Metrics of a training run: a file with one JSON object per line, and a plot."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Array, Float

from toch_jax.base.files import write_text


class Metrics:
    """Metrics file with one line per step; on resuming, lines after the step of the checkpoint are removed."""

    def __init__(self, path: Path, resumed_at: int) -> None:
        kept = [line for line in read_metrics(path) if line["step"] <= resumed_at] if path.is_file() else []
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.path = path

    def write(self, step: int, values: Mapping[str, float | Float[Array, ""]]) -> dict[str, float | int]:
        """Appends a line with the step and the values, rounded to six decimals; returns it."""
        line: dict[str, float | int] = {
            "step": step,
            **{name: round(float(value), 6) for name, value in values.items()},
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return line


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete lines; the last one may be partial after an interruption."""
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def plot_losses(path: Path, picture: Path) -> None:
    """Writes a PNG of training losses and validation errors over steps; `path` is the metrics file."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines = read_metrics(path)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    trained = [line for line in lines if "loss" in line]
    for name in trained[0].keys() - {"step", "sigma"}:
        left.plot([line["step"] for line in trained], [line[name] for line in trained], label=name)
    left.set(title="training", xlabel="step", yscale="log")
    validated = [line for line in lines if "loss" not in line]
    for name in sorted(key for key in validated[0] if key.endswith("_mm")):
        right.plot([line["step"] for line in validated], [line[name] for line in validated], label=name)
    right.set(title="validation", xlabel="step", ylabel="mm", ylim=(0, None))
    left.legend()
    right.legend()
    figure.savefig(picture, dpi=100)
    pyplot.close(figure)
