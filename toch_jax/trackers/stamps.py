"""From time stamps to a frame rate and frames."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.trackers.source import MOST_FRAMES

UNEVEN = 0.3
"""Largest distance of a stamp from its frame's time, in frames, with which frames that are missing are counted."""


class Grid(NamedTuple):
    """The frames of time stamps."""

    frames: Int[np.ndarray, "K"]
    """The frame of each stamp."""
    fps: float
    said: tuple[str, ...]
    """A remark on gaps."""
    seconds: Float[np.ndarray, "T"]
    """The time of each frame; its steps differ where the stamps are uneven."""


def on_grid(where: str | Path, seconds: Float[np.ndarray, "K"]) -> Grid:
    """The frame and the time of each stamp, and the frame rate.

    The rate is that of the median step. Where all stamps fit it, frames that are missing between them are counted; else
    each stamp is one frame, at its own time. Raises InputError for stamps that do not increase.
    """
    steps = np.diff(seconds)
    if len(seconds) < 2 or not np.isfinite(seconds).all() or not (steps > 0).all():
        raise bad_input(where, "time stamps", "two at least, each after the one before", _found(seconds))
    step = float(np.median(steps))
    frames = np.concatenate([[0], np.cumsum(np.round(steps / step).astype(np.int64).clip(min=1))])
    if not is_even(seconds):
        uneven = f"stamps {steps.min():.4f} to {steps.max():.4f} s apart"
        return Grid(np.arange(len(seconds)), 1 / step, (uneven,), seconds)
    if frames[-1] >= MOST_FRAMES:
        raise bad_input(where, "time stamps", f"a clip of at most {MOST_FRAMES:,} frames", f"{frames[-1] + 1:,}")
    # the rate over the whole clip is more exact than that of one step
    fps = float(frames[-1] / (seconds[-1] - seconds[0]))
    gaps = int(frames[-1] + 1 - len(seconds))
    said = (f"{gaps} frames missing between the stamps",) if gaps else ()
    return Grid(frames, fps, said, seconds[0] + np.arange(frames[-1] + 1) / fps)


def is_even(seconds: Float[np.ndarray, "K"]) -> bool:
    """Whether all stamps fit the rate of the median step, some of them left out."""
    steps = np.diff(seconds) / np.median(np.diff(seconds))
    return bool(np.abs(steps - np.round(steps)).max() < UNEVEN)


def _found(seconds: Float[np.ndarray, "T"]) -> str:
    if len(seconds) < 2:
        return f"{len(seconds)}"
    back = np.flatnonzero(~(np.diff(seconds) > 0))
    return f"{seconds[back[0] + 1]:g} s after {seconds[back[0]]:g} s in line {back[0] + 1}" if len(back) else "NaN"
