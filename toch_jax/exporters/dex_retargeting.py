"""Keypoints for dex-retargeting (dexsuite/dex-retargeting), as its SingleHandDetector gives them: a plain .npz.

example/vector_retargeting/single_hand_detector.py: the 21 joints in OpenPose's order are moved such that the wrist is
the origin, and turned into the wrist's frame of MANO's convention, `joints @ wrist_rotation @ OPERATOR_TO_MANO`. The
wrist's frame has x from the middle finger's first joint to the wrist, y normal to the plane of the wrist and the first
joints of index and middle finger, z towards the index finger; then OPERATOR_TO_MANO permutes the axes.

For each hand: right (T, 21, 3), metres, its `joint_pos`; right_wrist_rotation (T, 3, 3), its `mediapipe_wrist_rot`;
right_wrist (T, 3), the wrist in the world; fps.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.files import write_arrays
from toch_jax.exporters.keypoints import hand_names, joints_of
from toch_jax.exporters.mano import lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence

OPERATOR_TO_MANO = {
    "right": np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    "left": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
}
"""Of the same file, by side."""


def write_dex_retargeting(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the keypoints. Raises InputError if there are points of the skin alone."""
    record: dict[str, np.ndarray] = {"fps": np.array(sequence.fps)}
    joints = joints_of(sequence)
    for hand, (name, side) in enumerate(zip(hand_names(sequence.hand_side), sequence.hand_side, strict=True)):
        wrist = joints[hand][:, 0]
        frame = wrist_frame(joints[hand])
        turned = (joints[hand] - wrist[:, None]) @ frame @ OPERATOR_TO_MANO[side]
        arrays = {name: turned, f"{name}_wrist_rotation": frame, f"{name}_wrist": wrist}
        record |= {key: value.astype(np.float32) for key, value in arrays.items()}
    write_arrays(path, record)
    return lost_remark(sequence, "are NaN")


def wrist_frame(joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 3 3"]:
    """The wrist's frame, axes as columns: of wrist, index1 and middle1."""
    wrist, index, middle = joints[:, 0], joints[:, 5], joints[:, 9]
    x = _unit(wrist - middle)
    normal = _unit(np.cross(index - wrist, middle - wrist))
    z = np.cross(x, normal)
    sign = np.where((z * (index - middle)).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return np.stack([x, sign * normal, sign * z], axis=2)


def _unit(vectors: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
