"""Cache of converted clips, so that an interrupted preparation resumes: plain .npz files, no pickles."""

import os
from pathlib import Path

import numpy as np

from toch_jax.datasets.features import Example


def keep_clips(path: Path, clips: list[Example]) -> None:
    """Write the clips to `path` atomically."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, **{f"{k}/{key}": value for k, clip in enumerate(clips) for key, value in clip.items()}
        )
    os.replace(part, path)


def kept_clips(path: Path) -> list[Example]:
    """The clips that `keep_clips` wrote to `path`."""
    clips: dict[str, Example] = {}
    with np.load(path, allow_pickle=False) as stored:
        for entry in stored.files:
            number, key = entry.split("/")
            value = stored[entry]
            clips.setdefault(number, {})[key] = str(value) if value.dtype.kind == "U" else value
    return list(clips.values())


def holds_clips(path: Path) -> bool:
    """Whether the file holds at least one clip; a recording may give none."""
    with np.load(path, allow_pickle=False) as stored:
        return bool(stored.files)
