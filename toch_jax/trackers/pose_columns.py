"""Object poses in a table with a line of names: rotation and translation by the names of the columns.

| columns | meaning |
| --- | --- |
| x, y, z; tx, ty, tz; px, py, pz; position_x, trans.y, ... | translation, with a unit after it or not: tx [mm] |
| qw, qx, qy, qz; quat_w, orientation.x, rotation_w, ... | a quaternion; the names tell its order |
| rotvec_x, rvec_y, axis_angle_z | a rotation vector, radians |
| rx, ry, rz; rotation_x, ... without w | the same with `--object-rotation axis-angle`: they are often Euler angles |
| r00 to r22, or r11 to r33; m00 to m33 | a matrix, row and column |

One object's columns may have a word before or after them (mug_tx); of several `--object-key` is the one to be read.
Columns of time and of frame numbers are those of `columns`. Euler angles are not read: their order is in no name.
"""

from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.columns import AXES, axis_of, frame_numbers, stamps
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.joint_names import words_of
from toch_jax.trackers.pose_forms import ObjectPoses, matrices
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import Table

_SHORT = {"t": "place", "p": "place", "q": "quaternion", "r": "turn"}
_WORDS = {word: "place" for word in ("t", "p", "pos", "position", "trans", "transl", "translation", "location")}
_WORDS |= {word: "quaternion" for word in ("q", "quat", "quaternion", "orientation", "ori")}
_WORDS |= {word: "turn" for word in ("r", "rot", "rotation")} | {"rotvec": "vector", "rvec": "vector"}
_PLAIN = {"object", "obj", "pose"}

Part = tuple[str, str]
"""Kind ("place", "quaternion", "turn", "vector", "matrix") and axis or row and column."""


def has_names(table: Table) -> bool:
    """Whether the columns are named as parts of a pose, all of one or not: others are told by their number."""
    return any(_part(name) is not None for name in table.names)


def read_columns(where: Path, table: Table, reading: Reading) -> ObjectPoses:
    """The poses of one object. Raises InputError."""
    objects = _objects(table)
    if not objects:
        expected = "columns of a translation and a rotation (quaternion, rotation vector or matrix)"
        raise bad_input(where, "object poses", expected, ", ".join(table.names))
    key = reading.object_key or (next(iter(objects)) if len(objects) == 1 else None)
    if key not in objects:
        names = ", ".join(name or "(no name)" for name in objects)
        raise bad_input(where, "--object-key", f"one of the objects {names}", reading.object_key or "nothing")
    parts = objects[key]
    rows = dict(zip(parts, table.numbers(where, list(parts.values())).T, strict=True))
    place = np.stack([rows["place", axis] for axis in AXES], axis=1)
    units = {unit for axis in AXES if (found := axis_of(parts["place", axis])) and (unit := found[2])}
    if len(units) == 1:
        place = place * METRES[units.pop()] / METRES[reading.object_unit]
    poses = _with_rotation(where, rows, place, reading)
    seconds, numbers = stamps(table, where), frame_numbers(table, where)
    if seconds is not None and len(seconds) > 1:
        if not (np.diff(seconds) > 0).all():
            raise bad_input(where, "time stamps", "each after the one before", "others")
        return ObjectPoses(poses, None, seconds=seconds)
    if numbers is None:
        return ObjectPoses(poses, None)
    every, index = frame_grid(where, numbers)
    numbered = np.full((len(every), 4, 4), np.nan)
    numbered[index] = poses
    return ObjectPoses(numbered, every)


def _with_rotation(where: Path, rows: dict[Part, np.ndarray], place: np.ndarray, reading: Reading) -> np.ndarray:
    kinds = {kind for kind, _ in rows}
    asked = reading.object_rotation
    if "matrix" in kinds:
        turn = np.stack([rows["matrix", f"{row}{column}"] for row in range(3) for column in range(3)], axis=1)
        whole = np.concatenate([turn.reshape(-1, 3, 3), place[..., None]], axis=2)
        return matrices(where, whole.reshape(-1, 12), reading)
    if "quaternion" in kinds:
        if asked not in (None, "xyzw", "wxyz"):
            raise bad_input(where, "--object-rotation", "none, as the columns are a quaternion's", asked)
        turn = np.stack([rows["quaternion", axis] for axis in "xyzw"], axis=1)
        named = Reading(object_rotation="xyzw", object_unit=reading.object_unit)
        return matrices(where, np.concatenate([place, turn], axis=1), named)
    if "vector" not in kinds and asked != "axis-angle":
        expected = "--object-rotation axis-angle (radians) for columns like rx; Euler angles are not read"
        raise bad_input(where, "object rotation", expected, asked or "nothing")
    kind = "vector" if "vector" in kinds else "turn"
    turn = np.stack([rows[kind, axis] for axis in AXES], axis=1)
    return matrices(where, np.concatenate([turn, place], axis=1), reading)


def _objects(table: Table) -> dict[str, dict[Part, str]]:
    """The names of the columns of each object that has a translation and a rotation."""
    found: dict[str, dict[Part, str]] = {}
    for name in table.names:
        part = _part(name)
        if part is not None:
            found.setdefault(part[1], {})[part[0]] = name
    return {key: _whole(parts) for key, parts in found.items() if _whole(parts)}


def _part(name: str) -> tuple[Part, str] | None:
    """What the column is of an object, and the object's name; None for other columns."""
    words = [word for word in words_of(name) if word not in _PLAIN]
    if len(words) > 1 and words[-1] in METRES and len(words[-2]) <= 2:
        words = words[:-1]
    if not words:
        return None
    *rest, last = words
    if len(last) == 2 and last.isdigit() and rest and rest[-1] in ("r", "m", "rot", "rotation", "matrix"):
        return ("matrix", last), " ".join(rest[:-1])
    if len(last) == 2 and last[0] in _SHORT and last[1] in "wxyz":
        return (_SHORT[last[0]], last[1]), " ".join(rest)
    if last not in ("w", *AXES):
        return None
    if rest[-2:] == ["axis", "angle"]:
        return ("vector", last), " ".join(rest[:-2])
    kind = next((word for word in rest if word in _WORDS), None)
    if kind is not None:
        rest = [word for word in rest if word != kind]
    return (_WORDS.get(kind or "p", "place"), last), " ".join(rest)


def _whole(parts: dict[Part, str]) -> dict[Part, str]:
    """The parts of a pose, rows and columns counted from 0; none if it is not whole."""
    taken = {kind: {which: name for (each, which), name in parts.items() if each == kind} for kind, _ in parts}
    if "w" in taken.get("turn", {}):
        taken["quaternion"] = taken.pop("turn")
    entries = taken.pop("matrix", {})
    first = 0 if any("0" in entry for entry in entries) else 1
    turn = {f"{int(entry[0]) - first}{int(entry[1]) - first}": name for entry, name in entries.items()}
    if all(f"{row}3" in turn for row in range(3)) and "place" not in taken:
        taken["place"] = {axis: turn[f"{row}3"] for row, axis in enumerate(AXES)}
    wanted = {"matrix": [f"{row}{column}" for row in range(3) for column in range(3)], "quaternion": list("xyzw")}
    for kind in ("matrix", "quaternion", "vector", "turn"):
        given = turn if kind == "matrix" else taken.get(kind, {})
        names = wanted.get(kind, list(AXES))
        if set(names) <= given.keys() and set(AXES) <= taken.get("place", {}).keys():
            place = {("place", axis): taken["place"][axis] for axis in AXES}
            return place | {(kind, which): given[which] for which in names}
    return {}
