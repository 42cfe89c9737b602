"""A sequence from arrays in memory: the call for trackers, gloves and other people's code."""

from collections.abc import Sequence as ListLike

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from toch_jax.errors import bad_input
from toch_jax.sequence.record import FORMAT, HAND_DATA, VERSION, sequence_from_record
from toch_jax.sequence.types import Sequence


def sequence_from_arrays(
    *,
    fps: float,
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
    """Every argument is the key of that name of the file (sequence/file.py), with its shape, and is checked as there.

    Easier than there: with `hand_side` a plain "right" or "left" the arrays of the hand go without the H axis; the
    object's motion may go without the P axis, (T, 3); its rotation may be matrices, (T, 3, 3) or (P, T, 3, 3).
    Raises InputError that begins with `where`.
    """
    given = {key: value for key, value in locals().items() if value is not None and key != "where"}
    record = {key: np.asarray(value) for key, value in given.items()}
    record |= {"format": np.array(FORMAT), "version": np.array(VERSION)}
    if isinstance(hand_side, str):
        per_hand = ["hand_side", "hand_valid", "hand_joint_sigma"]
        per_hand += [prefix + name for prefix in ("hand_", "truth_") for name in HAND_DATA]
        record |= {key: record[key][None] for key in per_hand if key in record}
    record["object_rotation"] = _axis_angle(where, record["object_rotation"], record["object_translation"].ndim)
    for key in ("object_rotation", "object_translation"):
        if record[key].ndim == 2:
            record[key] = record[key][None]
    return sequence_from_record(where, record)


def _axis_angle(where: str, rotation: np.ndarray, n_axes: int) -> np.ndarray:
    """Axis-angle has as many axes as the translation, matrices have one more."""
    if rotation.ndim != n_axes + 1 or rotation.shape[-2:] != (3, 3):
        return rotation
    matrices = rotation.reshape(-1, 3, 3).astype(np.float64)
    if not np.isfinite(matrices).all():
        raise bad_input(where, "object_rotation", "finite numbers", "some that are not")
    off = float(np.abs(matrices @ np.swapaxes(matrices, 1, 2) - np.eye(3)).max())
    if off > 1e-3 or (np.linalg.det(matrices) < 0).any():
        raise bad_input(where, "object_rotation", "rotation matrices", f"matrices that are {off:.2g} off, or mirrors")
    return Rotation.from_matrix(matrices).as_rotvec().reshape(rotation.shape[:-1])
