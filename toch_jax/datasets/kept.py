"""Clips kept as they come, so that a preparation that is killed goes on where it was: plain .npz files, no pickles."""

import os
from pathlib import Path

import numpy as np

from toch_jax.datasets.features import Example


def keep_clips(path: Path, clips: list[Example]) -> None:
    """Write the clips whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, **{f"{k}/{key}": value for k, clip in enumerate(clips) for key, value in clip.items()}
        )
    os.replace(part, path)


def kept_clips(path: Path) -> list[Example]:
    """The clips that `keep_clips` wrote."""
    clips: dict[str, Example] = {}
    with np.load(path, allow_pickle=False) as stored:
        for entry in stored.files:
            number, key = entry.split("/")
            value = stored[entry]
            clips.setdefault(number, {})[key] = str(value) if value.dtype.kind == "U" else value
    return list(clips.values())


def holds_clips(path: Path) -> bool:
    """Whether there is one: a recording may give none."""
    with np.load(path, allow_pickle=False) as stored:
        return bool(stored.files)
