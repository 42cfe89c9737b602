"""MANO's parameters as smplx and manopth take them: plain .npz files; frames that are lost are NaN.

`mano-smplx` has the arguments of smplx's `MANO` (vchoutas/smplx, smplx/body_models.py), a row for each hand: betas,
global_orient, hand_pose, transl; beside them is_right and flat_hand_mean, as in NVIDIA Video-to-Data's mano_params
(nvidia-isaac/video_to_data, v2d_hand_alignment/lib), and fps. The layer is `MANO(..., use_pca=False,
flat_hand_mean=flat_hand_mean)`.

`mano-manopth` has those of manopth's `ManoLayer` (hassony2/manopth, manopth/manolayer.py): th_pose_coeffs (48 numbers,
orientation and fingers), th_betas, th_trans. The layer is `ManoLayer(use_pca=False, flat_hand_mean=flat_hand_mean)`; it
gives millimetres. With th_trans it does not centre, whatever center_idx says; without it and with center_idx=0 it puts
the wrist at the origin: `wrist` is then to be added (metres).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_arrays
from toch_jax.exporters.writing import Writing
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side, rest_joints
from toch_jax.sequence.types import Sequence


def known_frames(sequence: Sequence) -> Bool[np.ndarray, "H T"]:
    """Frames in which the hand is known: seen, or filled in by the repair."""
    valid = np.asarray(sequence.hand_valid)
    return valid if sequence.hand_joint_sigma is None else np.ones_like(valid)


def hide_lost(sequence: Sequence, values: Float[np.ndarray, "H T *axes"]) -> Float[np.ndarray, "H T *axes"]:
    """The values with NaN in the frames that are not known."""
    known = known_frames(sequence)
    return np.where(known.reshape(*known.shape, *[1] * (values.ndim - 2)), values, np.nan)


def lost_remark(sequence: Sequence, how: str) -> tuple[str, ...]:
    """A remark on lost frames; `how` they are written."""
    lost = int((~known_frames(sequence)).sum())
    return (f"{lost} lost frames {how}",) if lost else ()


def mano_arrays(sequence: Sequence) -> dict[str, np.ndarray]:
    """global_orient (H,T,3), pose (H,T,45), transl (H,T,3), betas (H,S), or (H,T,S) where they change; NaN where lost.

    Raises InputError if the sequence has no parameters of MANO's hand.
    """
    params, name = sequence.hands.params, sequence.hand_model
    if params is None or name in (None, "open"):
        found = "joints or points alone" if params is None else "those of the open hand"
        raise bad_input(sequence.source, "hand parameters", 'those of MANO (hand_model "mano" or a MANO file)', found)
    betas = np.asarray(params.betas)
    betas = betas[:, 0] if (betas == betas[:, :1]).all() else hide_lost(sequence, betas)
    timed = {key: np.asarray(getattr(params, key)) for key in ("global_orient", "pose", "transl")}
    return {**{key: hide_lost(sequence, value) for key, value in timed.items()}, "betas": betas}


def mano_models(sequence: Sequence) -> list[HandModel]:
    """MANO's model of each hand. Raises InputError if its files are not here."""
    return [load_hand(sequence.hand_model or "mano", side) for side in sequence.hand_side]


def wrists(models: list[HandModel], arrays: dict[str, np.ndarray]) -> Float[np.ndarray, "H T 3"]:
    """Where the wrist is in the world, metres."""
    betas = arrays["betas"] if arrays["betas"].ndim == 3 else arrays["betas"][:, None]
    rest = [
        np.asarray(rest_joints(model, put(own, np.float32)))[:, 0] for model, own in zip(models, betas, strict=True)
    ]
    return np.stack(rest) + arrays["transl"]


def write_smplx(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the arguments of smplx's MANO. Raises InputError."""
    write_arrays(path, smplx_record(sequence, absolute=writing.mean_pose == "absolute"))
    return lost_remark(sequence, "are NaN")


def smplx_record(sequence: Sequence, *, absolute: bool) -> dict[str, np.ndarray]:
    """The arguments of smplx's MANO by name, and what they mean. Raises InputError."""
    arrays = mano_arrays(sequence)
    record = {
        "betas": arrays["betas"],
        "global_orient": arrays["global_orient"],
        "hand_pose": arrays["pose"] if absolute else relative_pose(sequence, arrays["pose"]),
        "transl": arrays["transl"],
    }
    return _float32(record) | _about(sequence, absolute)


def write_manopth(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the arguments of manopth's ManoLayer, and the wrist. Raises InputError, also without MANO's files."""
    arrays, said = mano_arrays(sequence), lost_remark(sequence, "are NaN")
    absolute = writing.mean_pose == "absolute"
    pose = arrays["pose"] if absolute else relative_pose(sequence, arrays["pose"])
    record = {
        "th_pose_coeffs": np.concatenate([arrays["global_orient"], pose], axis=-1),
        "th_betas": arrays["betas"],
        "th_trans": arrays["transl"],
        "wrist": wrists(mano_models(sequence), arrays),
    }
    write_arrays(path, _float32(record) | _about(sequence, absolute))
    return said


def relative_pose(sequence: Sequence, pose: Float[np.ndarray, "H T 45"]) -> Float[np.ndarray, "H T 45"]:
    """The pose with MANO's mean taken off. Raises InputError if MANO's files are not here."""
    means = [np.asarray(model.pose_mean) for model in mano_models(sequence)]
    return pose - np.stack(means)[:, None]


def _about(sequence: Sequence, absolute: bool) -> dict[str, np.ndarray]:
    return {
        "is_right": is_right(sequence.hand_side, sequence.n_frames),
        "flat_hand_mean": np.array(absolute),
        "fps": np.array(sequence.fps),
    }


def matrices(vectors: Float[np.ndarray, "T n"]) -> Float[np.ndarray, "T K 3 3"]:
    """(T, 3 K) axis-angle as (T, K, 3, 3); NaN remain NaN."""
    flat = np.array(vectors, np.float64).reshape(-1, 3)
    known = np.isfinite(flat).all(axis=1)
    found = np.full((len(flat), 3, 3), np.nan)
    found[known] = Rotation.from_rotvec(flat[known]).as_matrix()
    return found.reshape(len(vectors), -1, 3, 3)


def is_right(sides: tuple[Side, ...], n_frames: int) -> Float[np.ndarray, "H T"]:
    """1 for a right hand, 0 for a left."""
    return np.repeat([[float(side == "right")] for side in sides], n_frames, axis=1)


def _float32(record: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key: value.astype(np.float32) for key, value in record.items()}
