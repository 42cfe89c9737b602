"""One picture that says what was repaired: frames before and after, and how depth and acceleration went."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toch_jax.evaluate.clip import Touch, sequence_parts, touch
from toch_jax.evaluate.contact import Part
from toch_jax.evaluate.pose import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.camera import choose_direction, frame_camera
from toch_jax.view.render import Image, render
from toch_jax.view.rows import Rows
from toch_jax.view.surfaces import depths_at, hand_surface, object_surface

TILE = 300
"""Pixels of a frame's picture."""
COLORS = {"before": "#c2571a", "after": "#1a6fc2", "truth": "#3d8b3d"}
DEPTH_LABEL = "depth inside the object, mm"
ACCELERATION_LABEL = "joint acceleration, m/s²"


def draw_picture(path: str | Path, sequence: Sequence, rows: Rows, n_frames: int = 5) -> None:
    """Writes a PNG: `n_frames` frames of each row from the same camera; below, depth and acceleration over time.

    What is inside the object is red.
    """
    parts = sequence_parts(sequence)
    touches = [[touch(sequence.object_motion, parts, hand) for hand in hands] for hands in rows.values()]
    frames = _frames_to_show(np.any([t.contact for row in touches for t in row], axis=0), n_frames)
    tiles = _tiles(sequence, parts, list(rows.values()), frames)

    curves = sequence.n_frames >= 3
    heights = [2.2 * len(rows) + 0.3, *([2.0] if curves else [])]
    figure = Figure(figsize=(2.2 * len(frames) + 0.4, sum(heights)), layout="constrained", dpi=150)
    panels = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).ravel()
    grid = panels[0].subplots(len(rows), len(frames), squeeze=False)
    for axes_row, tile_row, name in zip(grid, tiles, rows, strict=True):
        for axes, tile in zip(axes_row, tile_row, strict=True):
            axes.imshow(tile)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(name, fontsize=12, color=COLORS[name])
    for axes, frame in zip(grid[0], frames, strict=True):
        axes.set_title(f"{frame / sequence.fps:.2f} s", fontsize=9)
    if curves:
        left, right = panels[1].subplots(1, 2)
        depths = {name: _depth(hands, met) for (name, hands), met in zip(rows.items(), touches, strict=True)}
        _curve(left, sequence, depths, DEPTH_LABEL, frames)
        accelerations = {name: _acceleration(hands, sequence.fps) for name, hands in rows.items()}
        _curve(right, sequence, accelerations, ACCELERATION_LABEL, frames)
        right.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(rows))
    figure.savefig(path, format="png")


def _frames_to_show(contact: Bool[np.ndarray, "T"], wanted: int) -> list[int]:
    """Evenly spread from the first frame in contact to the last, or over all where there is none."""
    touching = np.flatnonzero(contact)
    first, last = (touching[0], touching[-1]) if len(touching) else (0, len(contact) - 1)
    return sorted(set(np.linspace(first, last, wanted).round().astype(int).tolist()))


def _tiles(sequence: Sequence, parts: list[Part], rows: list[list[PosedHand]], frames: list[int]) -> list[list[Image]]:
    """A row of pictures for each of `rows`; a frame's camera is the same in all."""
    objects = [object_surface(sequence, frame) for frame in frames]
    hands = []
    for posed in rows:
        deep = [depths_at(sequence, parts, hand, frames) for hand in posed]
        hands.append(
            [[hand_surface(h, f, d[i]) for h, d in zip(posed, deep, strict=True)] for i, f in enumerate(frames)]
        )
    middle = len(frames) // 2
    direction = choose_direction(hands[0][middle], objects[middle])
    every_row = [[hand for row in hands for hand in row[i]] for i in range(len(frames))]
    cameras = [frame_camera(skins, thing, direction) for skins, thing in zip(every_row, objects, strict=True)]
    # one distance for all frames, so that sizes compare
    far = max(float(np.linalg.norm(camera.eye - camera.target)) for camera in cameras)
    cameras = [replace(camera, eye=camera.target + far * direction) for camera in cameras]
    with ThreadPoolExecutor() as pool:
        tiles = [
            [pool.submit(render, [*skins, o], c, TILE, TILE) for skins, o, c in zip(row, objects, cameras, strict=True)]
            for row in hands
        ]
    return [[tile.result() for tile in row] for row in tiles]


def _depth(hands: list[PosedHand], touches: list[Touch]) -> Float[np.ndarray, "T"]:
    """Of the deepest hand, mm; nan where no hand is valid."""
    return np.fmax.reduce([np.where(h.valid, t.depth_mm, np.nan) for h, t in zip(hands, touches, strict=True)])


def _acceleration(hands: list[PosedHand], fps: float) -> Float[np.ndarray, "T"]:
    """Mean over joints (or skin), of the hand that accelerates most, m/s^2; nan at the ends and where none is valid."""
    accelerations = []
    for hand in hands:
        points = hand.points if hand.joints is None else hand.joints
        points = np.where(hand.valid[:, None, None], points, np.nan).astype(np.float64)
        second = np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
        accelerations.append(np.pad(second, 1, constant_values=np.nan))
    return np.fmax.reduce(accelerations)


def _curve(
    axes: Axes, sequence: Sequence, curves: dict[str, Float[np.ndarray, "T"]], label: str, frames: list[int]
) -> None:
    time = np.arange(sequence.n_frames) / sequence.fps
    for frame in frames:
        axes.axvline(frame / sequence.fps, color="0.88", linewidth=1)
    for name, values in curves.items():
        axes.plot(time, values, color=COLORS[name], linewidth=1.4, label=name)
    axes.set_title(label, fontsize=9, loc="left")
    axes.set_xlabel("s", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
