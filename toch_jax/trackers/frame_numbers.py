"""Frames by their numbers: in names of files, in lists, as keys of a dict; and all from the first to the last."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.trackers.source import MOST_FRAMES, array


def numbered(where: str | Path, record: Any) -> dict[int, Any]:
    """The entries of a dict whose keys are frames' numbers, in the order of these. Raises InputError."""
    if not isinstance(record, dict) or not record or not all(str(key).isdigit() for key in record):
        found = f"the keys {', '.join(map(str, record))[:80]}" if isinstance(record, dict) else type(record).__name__
        raise bad_input(where, "frames", "a record with a frame's number as each key", found)
    return {int(key): record[key] for key in sorted(record, key=int)}


def frame_numbers(where: str | Path, field: str, value: Any) -> Int[np.ndarray, "N"]:
    """Frames' numbers in a list or an array, one at least. Raises InputError."""
    found = array(where, field, value, "N")
    if not len(found) or not ((found == np.round(found)) & (np.abs(found) < 1e9)).all():
        raise bad_input(where, field, "frames' numbers, whole and below 1e9", f"{found[:4]}")
    return found.astype(np.int64)


def frame_number(name: str) -> int | None:
    """The last number in a file's or an image's name; None if it has none."""
    digits = re.findall(r"\d+", Path(name).stem)
    return int(digits[-1]) if digits and len(digits[-1]) < 10 else None


def frame_grid(where: str | Path, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """For frame numbers with gaps: the numbers of all frames (T,), and at which of these each given one is.

    The step is the largest that fits all numbers: 10 where every tenth frame was tracked. Raises InputError.
    """
    given = np.asarray(numbers, np.int64)
    step = int(np.gcd.reduce(np.diff(np.unique(given)))) if len(set(numbers)) > 1 else 1
    count = int(given.max() - given.min()) // step + 1
    if count > MOST_FRAMES:
        raise bad_input(where, "frame numbers", f"a clip of at most {MOST_FRAMES:,} frames", f"{count:,}")
    return given.min() + step * np.arange(count), (given - given.min()) // step


def numbered_files(where: str | Path, files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """`frame_grid` of files with the frame's number in their names. Raises InputError."""
    numbers = [frame_number(file.name) for file in files]
    if not files or None in numbers or len(set(numbers)) < len(numbers):
        found = ", ".join(file.name for file in files[:3]) or "none"
        raise bad_input(where, "files", "one for each frame, with its number in its name", found)
    return frame_grid(where, [number for number in numbers if number is not None])


def at_frames(
    values: Float[np.ndarray, "H K n"], index: Int[np.ndarray, "K"], count: int
) -> Float[np.ndarray, "H T n"]:
    """Values of K frames at their places among `count` frames, NaN in the others."""
    found = np.full((len(values), count, values.shape[-1]), np.nan)
    found[:, index] = values
    return found
