"""The figure of a repair: images of the frames in rows, a legend of the colours of contact, and curves over time."""

from collections.abc import Mapping
from collections.abc import Sequence as List
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from toch_jax.view.render import Image
from toch_jax.view.scene import skin_colors

DPI = 150
LEFT, TOP, LEGEND, BELOW = 0.45, 0.3, 0.4, 1.9
"""Heights (of the first, the width) of the rows' names, the times, the legend and the curves, inches."""
LEAST_WIDTH = 5.5
"""Of the figure, inches: the legend's."""
GAP = 8
"""Space between images, pixels."""
COLORS = {"before": "#c2571a", "after": "#1a6fc2", "truth": "#3d8b3d"}
OTHER_COLORS = ("#8a8a8a", "#8d6cc0", "#b0a030")
"""Colours of rows with other names."""
LEGEND_MM = {"contact (within 2 mm)": 0.0, "3 mm inside the object": -3.0, "6 mm": -6.0, "10 mm or more": -10.0}

Curves = Mapping[str, Mapping[str, Float[np.ndarray, "T"]]]
"""Values in each frame by the curves' label and the row's name."""


def draw_figure(
    path: str | Path,
    images: Mapping[str, List[Image]],
    curves: Curves,
    times: Float[np.ndarray, "shown"],
    fps: float,
) -> None:
    """Write the PNG. `images`: those of each row, all of one size, at `times` (seconds); `curves` may be empty."""
    others = iter(OTHER_COLORS)
    colors = {name: COLORS[name] if name in COLORS else next(others) for name in images}
    whole = np.concatenate([np.concatenate([_with_gap(tile) for tile in row], axis=1) for row in images.values()])
    height, width = whole.shape[:2]
    below = LEGEND + BELOW * bool(curves)
    size = np.array([max(LEFT + width / DPI, LEAST_WIDTH), TOP + height / DPI + below])
    # places are given in inches and images have the figure's pixels: matplotlib's own layout draws everything twice
    figure = Figure(figsize=tuple(size), dpi=DPI)
    figure.figimage(whole, xo=round(LEFT * DPI), yo=round(below * DPI))
    right, up = np.array([width, height]) / DPI / [len(times), len(images)]
    for column, time in enumerate(times):
        x, y = np.array([LEFT + (column + 0.5) * right, size[1] - TOP / 2]) / size
        figure.text(x, y, f"{time:.2f} s", fontsize=9, ha="center", va="center")
    for row, name in enumerate(images):
        x, y = np.array([LEFT / 2, size[1] - TOP - (row + 0.5) * up]) / size
        figure.text(x, y, name, fontsize=12, color=colors[name], rotation=90, ha="center", va="center")
    shown = {label: skin_colors(np.array([mm / 1e3]))[0] for label, mm in LEGEND_MM.items()}
    patches = [Patch(facecolor=tuple(color), label=label) for label, color in shown.items()]
    place = 0.5, (below - LEGEND / 2) / size[1]
    figure.legend(handles=patches, loc="center", bbox_to_anchor=place, ncols=len(patches), frameon=False, fontsize=9)
    wide = size[0] / max(len(curves), 1)
    for number, (label, values) in enumerate(curves.items()):
        box = np.array([number * wide + LEFT, 0.4, wide - LEFT - 0.1, BELOW - 0.65]) / np.tile(size, 2)
        _curve(figure.add_axes(tuple(box)), label, values, times, fps, colors)
    figure.savefig(path, format="png", pil_kwargs={"compress_level": 3})


def _with_gap(image: Image) -> UInt8[np.ndarray, "new_height new_width 3"]:
    return np.pad(image, [(0, GAP), (0, GAP), (0, 0)], constant_values=255)


def _curve(
    axes: Axes,
    label: str,
    values: Mapping[str, Float[np.ndarray, "T"]],
    times: Float[np.ndarray, "shown"],
    fps: float,
    colors: Mapping[str, str],
) -> None:
    for time in times:
        axes.axvline(time, color="0.88", linewidth=1)
    for name, each in values.items():
        axes.plot(np.arange(len(each)) / fps, each, color=colors[name], linewidth=1.4, label=name)
    axes.set_title(label, fontsize=9, loc="left")
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
