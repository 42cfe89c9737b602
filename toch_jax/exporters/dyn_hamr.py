"""Dyn-HaMR's `*_world_results.npz`, the other way round than trackers/dyn_hamr.py reads it, where its layout stands.

With `--like` the tracker's own file is copied and only its hands are replaced: trans, root_orient, pose_body,
latent_pose, betas, is_right, and, where it has them, trans_aligned and object_pose_world. Without it cam_R is the
identity, cam_t 0 and world_scale 1; intrins is written with `--camera`.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_arrays
from toch_jax.exporters.keypoints import object_matrices
from toch_jax.exporters.like import like_tracked, mirrored
from toch_jax.exporters.mano import is_right, lost_remark, mano_arrays
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.source import Source


def whole_intrinsics(given: str) -> Float[np.ndarray, "3 3"]:
    """The intrinsics in a camera's file. Raises InputError for a focal length alone."""
    intrinsics = read_camera(given).intrinsics
    if intrinsics is None or not np.isfinite(intrinsics).all():
        raise bad_input(given, "--camera", "a file with focal length and principal point", "the focal length alone")
    return intrinsics


def write_dyn_hamr(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write world results. Raises InputError."""
    arrays, n_frames, n_hands = (
        mirrored(mano_arrays(sequence), sequence, transl=True),
        sequence.n_frames,
        len(sequence.hand_side),
    )
    pose = arrays["pose"]
    record: dict[str, np.ndarray] = {
        "trans": arrays["transl"],
        "root_orient": arrays["global_orient"],
        "pose_body": pose.reshape(n_hands, n_frames, 15, 3),
        "latent_pose": pose,
        "betas": arrays["betas"],
        "is_right": is_right(sequence.hand_side, n_frames),
    }
    if writing.like is None:
        record |= {
            "cam_R": np.tile(np.eye(3), (n_hands, n_frames, 1, 1)),
            "cam_t": np.zeros((n_hands, n_frames, 3)),
            "world_scale": np.ones((n_hands, 1)),
        }
        if writing.camera is not None:
            record["intrins"] = whole_intrinsics(writing.camera)[[0, 1, 0, 1], [0, 1, 2, 2]]
    else:
        source, _ = like_tracked(sequence, writing, "dyn-hamr")
        record = _merged(source, record, sequence)
    floats = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in record.items()}
    write_arrays(path, floats)
    return lost_remark(sequence, "are NaN")


def _merged(source: Source, record: dict[str, np.ndarray], sequence: Sequence) -> dict[str, np.ndarray]:
    """The tracker's arrays with the hands replaced."""
    plain = {key: np.asarray(value) for key, value in source.content.items()}
    kept = {key: value for key, value in plain.items() if value.dtype.kind in "biufU"}
    if "trans_aligned" in kept:
        record["trans_aligned"] = record["trans"]
    if "object_pose_world" in kept and len(sequence.object_motion.translation) == 1:
        record["object_pose_world"] = object_matrices(sequence)
    return {**kept, **record}
