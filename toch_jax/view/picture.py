"""One picture that says what was repaired: frames before and after, and how depth and acceleration went."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toch_jax.evaluate.clip import object_distances
from toch_jax.evaluate.contact import penetration_depths_mm
from toch_jax.evaluate.pose import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.camera import choose_direction, frame_camera
from toch_jax.view.render import Image, render
from toch_jax.view.surfaces import hand_surface, object_surface

TILE = 300
"""Pixels of a frame's picture."""
BEFORE_COLOR, AFTER_COLOR = "#c2571a", "#1a6fc2"


def before_after_picture(
    path: str | Path, sequence: Sequence, before: list[PosedHand], after: list[PosedHand], n_frames: int = 5
) -> None:
    """Writes a PNG: `n_frames` frames before and after, seen alike; below, depth and acceleration over time.

    What is inside the object is red. `before` and `after` hold the sequence's hands in order.
    """
    rows = [before, after]
    distances = [[object_distances(sequence, hand.points) for hand in hands] for hands in rows]
    frames = _frames_to_show([d for row in distances for d in row], sequence.n_frames, n_frames)
    tiles = _tiles(sequence, rows, distances, frames)

    curves = sequence.n_frames >= 3
    figure = Figure(figsize=(2.2 * len(frames) + 0.4, 4.7 + 2.0 * curves), layout="constrained", dpi=150)
    top, *below = np.atleast_1d(figure.subfigures(2 if curves else 1, 1, height_ratios=[4.7, 2.0][: 1 + curves]))
    grid = top.subplots(2, len(frames), squeeze=False)
    for axes_row, tile_row, name in zip(grid, tiles, ("before", "after"), strict=True):
        for axes, tile in zip(axes_row, tile_row, strict=True):
            axes.imshow(tile)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(name, fontsize=12, color=BEFORE_COLOR if name == "before" else AFTER_COLOR)
    for axes, frame in zip(grid[0], frames, strict=True):
        axes.set_title(f"{frame / sequence.fps:.2f} s", fontsize=9)
    if curves:
        left, right = below[0].subplots(1, 2)
        depths = [_depth(hands, row) for hands, row in zip(rows, distances, strict=True)]
        _curve(left, sequence, depths, "depth inside the object, mm", frames)
        _curve(right, sequence, [_acceleration(h, sequence.fps) for h in rows], "joint acceleration, m/s²", frames)
        left.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png")


def _frames_to_show(distances: list[Float[np.ndarray, "T K"]], total: int, wanted: int) -> Int[np.ndarray, "n"]:
    """Evenly spread over the frames where a hand is at the object, or over all."""
    near = np.flatnonzero(np.any([np.isfinite(distance).any(axis=1) for distance in distances], axis=0))
    candidates = near if len(near) else np.arange(total)
    return np.unique(candidates[np.linspace(0, len(candidates) - 1, wanted).round().astype(int)])


def _tiles(
    sequence: Sequence,
    rows: list[list[PosedHand]],
    distances: list[list[Float[np.ndarray, "T K"]]],
    frames: Int[np.ndarray, "n"],
) -> list[list[Image]]:
    """A row of pictures for each of `rows`; a frame's camera is the same in all."""
    objects = {frame: object_surface(sequence, frame) for frame in frames}
    hands = [
        {f: [hand_surface(h, f, d[f]) for h, d in zip(posed, row, strict=True)] for f in frames}
        for posed, row in zip(rows, distances, strict=True)
    ]
    middle = frames[len(frames) // 2]
    direction = choose_direction(hands[0][middle], objects[middle])
    cameras = {f: frame_camera([s for row in hands for s in row[f]], objects[f], direction) for f in frames}
    # one distance for all frames, so that sizes compare
    far = max(float(np.linalg.norm(camera.eye - camera.target)) for camera in cameras.values())
    cameras = {f: dataclasses.replace(c, eye=c.target + far * direction) for f, c in cameras.items()}
    return [[render([*row[f], objects[f]], cameras[f], TILE, TILE) for f in frames] for row in hands]


def _depth(hands: list[PosedHand], distances: list[Float[np.ndarray, "T K"]]) -> Float[np.ndarray, "T"]:
    """Of the deepest hand, mm; nan where no hand is valid."""
    depths = [np.where(h.valid, penetration_depths_mm(d), np.nan) for h, d in zip(hands, distances, strict=True)]
    return np.fmax.reduce(depths)


def _acceleration(hands: list[PosedHand], fps: float) -> Float[np.ndarray, "T"]:
    """Mean over joints (or skin) of all hands, m/s^2; nan at the ends and where a hand is not valid."""
    accelerations = []
    for hand in hands:
        points = hand.points if hand.joints is None else hand.joints
        points = np.where(hand.valid[:, None, None], points, np.nan).astype(np.float64)
        second = np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
        accelerations.append(np.pad(second, 1, constant_values=np.nan))
    return np.fmax.reduce(accelerations)


def _curve(
    axes: Axes, sequence: Sequence, values: list[Float[np.ndarray, "T"]], label: str, frames: Int[np.ndarray, "n"]
) -> None:
    time = np.arange(sequence.n_frames) / sequence.fps
    for frame in frames:
        axes.axvline(frame / sequence.fps, color="0.88", linewidth=1)
    for value, color, name in zip(values, (BEFORE_COLOR, AFTER_COLOR), ("before", "after"), strict=True):
        axes.plot(time, value, color=color, linewidth=1.4, label=name)
    axes.set_title(label, fontsize=9, loc="left")
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
