"""A sequence from arrays in memory, and back: the calls for trackers, gloves and other people's code."""

# Annotations stay text, so that help() prints ArrayLike by its name and not by all that it stands for.
from __future__ import annotations

from collections.abc import Sequence as ListLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toch_jax.errors import bad_input
from toch_jax.sequence.record import FORMAT, HAND_DATA, VERSION, record_from_sequence, sequence_from_record
from toch_jax.sequence.types import Sequence

PER_HAND = (
    *("hand_side", "hand_valid", "hand_joint_sigma"),
    *(prefix + name for prefix in ("hand_", "truth_") for name in HAND_DATA),
)
"""Keys whose arrays have the axis H."""
PER_PART = ("object_rotation", "object_translation")
"""Keys whose arrays have the axis P."""


def sequence_from_arrays(
    *,
    fps: float | int,
    hand_side: str | ListLike[str] | np.ndarray,
    object_vertices: ArrayLike,
    object_faces: ArrayLike,
    object_rotation: ArrayLike,
    object_translation: ArrayLike,
    object_vertex_part: ArrayLike | None = None,
    hand_model: str | None = None,
    hand_valid: ArrayLike | None = None,
    hand_global_orient: ArrayLike | None = None,
    hand_pose: ArrayLike | None = None,
    hand_transl: ArrayLike | None = None,
    hand_betas: ArrayLike | None = None,
    hand_joints: ArrayLike | None = None,
    hand_vertices: ArrayLike | None = None,
    hand_vertex_order: str | None = None,
    hand_joint_sigma: ArrayLike | None = None,
    truth_global_orient: ArrayLike | None = None,
    truth_pose: ArrayLike | None = None,
    truth_transl: ArrayLike | None = None,
    truth_betas: ArrayLike | None = None,
    truth_joints: ArrayLike | None = None,
    truth_vertices: ArrayLike | None = None,
    truth_vertex_order: str | None = None,
    where: str = "sequence_from_arrays",
) -> Sequence:
    """The sequence of these arrays, checked. Metres, radians, seconds; world = R v + t. T frames.

    Every argument is the key of that name of the sequence file (docs/sequence_file.md), with its shape. Beyond that:

    - `hand_side` "right" or "left" means one hand, and all arrays of the hand go without the axis H: `hand_joints`
      (T, 21, 3) in OpenPose order, `hand_vertices` (T, K, 3), `hand_valid` (T,). A list of sides means arrays with it.
    - Rotations are axis-angle or matrices: `object_rotation` and `hand_global_orient` (T, 3) or (T, 3, 3), `hand_pose`
      (T, 45) or (T, 15, 3, 3).
    - The object's motion goes without the axis P, (T, 3), where it is one rigid part, or with it, (P, T, 3).

    MANO's 48 numbers are `hand_global_orient`, the first 3, and `hand_pose`, the other 45, absolute: where a tracker
    has its pose relative to MANO's mean, add the mean. Raises InputError that begins with `where`.
    """
    given = {key: value for key, value in locals().items() if value is not None and key != "where"}
    record = {key: np.asarray(value) for key, value in given.items()}
    one_hand = isinstance(hand_side, str)
    leading = 1 if one_hand else 2
    for prefix in ("hand_", "truth_"):
        if (key := f"{prefix}global_orient") in record:
            record[key] = _axis_angle(where, key, record[key], (3,), leading)
        if (key := f"{prefix}pose") in record:
            record[key] = _axis_angle(where, key, record[key], (15, 3), leading)
    one_part = record["object_translation"].ndim == 2
    leading = record["object_translation"].ndim - 1
    record["object_rotation"] = _axis_angle(where, "object_rotation", record["object_rotation"], (3,), leading)
    record |= {key: record[key][None] for key in PER_HAND if one_hand and key in record}
    record |= {key: record[key][None] for key in PER_PART if record[key].ndim == 2}
    record |= {"format": np.array(FORMAT), "version": np.array(VERSION)}
    return sequence_from_record(where, record).replace(hand_axis=not one_hand, part_axis=not one_part)


def arrays_from_sequence(sequence: Sequence) -> dict[str, Any]:
    """The inverse of `sequence_from_arrays`: its arguments by name, as new numpy arrays (float32, int32, bool).

    Axes and order are those that went in: joints and their sigma in OpenPose order, no axis of hands where `hand_side`
    was a plain "right" or "left" (it is again), none of parts where the object's motion had none. Rotations are
    axis-angle, however they were given. `fps` is a float; `hand_model`, `hand_vertex_order` and the side of one hand
    are text. Also there: `hand_valid`, and after `refine` what it found (`hand_global_orient`, `hand_pose`,
    `hand_transl`, `hand_betas`, `hand_joints`, `hand_vertices`, `hand_joint_sigma`). A frame that the tracker lost
    holds finite numbers that mean nothing before `refine`.
    """
    record = record_from_sequence(sequence)
    del record["format"], record["version"]
    if not sequence.hand_axis and len(sequence.hand_side) == 1:
        record |= {key: record[key][0] for key in PER_HAND if key in record}
    if not sequence.part_axis:
        record |= {key: record[key][0] for key in PER_PART}
    return {key: value.item() if value.ndim == 0 else value.copy() for key, value in record.items()}


def _axis_angle(where: str, key: str, rotation: np.ndarray, shape: tuple[int, ...], leading: int) -> np.ndarray:
    """Rotations after `leading` axes: axis-angle as it came; matrices, of `shape` (..., 3) and 3 more, as axis-angle.

    What is neither is left to be refused with the file's words. NaN stays.
    """
    if rotation.ndim != leading + len(shape) + 1 or rotation.shape[-2:] != (3, 3) or rotation.dtype.kind not in "fiu":
        return rotation
    count = int(np.prod(shape[:-1]))
    if len(shape) > 1 and rotation.shape[-3] != count:
        found = str(rotation.shape)
        if rotation.shape[-3] == count + 1:
            found += f": the first of the 16 is the wrist's, {key.replace('pose', 'global_orient')}"
        raise bad_input(where, key, f"{count} matrices, one for each joint of the fingers", found)
    matrices = rotation.reshape(-1, 3, 3).astype(np.float64)
    known = np.isfinite(matrices).all(axis=(1, 2))
    off = np.abs(matrices @ np.swapaxes(matrices, 1, 2) - np.eye(3))[known].max(initial=0.0)
    if off > 1e-3 or (np.linalg.det(matrices[known]) < 0).any():
        raise bad_input(where, key, "rotation matrices", f"matrices that are {off:.2g} off, or mirrors")
    vectors = np.full((len(matrices), 3), np.nan)
    if known.any():
        vectors[known] = Rotation.from_matrix(matrices[known]).as_rotvec()
    return vectors.reshape(*rotation.shape[:leading], 3 * count)
