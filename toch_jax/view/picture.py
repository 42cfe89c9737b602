"""Picture of a repair: frames of each version of the hands, and curves of penetration depth and acceleration."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from toch_jax.metrics.clip import HandContact, hand_contact, sequence_parts
from toch_jax.metrics.contact import Part
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.film import film
from toch_jax.view.rows import Rows
from toch_jax.view.surfaces import skin_colors

TILE = 300
"""Height of a frame's image before white margins are cut off, pixels."""
TILE_INCHES = 2.2
"""Longer side of a frame's image in the figure, inches."""
COLORS = {"before": "#c2571a", "after": "#1a6fc2", "truth": "#3d8b3d"}
OTHER_COLORS = ("#8a8a8a", "#8d6cc0", "#b0a030")
"""Colours of rows with other names."""
DEPTH_LABEL = "penetration depth, mm"
ACCELERATION_LABEL = "acceleration of the joints, m/s²"
LEGEND_MM = {"contact (within 2 mm)": 0.0, "3 mm inside the object": -3.0, "6 mm": -6.0, "10 mm or more": -10.0}


def draw_picture(
    path: str | Path, sequence: Sequence, rows: Rows, n_frames: int = 5, parts: list[Part] | None = None
) -> None:
    """Writes a PNG with `n_frames` frames of each row from the same cameras, a legend, and curves over time.

    Contact is green, skin inside the object red. The curves of the row "before" (the tracked hands) are empty in frames
    that the tracker lost; all other rows have a hand in every frame. `parts`: the result of `sequence_parts`, if the
    caller has it.
    """
    rows = {n: hands if n == "before" else [_in_every_frame(hand) for hand in hands] for n, hands in rows.items()}
    parts = sequence_parts(sequence) if parts is None else parts
    contacts = {
        name: [hand_contact(hand.motion_in(sequence), parts, hand) for hand in hands] for name, hands in rows.items()
    }
    last = list(contacts.values())[-1]
    frames = _frames_to_show(np.any([each.contact for each in last], axis=0), n_frames)
    images = film(sequence, parts, rows, frames, TILE)
    height, width = next(iter(images.values()))[0].shape[:2]
    colors = _row_colors(rows)

    heights = [(TILE_INCHES * height / max(width, height) + 0.05) * len(rows) + 0.3, 0.3]
    heights += [1.9] if sequence.n_frames >= 3 else []
    wide = TILE_INCHES * width / max(width, height) * len(frames) + 0.4
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    figure = Figure(figsize=(max(wide, 5.5), sum(heights)), layout=layout, dpi=150)
    panels = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    grid = panels[0].subplots(len(rows), len(frames), squeeze=False)
    for axes_row, (name, tiles) in zip(grid, images.items(), strict=True):
        for axes, tile in zip(axes_row, tiles, strict=True):
            axes.imshow(tile)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(name, fontsize=12, color=colors[name])
    for axes, frame in zip(grid[0], frames, strict=True):
        axes.set_title(f"{frame / sequence.fps:.2f} s", fontsize=9)
    shown = {label: skin_colors(np.array([mm / 1e3]))[0] for label, mm in LEGEND_MM.items()}
    patches = [Patch(facecolor=tuple(color), label=label) for label, color in shown.items()]
    panels[1].legend(handles=patches, loc="center", ncols=len(patches), frameon=False, fontsize=9)
    if sequence.n_frames >= 3:
        left, right = panels[2].subplots(1, 2)
        depths = {name: _depth(hands, contacts[name]) for name, hands in rows.items()}
        accelerations = {name: _acceleration(hands, sequence.fps) for name, hands in rows.items()}
        _curve(left, sequence, depths, DEPTH_LABEL, frames, colors)
        _curve(right, sequence, accelerations, ACCELERATION_LABEL, frames, colors)
    figure.savefig(path, format="png")


def _in_every_frame(hand: PosedHand) -> PosedHand:
    return replace(hand, observed=np.ones_like(hand.observed))


def _row_colors(rows: Rows) -> dict[str, str]:
    others = iter(OTHER_COLORS)
    return {name: COLORS[name] if name in COLORS else next(others) for name in rows}


def _frames_to_show(contact: Bool[np.ndarray, "T"], wanted: int) -> list[int]:
    """Frames evenly spread from the first in contact to the last, or over all if none is in contact."""
    touching = np.flatnonzero(contact)
    first, last = (touching[0], touching[-1]) if len(touching) else (0, len(contact) - 1)
    return sorted(set(np.linspace(first, last, wanted).round().astype(int).tolist()))


def _depth(hands: list[PosedHand], contacts: list[HandContact]) -> Float[np.ndarray, "T"]:
    """Penetration depth (mm) of the deepest hand in each frame; nan where no hand is observed."""
    return np.fmax.reduce([np.where(h.observed, t.depth_mm, np.nan) for h, t in zip(hands, contacts, strict=True)])


def _acceleration(hands: list[PosedHand], fps: float) -> Float[np.ndarray, "T"]:
    """Mean acceleration (m/s^2) over the joints, or skin, of the hand for which it is largest, in each frame.

    nan in the first and last frame and where no hand is observed.
    """
    accelerations = []
    for hand in hands:
        points = hand.points if hand.joints is None else hand.joints
        points = np.where(hand.observed[:, None, None], points, np.nan).astype(np.float64)
        second = np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
        accelerations.append(np.pad(second, 1, constant_values=np.nan))
    return np.fmax.reduce(accelerations)


def _curve(
    axes: Axes,
    sequence: Sequence,
    curves: dict[str, Float[np.ndarray, "T"]],
    label: str,
    frames: list[int],
    colors: dict[str, str],
) -> None:
    time = np.arange(sequence.n_frames) / sequence.fps
    for frame in frames:
        axes.axvline(frame / sequence.fps, color="0.88", linewidth=1)
    for name, values in curves.items():
        axes.plot(time, values, color=colors[name], linewidth=1.4, label=name)
    axes.set_title(label, fontsize=9, loc="left")
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
