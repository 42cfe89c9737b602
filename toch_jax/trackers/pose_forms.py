"""Object poses as matrices, from each of the forms in which files have them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.trackers.detections import rotation_vectors
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import array

UNIT = 1e-2
"""Largest difference of a quaternion's length from 1."""


@dataclass(frozen=True)
class ObjectPoses:
    """Object to the frame of reference of its file, metres; NaN where lost."""

    matrices: Float[np.ndarray, "T 4 4"] | Float[np.ndarray, "P T 4 4"]
    numbers: Int[np.ndarray, "T"] | None
    """Each frame's number, where the file has it."""
    said: tuple[str, ...] = ()
    seconds: Float[np.ndarray, "T"] | None = None
    """The file's time of each frame, where it has stamps."""


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
            return joined(where, found[:, :3, :3].swapaxes(1, 2), found[:, 3, :3], reading)
        return joined(where, turns(where, found[:, :3, :3], reading), found[:, :3, 3], reading)
    if found.shape[1] == 6:
        if reading.object_rotation not in (None, "axis-angle"):
            raise bad_input(where, "--object-rotation", "axis-angle, for rows of 6 numbers", reading.object_rotation)
        return joined(where, turns(where, found[:, :3], reading), found[:, 3:], reading)
    first = _is_unit(found[:, :4])
    if first == _is_unit(found[:, 3:]):
        which = "both the first and the last" if first else "neither the first nor the last"
        raise bad_input(
            where, "object poses", "a quaternion of length 1 and a translation", f"{which} four of length 1"
        )
    turn, place = (found[:, :4], found[:, 4:]) if first else (found[:, 3:], found[:, :3])
    return joined(where, turns(where, turn, reading), place, reading)


def _is_unit(rows: Float[np.ndarray, "T 4"]) -> bool:
    lengths = np.linalg.norm(rows, axis=1)
    given = np.isfinite(lengths) & (lengths > 0)
    return bool(given.any() and np.abs(lengths[given] - 1).max() < UNIT)


def turns(where: str | Path, rotation: np.ndarray, reading: Reading) -> Float[np.ndarray, "T 3 3"]:
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


def joined(
    where: str | Path, rotation: Float[np.ndarray, "T 3 3"], translation: Float[np.ndarray, "T2 3"], reading: Reading
) -> Float[np.ndarray, "T 4 4"]:
    """Matrices, metres; NaN where lost. Raises InputError for lengths that differ."""
    if len(rotation) != len(translation):
        counts = f"{len(rotation)} and {len(translation)}"
        raise bad_input(where, "object poses", "as many rotations as translations", counts)
    found = np.tile(np.eye(4), (len(rotation), 1, 1))
    found[:, :3, :3], found[:, :3, 3] = rotation, translation * METRES[reading.object_unit]
    found[~np.isfinite(found).all(axis=(1, 2))] = np.nan
    return found
