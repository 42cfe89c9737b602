"""The object's pose in each frame, from another program's file or folder.

- A folder with a file for each frame (FoundationPose's ob_in_cam: 4 x 4 numbers as text); frames without one are lost.
- .npy, .npz, JSON, a table or text with poses (T, 4, 4), (T, 3, 4), rows of 16 or 12 numbers (matrices), of 7 (a
  quaternion and a translation), of 6 (axis-angle, then translation), or with rotations and translations by name.
- GigaHands' optimized_pose.json.
- One pose alone is that of an object at rest.

A quaternion's order is never guessed; which four of seven numbers are the quaternion is seen by their length.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.trackers import gigahands
from toch_jax.trackers.detections import rotation_vectors
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import (
    Source,
    Table,
    array,
    frame_grid,
    frame_number,
    lengths,
    numbered,
    open_source,
    with_lost,
)

_ROTATION_KEYS = ("rotation", "quaternion", "orientation", "rot", "R", "q")
_TRANSLATION_KEYS = ("translation", "position", "transl", "trans", "pos", "t", "p")
_POSE_KEYS = ("pose", "matrix", "transform", "object_pose", "T")
FORMS = ("matrix", "rows", "axis-angle", "wxyz", "xyzw")
UNIT = 1e-2
"""Largest difference of a quaternion's length from 1."""


@dataclass(frozen=True)
class ObjectPoses:
    """Object to the frame of reference of its file, metres; NaN where lost."""

    matrices: Float[np.ndarray, "T 4 4"] | Float[np.ndarray, "P T 4 4"]
    numbers: Int[np.ndarray, "T"] | None
    """Each frame's number, where the file has it."""
    said: tuple[str, ...] = ()


def read_object_poses(path: Path, reading: Reading) -> ObjectPoses:
    """The poses in a file or folder. Raises InputError."""
    source = open_source(path)
    if source.is_folder:
        return _folder(source, reading)
    if gigahands.has_object_poses(source.content):
        numbers, matrices_of = gigahands.object_poses(source)
        return ObjectPoses(matrices_of, numbers)
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
    translation = array(where, place[0], record[place[0]], "T 3", "3")
    shapes = ("T 3 3", "T 4", "T 3") if translation.ndim == 2 else ("3 3", "4", "3")
    rotation = array(where, turn[0], record[turn[0]], *shapes)
    if translation.ndim == 1:
        rotation, translation = rotation[None], translation[None]
    return _joined(where, _turns(where, rotation, reading), translation, reading)


def matrices(where: str | Path, value: Any, reading: Reading) -> Float[np.ndarray, "T 4 4"]:
    """Poses in any of the forms, as matrices for column vectors, metres. Raises InputError."""
    found = array(where, "object poses", value, "T 4 4", "T 3 4", "4 4", "3 4", "T 16", "T 12", "T 7", "T 6", "N 4")
    if found.ndim == 2 and found.shape[1] == 4 and len(found) > 4:
        if len(found) % 4:
            raise bad_input(where, "object poses", "four lines of four numbers for each", f"{len(found)} lines")
        found = found.reshape(-1, 4, 4)
    if found.ndim == 2 and found.shape[1] in (16, 12):
        found = found.reshape(len(found), -1, 4)
    if found.shape in ((4, 4), (3, 4)):
        found = found[None]
    if found.ndim == 3:
        if reading.object_rotation == "rows" and found.shape[1] == 4 and np.nan_to_num(found[:, 3, :3]).any():
            # for row vectors the translation stands in the last row
            return _joined(where, found[:, :3, :3].swapaxes(1, 2), found[:, 3, :3], reading)
        return _joined(where, _turns(where, found[:, :3, :3], reading), found[:, :3, 3], reading)
    if found.shape[1] == 6:
        if reading.object_rotation not in (None, "axis-angle"):
            raise bad_input(where, "--object-rotation", "axis-angle, for rows of 6 numbers", reading.object_rotation)
        return _joined(where, _turns(where, found[:, :3], reading), found[:, 3:], reading)
    first = _is_unit(found[:, :4])
    if first == _is_unit(found[:, 3:]):
        which = "both the first and the last" if first else "neither the first nor the last"
        raise bad_input(
            where, "object poses", "a quaternion of length 1 and a translation", f"{which} four of length 1"
        )
    turn, place = (found[:, :4], found[:, 4:]) if first else (found[:, 3:], found[:, :3])
    return _joined(where, _turns(where, turn, reading), place, reading)


def _is_unit(rows: Float[np.ndarray, "T 4"]) -> bool:
    lengths = np.linalg.norm(rows, axis=1)
    given = np.isfinite(lengths) & (lengths > 0)
    return bool(given.any() and np.abs(lengths[given] - 1).max() < UNIT)


def _turns(where: str | Path, rotation: np.ndarray, reading: Reading) -> Float[np.ndarray, "T 3 3"]:
    """Matrices for column vectors from (T, 3, 3), (T, 4) or (T, 3); NaN where lost."""
    form = reading.object_rotation
    if rotation.ndim == 3:
        if form in ("axis-angle", "wxyz", "xyzw"):
            raise bad_input(where, "--object-rotation", "matrix or rows, for matrices", form)
        rotation = rotation_vectors(where, "object rotation", rotation)
        known, build = np.isfinite(rotation).all(axis=1), Rotation.from_rotvec
    elif rotation.shape[1] == 4:
        if form not in ("wxyz", "xyzw"):
            raise bad_input(where, "--object-rotation", "wxyz or xyzw, for quaternions", form or "nothing")
        rotation = np.roll(rotation, -1, axis=1) if form == "wxyz" else rotation
        known, build = np.abs(np.linalg.norm(rotation, axis=1) - 1) < 0.1, Rotation.from_quat
    else:
        known, build = np.isfinite(rotation).all(axis=1), Rotation.from_rotvec
    found = np.full((len(rotation), 3, 3), np.nan)
    if known.any():
        found[known] = build(rotation[known]).as_matrix()
    return found.swapaxes(1, 2) if form == "rows" else found


def _joined(
    where: str | Path, rotation: Float[np.ndarray, "T 3 3"], translation: Float[np.ndarray, "T2 3"], reading: Reading
) -> Float[np.ndarray, "T 4 4"]:
    if len(rotation) != len(translation):
        counts = f"{len(rotation)} and {len(translation)}"
        raise bad_input(where, "object poses", "as many rotations as translations", counts)
    found = np.tile(np.eye(4), (len(rotation), 1, 1))
    found[:, :3, :3], found[:, :3, 3] = rotation, translation * METRES[reading.object_unit]
    found[~np.isfinite(found).all(axis=(1, 2))] = np.nan
    return found
