"""Arrays of joints or of MANO's vertices in the user's own file, the other way round than trackers/plain.py reads them.

`--like` is that file: its keys, the shape and type of its arrays, its unit (`--unit`) and the order of its joints
(`--joint-order`, else by their number) are kept. Joints that the hand's 21 do not include (metacarpals, palm, forearm)
move with the palm; bone lengths are the file's (exporters/own_skeleton.py). An array (T, 4, 4) gets the object's
repaired poses.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_text
from toch_jax.exporters.keypoints import joints_of, object_matrices
from toch_jax.exporters.like import like_tracked, reading_of, write_content
from toch_jax.exporters.mano import hide_lost, lost_remark
from toch_jax.exporters.own_skeleton import bones_remark, palm_motion, with_own_bones
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.joint_orders import ABSENT, indices_of
from toch_jax.trackers.plain import N_MANO, arrays_of, hand_keys, with_hands
from toch_jax.trackers.reading import METRES
from toch_jax.trackers.source import Table


def write_plain(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the user's own file of arrays. Raises InputError, also without it."""
    source, tracked = like_tracked(sequence, writing, "plain")
    reading = reading_of(sequence, writing, "plain")
    scale, arrays = METRES[writing.unit], arrays_of(source)
    keys = hand_keys(source, reading)
    new: dict[str, np.ndarray] = {}
    for number, key in enumerate(keys):
        own = with_hands(source.path, key, arrays[key], reading.side if len(keys) == 1 else "left") * scale
        hands = slice(None) if len(keys) == 1 else slice(number, number + 1)
        moved = _moved(sequence, own, hands, writing)
        moved = np.where(np.isfinite(moved).all(axis=(2, 3), keepdims=True), moved, own) / scale
        new[key] = _as_array(arrays[key], moved)
    poses = [key for key, value in arrays.items() if np.shape(value) == (sequence.n_frames, 4, 4)]
    if len(sequence.object_motion.translation) == 1:
        new.update({key: object_matrices(sequence) for key in poses[:1]})
    content = source.content
    if isinstance(content, Table):
        write_text(path, _table(content, next(iter(new.values()))))
    else:
        changed = {key: _in_kind(content[key] if isinstance(content, dict) else content, new[key]) for key in new}
        one = changed[keys[0]]
        write_content(path, {**content, **changed} if isinstance(content, dict) else one, source.path)
    said = () if tracked.joints is None else bones_remark(tracked.joints, joints_of(sequence))
    return (*said, *lost_remark(sequence, "are as they were"))


def _moved(
    sequence: Sequence, own: Float[np.ndarray, "H T J 3"], hands: slice, writing: Writing
) -> Float[np.ndarray, "H T J 3"]:
    """The file's points of these hands where the repaired hands are, metres; NaN where lost."""
    if own.shape[2] == N_MANO:
        vertices = hand_meshes(sequence).vertices
        if vertices is None or vertices.shape[2] != N_MANO:
            given = "joints alone" if vertices is None else f"{vertices.shape[2]}"
            raise bad_input(sequence.source, "hand", f"MANO's {N_MANO} vertices", given)
        return hide_lost(sequence, np.asarray(vertices, np.float64))[hands]
    order = None if writing.joint_order == "openpose" else writing.joint_order
    indices = np.array(indices_of(str(writing.like), own.shape[2], order)[1])
    known, taken = indices != ABSENT, np.where(indices == ABSENT, 0, indices)
    found = []
    for before, repaired in zip(own, joints_of(sequence)[hands].astype(np.float64), strict=True):
        joints = np.where(known[:, None], before[:, taken], np.nan)
        joints[~joints.any(axis=2)] = np.nan
        motion = palm_motion(joints, repaired)
        moved = before.copy() if motion is None else motion.apply(before)
        moved[:, indices[known]] = with_own_bones(joints, repaired)[:, known]
        moved[~np.isfinite(repaired).all(axis=(1, 2))] = np.nan
        found.append(moved)
    return np.stack(found)


def _as_array(old: np.ndarray, moved: Float[np.ndarray, "H T J 3"]) -> np.ndarray:
    """Points in the shape of the file's array."""
    if old.ndim == 4:
        return moved if old.shape == moved.shape else np.moveaxis(moved, 0, 1)
    return moved[0].reshape(old.shape)


def _in_kind(old: Any, new: np.ndarray) -> Any:
    """Numbers in the type of the array that they replace, or as nested lists; null is a lost frame."""
    if isinstance(old, np.ndarray):
        return new.astype(old.dtype)
    return [each.tolist() if np.isfinite(each).any() else None for each in new]


def _table(table: Table, rows: np.ndarray) -> str:
    """The rows of a table with its delimiter."""
    first = table.text.partition("\n")[0]
    delimiter = "," if "," in first else "\t" if "\t" in first else " "
    flat = rows.reshape(len(rows), -1)
    return "\n".join(delimiter.join("" if np.isnan(value) else f"{value:.9g}" for value in row) for row in flat) + "\n"
