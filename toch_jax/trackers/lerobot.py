"""LeRobot: an episode's file of data, with the joints of hands in one of its features.

data/chunk-000/episode_000000.parquet (version 2.1), or file-000.parquet with many episodes (3.0: `--episode`), has
columns of numbers, or of as many numbers a frame, with episode_index and frame_index; meta/info.json beside data/ has
fps, and of each feature its names (huggingface/lerobot). The hand's feature is the one whose names are those of joints'
coordinates (as in `columns`), else the one with as many numbers as a hand, or two, has in one of the orders of
`joint_orders`: x, y, z of each joint, hand after hand (`--side left,right`). Features differ by author: `--hand-key`
is the feature, `--joint-order` its order. Needs pyarrow: pip install 'toch-jax[parquet]'.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.columns import hands_in, joints_in
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.joint_orders import COUNTS, to_openpose
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import MOST_FRAMES, Source, open_source
from toch_jax.trackers.tracked import Tracked, sides_of

_COLUMNS = {"episode_index", "frame_index"}


def fits(source: Source) -> bool:
    return isinstance(source.content, dict) and not source.is_folder and set(source.content) >= _COLUMNS


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of one episode. Raises InputError."""
    where, content = source.path, source.content
    rows, numbers = _episode(source, reading)
    info = _info(where)
    names = {key: _names(info, key) for key in content}
    key = _feature(source, names, reading)
    values = np.asarray(content[key], np.float64)[rows]
    hands = hands_in(names[key])
    said = [f"hands from {key}"]
    if hands:
        columns = dict(zip(names[key], values.T, strict=True))
        tracks, sides = joints_in(where, hands, columns, reading, said)
    else:
        per_hand = values.shape[1] if values.shape[1] // 3 in COUNTS else values.shape[1] // 2
        points = values.reshape(len(values), -1, per_hand // 3, 3).swapaxes(0, 1)
        tracks, order = to_openpose(where, points, reading.joint_order)
        sides = sides_of(where, reading.side, len(tracks))
        said.append(f"joints in the order {order}")
    every, index = frame_grid(where, numbers)
    track = np.full((len(tracks), len(every), 21, 3), np.nan)
    track[:, index] = tracks * METRES[reading.hand_unit]
    fps = info.get("fps")
    return Tracked(
        format="lerobot",
        sides=sides,
        joints=track,
        fps=float(fps) if isinstance(fps, int | float) and fps > 0 else None,
        numbers=every,
        said=tuple(said),
    )


def _episode(source: Source, reading: Reading) -> tuple[np.ndarray, list[int]]:
    """The rows of the episode, and their frames."""
    where = source.path
    episodes = np.asarray(source.content["episode_index"])
    found = np.unique(episodes)
    wanted = reading.episode if reading.episode is not None else found[0] if len(found) == 1 else None
    if wanted is None or wanted not in found:
        which = f"{found[0]} to {found[-1]}" if len(found) else "none"
        raise bad_input(where, "--episode", f"one of the file's episodes, {which}", str(wanted))
    rows = np.flatnonzero(episodes == wanted)
    frames = np.asarray(source.content["frame_index"])[rows]
    if len(rows) > MOST_FRAMES or not (np.diff(frames) > 0).all():
        raise bad_input(where, "frame_index", f"numbers that increase, at most {MOST_FRAMES:,}", f"{len(rows):,} rows")
    return rows, [int(frame) for frame in frames]


def _info(path: Path) -> dict[str, Any]:
    """What meta/info.json says; nothing if it is not there."""
    for folder in list(path.absolute().parents)[:3]:
        if (file := folder / "meta" / "info.json").is_file():
            content = open_source(file).content
            return content if isinstance(content, dict) else {}
    return {}


def _names(info: dict[str, Any], key: str) -> tuple[str, ...]:
    feature = info.get("features", {}).get(key, {})
    names = feature.get("names") if isinstance(feature, dict) else None
    if isinstance(names, dict) and len(names) == 1:
        (names,) = names.values()
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _feature(source: Source, names: dict[str, tuple[str, ...]], reading: Reading) -> str:
    lengths = {key: value.shape[1] for key, value in source.content.items() if value.ndim == 2}
    named = [key for key, length in lengths.items() if len(names[key]) == length and hands_in(names[key])]
    counted = [key for key, length in lengths.items() if not length % 3 and {length // 3, length // 6} & set(COUNTS)]
    fitting = named or counted
    if reading.hand_key is not None:
        if reading.hand_key not in (*named, *counted):
            has = ", ".join(f"{key} {length}" for key, length in lengths.items()) or "none"
            raise bad_input(source.path, "--hand-key", "a feature with the joints of a hand or two", has)
        return reading.hand_key
    if len(fitting) != 1:
        has = ", ".join(f"{key} {length}" for key, length in lengths.items()) or "none"
        raise bad_input(source.path, "hand", "one feature with the joints of a hand or two (--hand-key KEY)", has)
    return fitting[0]
