"""A sequence from arrays in memory, and arrays from a sequence: for trackers, gloves and other programs."""

# Annotations stay text, so that help() prints `ArrayLike` and not its long definition.
from __future__ import annotations

from collections.abc import Sequence as ListLike
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.sequence.record import FORMAT, HAND_DATA, VERSIONS, record_from_sequence, sequence_from_record
from toch_jax.sequence.types import Sequence

PER_HAND = (
    *("hand_side", "hand_valid", "hand_joint_sigma"),
    *(prefix + name for prefix in ("hand_", "truth_") for name in HAND_DATA),
)
"""Keys whose arrays have the axis H."""
PER_PART = ("object_rotation", "object_translation", "object_pose_sigma")
"""Keys whose arrays have the axis P; `object_valid` may always be without it."""
ORTHOGONAL = 1e-3
"""Largest difference allowed between R R^T of a rotation matrix and the identity, in any entry; chosen by hand."""


class _Axes(NamedTuple):
    """The leading axes of an array."""

    names: tuple[str, ...]
    """Letters as in the sequence file; the last is "T"."""
    n_frames: int
    why: str
    """The reason for these axes, as error messages give it."""


def sequence_from_arrays(
    *,
    fps: float | int,
    hand_side: str | ListLike[str] | np.ndarray,
    object_vertices: ArrayLike,
    object_faces: ArrayLike,
    object_rotation: ArrayLike,
    object_translation: ArrayLike,
    object_vertex_part: ArrayLike | None = None,
    object_valid: ArrayLike | None = None,
    object_pose_sigma: ArrayLike | None = None,
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
    camera_intrinsics: ArrayLike | None = None,
    camera_rotation: ArrayLike | None = None,
    camera_translation: ArrayLike | None = None,
    where: str = "sequence_from_arrays",
) -> Sequence:
    """A checked Sequence from arrays. Metres, radians, frames per second; world = R v + t; T frames.

    Each argument has the name, meaning and shape of a key of the sequence file (docs/sequence_file.md), except that:

    - With `hand_side` "right" or "left" there is one hand, and its arrays have no axis H: `hand_joints` (T, 21, 3) in
      OpenPose order, `hand_vertices` (T, K, 3), `hand_valid` (T,). With a list of sides the arrays have the axis H.
    - Rotations are axis-angle or matrices: `object_rotation` and `hand_global_orient` (T, 3) or (T, 3, 3), `hand_pose`
      (T, 45) or (T, 15, 3, 3).
    - A frame whose matrices are all zero counts as lost, like a frame of NaN.
    - The motion of a rigid object may omit the axis P: (T, 3) instead of (P, T, 3).
    - `camera_rotation` is axis-angle or matrices: (3, 3) or (T, 3, 3).

    Of MANO's 48 pose numbers the first 3 are `hand_global_orient` and the other 45 `hand_pose`. The pose is absolute:
    add MANO's mean pose to a pose that is relative to it. Raises InputError, whose message begins with `where`.
    """
    given = {key: value for key, value in locals().items() if value is not None and key != "where"}
    record = {key: np.asarray(value) for key, value in given.items()}
    one_hand = isinstance(hand_side, str)
    moved = record["object_translation"]
    n_frames = moved.shape[-2] if moved.ndim > 1 else 0
    axes = _Axes(("T",) if one_hand else ("H", "T"), n_frames, f"hand_side is {hand_side!r}")
    for name, shape in (("global_orient", (3,)), ("pose", (15, 3))):
        if (key := f"hand_{name}") in record:
            observed = record.get("hand_valid", np.array(True))
            record[key] = _axis_angle(where, key, record[key], shape, axes, observed)
        if (key := f"truth_{name}") in record:
            record[key] = _axis_angle(where, key, record[key], shape, axes)
    one_part = moved.ndim == 2
    if moved.ndim in (2, 3):
        names = ("T",) if one_part else ("P", "T")
        axes = _Axes(names, n_frames, f"object_translation has the shape {moved.shape}")
        tracked = record.get("object_valid", np.array(True))
        record["object_rotation"] = _axis_angle(
            where, "object_rotation", record["object_rotation"], (3,), axes, tracked
        )
    if "camera_rotation" in record:
        record["camera_rotation"] = _camera_rotation(where, record["camera_rotation"], n_frames)
    record |= {key: record[key][None] for key in PER_HAND if one_hand and key in record}
    record |= {key: record[key][None] for key in PER_PART if key in record and record[key].ndim == 2}
    record |= {"format": np.array(FORMAT), "version": np.array(VERSIONS[-1])}
    found = sequence_from_record(where, record, mend_scale="object_vertices *")
    return found.replace(hand_axis=not one_hand, part_axis=not one_part)


def arrays_from_sequence(sequence: Sequence) -> dict[str, Any]:
    """The inverse of `sequence_from_arrays`: its arguments by name, as new numpy arrays (float32, int32, bool).

    The axes are those of the input: no axis H where `hand_side` was a single "right" or "left", no axis P where the
    object's motion had none. Joints and their sigma are in OpenPose order. Rotations are always axis-angle. `fps` is a
    float; `hand_model`, `hand_vertex_order` and the side of a single hand are strings. `hand_valid` is always
    included, and after `refine` so are its results (`hand_global_orient`, `hand_pose`, `hand_transl`, `hand_betas`,
    `hand_joints`, `hand_vertices`, `hand_joint_sigma`, `object_pose_sigma`). Before `refine`, frames that the tracker
    lost hold finite placeholder values.
    """
    record = record_from_sequence(sequence)
    del record["format"], record["version"]
    if not sequence.hand_axis and len(sequence.hand_side) == 1:
        record |= {key: record[key][0] for key in PER_HAND if key in record}
    if not sequence.part_axis:
        record |= {key: record[key][0] for key in (*PER_PART, "object_valid") if key in record}
    return {key: value.item() if value.ndim == 0 else value.copy() for key, value in record.items()}


def _camera_rotation(where: str, rotation: np.ndarray, n_frames: int) -> np.ndarray:
    """The camera's rotation as axis-angle, (3,) or (T, 3). (3, 3) are axis-angle of three frames, or one matrix."""
    one_matrix = rotation.shape == (3, 3) and not (n_frames == 3 and _no_rotation(rotation, np.array(True)))
    fixed = _Axes((), n_frames, "the camera rests")
    moving = _Axes(("T",), n_frames, "the camera moves")
    return _axis_angle(where, "camera_rotation", rotation, (3,), fixed if one_matrix else moving)


def _axis_angle(
    where: str,
    key: str,
    rotation: np.ndarray,
    shape: tuple[int, ...],
    axes: _Axes,
    observed: np.ndarray | None = None,
) -> np.ndarray:
    """Rotations as axis-angle, (*leading axes, 3 * joints) with `shape` (3,) or (joints, 3).

    Axis-angle input is returned as it is, and so is input that is neither axis-angle nor matrices: the checks of the
    sequence file refuse it later. Raises InputError for matrices of the wrong shape and for matrices that are no
    rotations. Matrices with NaN become NaN. If `observed` is given, frames that it marks as lost and frames whose
    matrices are all zero become NaN.
    """
    leading, count = len(axes.names), int(np.prod(shape[:-1]))
    if rotation.dtype.kind not in "fiu" or rotation.shape[-2:] != (3, 3):
        return rotation
    if rotation.ndim == leading + 1 and axes.n_frames == 3:  # three frames of axis-angle
        return rotation
    if rotation.ndim != leading + len(shape) + 1:
        flat, full = (", ".join(map(str, (*axes.names, *end))) for end in ((3 * count,), (*shape, 3)))
        raise bad_input(where, key, f"shape ({flat}) or ({full}), as {axes.why}", str(rotation.shape))
    if len(shape) > 1 and rotation.shape[-3] != count:
        found = str(rotation.shape)
        if rotation.shape[-3] == count + 1:
            found += f": the first of the 16 is the wrist's, {key.replace('pose', 'global_orient')}"
        raise bad_input(where, key, f"{count} matrices, one for each joint of the fingers", found)
    matrices = rotation.astype(np.float64)
    usable = np.asarray(np.isfinite(matrices).all(axis=(-2, -1)))
    if observed is not None:
        frames = rotation.shape[:leading]
        lost = (matrices == 0).all(axis=tuple(range(leading, matrices.ndim)))
        if observed.dtype.kind == "b" and observed.shape in ((), frames):
            lost |= ~observed
        usable &= ~lost.reshape(*frames, *[1] * (usable.ndim - leading))
    fault = _no_rotation(matrices, usable)
    if fault is not None:
        index, what = fault
        names = ", ".join({"H": "hand", "P": "part", "T": "frame"}[axis] for axis in axes.names)
        names += ", joint" if len(shape) > 1 else ""
        raise bad_input(where, key, "rotation matrices", f"{what} in {key}{list(index)} ({names})")
    vectors = np.full(matrices.shape[:-1], np.nan)
    if usable.any():
        vectors[usable] = Rotation.from_matrix(matrices[usable]).as_rotvec()
    return vectors.reshape(*rotation.shape[:leading], 3 * count)


def _no_rotation(
    matrices: Float[np.ndarray, "*n 3 3"], usable: Bool[np.ndarray, "*n"]
) -> tuple[tuple[int, ...], str] | None:
    """The index of the first matrix in `usable` that is not a rotation, and the reason; None if all are rotations."""
    matrices = np.where(usable[..., None, None], matrices, np.eye(3))
    off = np.abs(matrices @ np.swapaxes(matrices, -1, -2) - np.eye(3)).max(axis=(-2, -1))
    mirrors = np.linalg.det(matrices) < 0
    wrong = np.argwhere((off > ORTHOGONAL) | mirrors)
    if not len(wrong):
        return None
    index = tuple(wrong[0].tolist())
    if off[index] > ORTHOGONAL:
        return index, f"one that is not orthogonal (R R^T differs from the identity by {off[index]:.2g})"
    return index, "a mirror (determinant -1)"
