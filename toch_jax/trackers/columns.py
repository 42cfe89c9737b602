"""Tables with a line of names: joints by name or number, time stamps, frame numbers.

A joint has three columns whose names end (or begin) with x, y, z: wrist_x, left_index_finger_tip.y, x12, joint12_z,
with a unit after it or not: wrist_x [mm]. Joints are named in the words of MediaPipe (thumb_cmc, index_finger_mcp),
OpenXR and WebXR (index-finger-phalanx-proximal), visionOS (leftIndexFingerKnuckle), or with numbers from 1 at the root
(index1 to index4); or they are numbered from 0 or 1 in one of the orders of `joint_orders`. Other columns are not read.

A column of time has a name such as timestamp, time_s, t_ns. Where the name has no unit, it is the one of s, ms, us, ns
with which the rate is 1 to 1000 Hz, of which there is one at most.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.joint_names import hand_joint, taken_side, words_of
from toch_jax.trackers.joint_orders import ABSENT, COUNTS, to_openpose
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import Source, Table
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import Tracked, sides_of

AXES = ("x", "y", "z")
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds per unit."""
_TIME = {"time", "timestamp", "timestamps", "stamp", "t"}
_FRAME = {"frame", "frames", "frame idx", "frame id", "frame index", "frame number"}
LEAST_NAMED = 5
"""Joints by name that a hand has at least: the self-check tells the side by more."""

Hand = dict[str, tuple[str, ...]]
"""The names of the three columns of each joint, by the joint's words."""


def axis_of(name: str, axes: Sequence[str] = AXES) -> tuple[str, list[str], str | None] | None:
    """The axis at the end or the beginning of a column's name, the other words, and the unit; None without axis."""
    words = words_of(name)
    unit = words.pop() if len(words) > 1 and words[-1] in METRES and len(words[-2]) == 1 else None
    if words and words[-1] in axes:
        return words[-1], words[:-1], unit
    return (words[0], words[1:], unit) if words and words[0] in axes else None


def stamps(table: Table, where: Path) -> Float[np.ndarray, "T"] | None:
    """The column of time in seconds; None if there is none. Raises InputError if its unit is not clear."""
    found = []
    for name in table.names:
        words = words_of(name)
        unit = words.pop() if len(words) > 1 and words[-1] in SECONDS else None
        if words and set(words) <= _TIME | {"tracking", "device", "sensor"} and set(words) & _TIME:
            found.append((name, unit))
    if not found:
        return None
    if len(found) > 1:
        raise bad_input(where, "time stamps", "one column of time", ", ".join(name for name, _ in found))
    ((name, unit),) = found
    values = table.numbers(where, (name,))[:, 0]
    if unit is not None:
        return values * SECONDS[unit]
    step = float(np.nanmedian(np.diff(values))) if len(values) > 1 else np.nan
    fitting = [factor for factor in (1.0, 1e-3, 1e-6, 1e-9) if 1e-3 < step * factor <= 1]
    if len(fitting) != 1:
        raise bad_input(where, name, "time stamps that increase in steps of 1 ms to 1 s", f"steps of {step:g}")
    return values * fitting[0]


def frame_numbers(table: Table, where: Path) -> list[int] | None:
    """The column of frame numbers; None if there is none. Raises InputError."""
    found = [name for name in table.names if " ".join(words_of(name)) in _FRAME]
    if not found:
        return None
    values = table.numbers(where, (found[0],))[:, 0]
    if not np.isfinite(values).all() or (values != np.round(values)).any() or not (np.diff(values) > 0).all():
        raise bad_input(where, found[0], "whole numbers that increase", "others")
    return [int(value) for value in values]


def hands_in(names: Sequence[str]) -> dict[tuple[Side | None, str], Hand]:
    """The joints' columns by side and the words that all joints of a hand have: none for named joints."""
    points: dict[tuple[Side | None, tuple[str, ...]], dict[str, str]] = {}
    for name in names:
        if (found := axis_of(name)) is not None:
            side, words = taken_side(found[1])
            points.setdefault((side, tuple(words)), {})[found[0]] = name
    hands: dict[tuple[Side | None, str], Hand] = {}
    for (side, joint), axes in points.items():
        words = list(joint)
        if len(axes) < 3:
            continue
        columns = tuple(axes[axis] for axis in AXES)
        if hand_joint(words) is not None:
            hands.setdefault((side, ""), {})[" ".join(words)] = columns
        elif words and words[-1].isdigit():
            hands.setdefault((side, " ".join(words[:-1]) or "joint"), {})[words[-1]] = columns
    return {
        (side, kind): joints
        for (side, kind), joints in hands.items()
        if (len(joints) >= LEAST_NAMED if not kind else _is_order(joints))
    }


def _is_order(joints: Hand) -> bool:
    numbers = sorted(map(int, joints))
    return len(numbers) in COUNTS and numbers[-1] - numbers[0] == len(numbers) - 1 and numbers[0] in (0, 1)


def fits_table(source: Source) -> bool:
    content = source.content
    return isinstance(content, Table) and bool(content.names) and bool(hands_in(content.names))


def read_table(source: Source, reading: Reading) -> Tracked:
    """The hands of a table with names. Raises InputError."""
    where, table = source.path, source.content
    hands = hands_in(table.names)
    kinds = sorted({kind for _, kind in hands})
    if len(kinds) > 1:
        kind = reading.hand_key
        if kind not in kinds:
            raise bad_input(where, "--hand-key", f"one of {', '.join(map(repr, kinds))}, which all have joints", "none")
        hands = {key: joints for key, joints in hands.items() if key[1] == kind}
    names = [name for joints in hands.values() for columns in joints.values() for name in columns]
    rows = dict(zip(names, table.numbers(where, names).T, strict=True))
    said: list[str] = []
    tracks, sides = joints_in(where, hands, rows, reading, said)
    units = {unit for name in names if (found := axis_of(name)) and (unit := found[2])}
    scale = METRES[units.pop() if len(units) == 1 else reading.hand_unit]
    seconds, numbers = stamps(table, where), frame_numbers(table, where)
    index, fps, clock = np.arange(len(rows[names[0]])), None, None
    if seconds is not None:
        index, fps, gaps, clock = on_grid(where, seconds)
        said += gaps
    elif numbers is not None:
        grid, index = frame_grid(where, numbers)
        numbers = grid.tolist()
    track = np.full((len(tracks), int(index[-1]) + 1, 21, 3), np.nan)
    track[:, index] = scale * tracks
    return Tracked(
        format="plain",
        sides=sides,
        joints=track,
        fps=fps,
        numbers=np.array(numbers) if numbers is not None and len(numbers) == track.shape[1] else None,
        seconds=clock,
        said=tuple(dict.fromkeys(said)),
    )


def joints_in(
    where: Path,
    hands: dict[tuple[Side | None, str], Hand],
    rows: dict[str, np.ndarray],
    reading: Reading,
    said: list[str],
) -> tuple[Float[np.ndarray, "H T 21 3"], tuple[Side, ...]]:
    """The hands' joints from the columns by name, and their sides; what is assumed is added to `said`."""
    if any(side is None for side, _ in hands):
        sides = sides_of(where, reading.side, len(hands))
    else:
        sides = tuple(side for side, _ in hands if side is not None)
    return np.stack([_joints(where, kind, joints, rows, reading, said) for (_, kind), joints in hands.items()]), sides


def _joints(
    where: Path, kind: str, joints: Hand, rows: dict[str, np.ndarray], reading: Reading, said: list[str]
) -> Float[np.ndarray, "T 21 3"]:
    tracks = {words: np.stack([rows[name] for name in columns], axis=1) for words, columns in joints.items()}
    if kind:
        places = np.stack([tracks[word] for word in sorted(joints, key=int)], axis=1)
        found, order = to_openpose(where, places, reading.joint_order)
        said.append(f"joints in the order {order}")
        return found
    found = np.full((len(next(iter(tracks.values()))), 21, 3), np.nan)
    for words, track in tracks.items():
        joint = hand_joint(words.split())
        if joint is not None and joint != ABSENT:
            if np.isfinite(found[:, joint]).any():
                raise bad_input(where, words, "one joint of this meaning", "two")
            found[:, joint] = track
    said.append("joints by their names")
    return found
