"""The hand that stands for MANO in tests of data sets' annotation, and what a reader's result is compared with."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from scipy.linalg import block_diag
from scipy.spatial.transform import Rotation

from support.tracker_clip import Clip, hand_arrays, write_hand
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import hand_arguments, load_any
from toch_jax.trackers.tracked import Tracked

COMPONENTS = Rotation.random(15, rng=0).as_matrix()
"""Blocks of the principal directions of the hand that stands for MANO: rows of length 1, at right angles."""


def pose_space(side: str) -> dict[str, np.ndarray]:
    """MANO's mean pose and principal directions."""
    return {"mean": hand_arrays(side)["hands_mean"], "components": block_diag(*COMPONENTS)[::-1]}


def write_open_mano(folder: Path) -> None:
    """The open hand as MANO's files, with principal directions that are not single angles."""
    write_hand(folder)
    for side in ("right", "left"):
        path = folder / f"MANO_{side.upper()}.npz"
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **{**arrays, "hands_components": pose_space(side)["components"]})


def near(found: np.ndarray, expected: np.ndarray, within: float = 1e-5) -> None:
    np.testing.assert_allclose(found, expected, atol=within)


def posed_as(path, true: Clip, hand: int = 0, reading: Reading | None = None, within: float = 1e-5) -> None:
    """The sequence of a file has the clip's hand, posed by this package, and its object."""
    sequence = load_any(path, None, 1.0, reading).sequence
    seen = np.asarray(sequence.hand_valid[hand])
    assert seen.sum() > 20
    near(hand_joints(sequence, hand)[seen, :20], true.joints[seen, :20], within)
    near(np.asarray(sequence.object_vertices), true.mesh.vertices, 1e-6)
    known = slice(None) if sequence.object_valid is None else np.asarray(sequence.object_valid)[0]
    near(np.asarray(sequence.object_motion.rotation[0])[known], true.object_poses[known, :3, :3], within)
    near(np.asarray(sequence.object_motion.translation[0])[known], true.object_poses[known, :3, 3], within)


def skin_of(tracked: Tracked) -> np.ndarray:
    """The vertices of the first hand, posed by this package."""
    found, _ = hand_arguments("", tracked, Reading())
    betas = np.tile(found["hand_betas"][0], (tracked.n_frames, 1))
    arrays = (found["hand_global_orient"][0], found["hand_pose"][0], betas, found["hand_transl"][0])
    params = HandParams(*(jnp.asarray(each, jnp.float32) for each in arrays))
    return np.asarray(skin_frames(load_hand("mano", tracked.sides[0]), params)[0])
