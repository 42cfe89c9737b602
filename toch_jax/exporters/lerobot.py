"""Features of a LeRobot data set with their names, and their values in each frame: a folder with features.json and
frames.npz, to be added to a data set by LeRobot itself.

LeRobot (huggingface/lerobot, src/lerobot/datasets/feature_utils.py) describes a feature by dtype, shape and names, and
takes frames as NumPy arrays of exactly this dtype and shape; timestamp and the indices are its own.
`observation.state`: x, y, z of the 21 joints of each hand, in OpenPose's order, metres.
`observation.environment_state`: position and quaternion (x, y, z, w) of each of the object's parts. Both are names that
its policies know (its OBS_STATE and OBS_ENV_STATE). features.json has fps and the features; frames.npz an array (T, n)
for each.
"""

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.base.files import atomic_folder, write_arrays, write_text
from toch_jax.exporters.gltf import continuous
from toch_jax.exporters.keypoints import JOINT_NAMES, hand_names, joints_of
from toch_jax.exporters.mano import lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence

POSE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")


def write_lerobot(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write features and frames. Raises InputError if there are points of the skin alone."""
    joints = joints_of(sequence)
    motion = sequence.object_motion
    poses = []
    for place, turn in zip(np.asarray(motion.translation), np.asarray(motion.rotation, np.float64), strict=True):
        poses.append(np.concatenate([place, continuous(Rotation.from_matrix(turn).as_quat())], axis=1))
    parts = ["object"] if len(poses) == 1 else [f"object{index}" for index in range(len(poses))]
    hands = hand_names(sequence.hand_side)
    frames = {
        "observation.state": np.concatenate([each.reshape(len(each), -1) for each in joints], axis=1),
        "observation.environment_state": np.concatenate(poses, axis=1),
    }
    names = {
        "observation.state": [f"{hand}_{joint}_{axis}" for hand in hands for joint in JOINT_NAMES for axis in "xyz"],
        "observation.environment_state": [f"{part}_{name}" for part in parts for name in POSE_NAMES],
    }
    features = {
        key: {"dtype": "float32", "shape": [value.shape[1]], "names": names[key]} for key, value in frames.items()
    }
    rate = sequence.fps
    with atomic_folder(path) as folder:
        fps = int(rate) if rate == int(rate) else rate
        write_text(folder / "features.json", json.dumps({"fps": fps, "features": features}, indent=1))
        write_arrays(folder / "frames.npz", {key: value.astype(np.float32) for key, value in frames.items()})
    said = () if rate == int(rate) else (f"LeRobot takes whole frame rates, not {rate:g}: see --fps",)
    return (*said, *lost_remark(sequence, "are NaN"))
