"""The object's pose in each frame, from another program's file or folder.

- A folder with a file for each frame (FoundationPose's ob_in_cam: 4 x 4 numbers as text); frames without one are lost.
- .npy, .npz, JSON, a table or text with poses (T, 4, 4), (T, 3, 4), rows of 16 or 12 numbers (matrices), of 7 (a
  quaternion and a translation), of 8 (a time stamp before these), of 6 (axis-angle, then translation), or with
  rotations and translations by name; tables with a line of names are read by `pose_columns`.
- GigaHands' optimized_pose.json.
- One pose alone is that of an object at rest.

A quaternion's order is never guessed; which four of seven numbers are the quaternion is seen by their length.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.trackers import gigahands
from toch_jax.trackers.frame_numbers import frame_grid, frame_number, numbered
from toch_jax.trackers.pose_columns import has_names, read_columns
from toch_jax.trackers.pose_forms import ObjectPoses, joined, matrices, turns
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, Table, array, lengths, open_source, with_lost

_ROTATION_KEYS = ("rotation", "quaternion", "orientation", "rot", "R", "q")
_TRANSLATION_KEYS = ("translation", "position", "transl", "trans", "pos", "t", "p")
_POSE_KEYS = ("pose", "matrix", "transform", "object_pose", "T")


def read_object_poses(path: Path, reading: Reading) -> ObjectPoses:
    """The poses in a file or folder. Raises InputError."""
    source = open_source(path)
    if source.is_folder:
        return _folder(source, reading)
    if gigahands.has_object_poses(source.content):
        numbers, matrices_of = gigahands.object_poses(source)
        return ObjectPoses(matrices_of, numbers)
    table = source.content if isinstance(source.content, Table) else None
    if table is not None and has_names(table):
        return read_columns(path, table, reading)
    if table is not None and (rows := table.numbers(path)).shape[1] == 8:
        # a trajectory with a time stamp, in seconds, before each quaternion and translation (TUM's RGB-D benchmark)
        if not (np.diff(rows[:, 0]) > 0).all():
            raise bad_input(path, "time stamps", "a first column that increases, of rows of 8 numbers", "another")
        return ObjectPoses(matrices(path, rows[:, 1:], reading), None, seconds=rows[:, 0])
    return ObjectPoses(poses_in(path, _value(source, reading), reading), None)


def poses_in(where: str | Path, value: Any, reading: Reading) -> Float[np.ndarray, "T 4 4"]:
    """The poses in an array, a dict of arrays, or a list with a record for each frame. Raises InputError."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        lost = np.full((4, 4), np.nan)
        return np.stack([lost if each is None else _record(where, each, reading)[0] for each in value])
    if isinstance(value, dict):
        return _record(where, value, reading)
    return matrices(where, with_lost(value), reading)


def _folder(source: Source, reading: Reading) -> ObjectPoses:
    files = [child for child in source.content.values() if child.suffix in (".txt", ".npy", ".json")]
    numbers = [frame_number(file.name) for file in files]
    if not files or any(number is None for number in numbers):
        raise bad_input(source.path, "--object-poses", "files with numbers in their names (.txt, .npy, .json)", "none")
    every, index = frame_grid(source.path, [int(number or 0) for number in numbers])
    found = np.full((len(every), 4, 4), np.nan)
    for frame, file in zip(index, files, strict=True):
        each = open_source(file)
        value = _value(each, reading)
        pose = _record(file, value, reading) if isinstance(value, dict) else matrices(file, value, reading)
        found[frame] = pose[0]
    return ObjectPoses(found, every)


def _value(source: Source, reading: Reading) -> Any:
    content = source.content
    if isinstance(content, Table):
        return content.numbers(source.path)
    if isinstance(content, dict) and reading.object_key is not None:
        if reading.object_key not in content:
            expected = f"one of its keys: {', '.join(map(str, content))}"
            raise bad_input(source.path, "--object-key", expected, reading.object_key)
        return content[reading.object_key]
    if isinstance(content, dict) and content and all(str(key).isdigit() for key in content):
        return list(numbered(source.path, content).values())
    return content


def _record(where: str | Path, record: Any, reading: Reading) -> Float[np.ndarray, "T 4 4"]:
    """The poses of a dict with a matrix, or with a rotation and a translation."""
    if not isinstance(record, dict):
        raise bad_input(where, "object poses", "a record for each frame", type(record).__name__)
    whole = [key for key in _POSE_KEYS if key in record]
    if len(whole) == 1:
        return matrices(where, record[whole[0]], reading)
    turn, place = ([key for key in keys if key in record] for keys in (_ROTATION_KEYS, _TRANSLATION_KEYS))
    if len(turn) != 1 or len(place) != 1:
        arrays = [key for key, value in record.items() if lengths(value)[1:] == (4, 4)]
        if len(arrays) == 1:
            return matrices(where, record[arrays[0]], reading)
        expected = "one array of poses, or rotation and translation (--object-key KEY)"
        raise bad_input(where, "object poses", expected, ", ".join(map(str, record)) or "none")
    if isinstance(named := record[turn[0]], dict) and set(named) == set("xyzw"):
        record = record | {turn[0]: [named[axis] for axis in "xyzw"]}
        reading = replace(reading, object_rotation="xyzw")
    if isinstance(named := record[place[0]], dict) and set(named) == set("xyz"):
        record = record | {place[0]: [named[axis] for axis in "xyz"]}
    translation = array(where, place[0], record[place[0]], "T 3", "3")
    shapes = ("T 3 3", "T 4", "T 3") if translation.ndim == 2 else ("3 3", "4", "3")
    rotation = array(where, turn[0], record[turn[0]], *shapes)
    if translation.ndim == 1:
        rotation, translation = rotation[None], translation[None]
    return joined(where, turns(where, rotation, reading), translation, reading)
