"""HOLD's `build/data.npy`, the other way round than trackers/hold.py reads it, where its layout stands.

`--like` is HOLD's own file: hand_poses, hand_trans and mean_shape of its hands and the object's object_poses are
replaced, all else is kept.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.exporters.keypoints import object_matrices
from toch_jax.exporters.like import as_given, like_tracked, write_content
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays, relative_pose
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence


def write_hold(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the dict of a clip. Raises InputError, also without HOLD's own file."""
    source, _ = like_tracked(sequence, writing, "hold")
    arrays, known = mano_arrays(sequence), known_frames(sequence)
    pose = np.concatenate([arrays["global_orient"], relative_pose(sequence, arrays["pose"])], axis=-1)
    betas = arrays["betas"] if arrays["betas"].ndim == 2 else np.nanmean(arrays["betas"], axis=1)
    entities = dict(source.content["entities"])
    for hand, side in enumerate(sequence.hand_side):
        own = entities[side]
        seen = known[hand][:, None]
        new = {
            "hand_poses": np.where(seen, pose[hand], own["hand_poses"]),
            "hand_trans": np.where(seen, arrays["transl"][hand], own["hand_trans"]),
            "mean_shape": betas[hand],
        }
        entities[side] = {**own, **{key: as_given(own[key], value) for key, value in new.items()}}
    if len(sequence.object_motion.translation) == 1:
        matrices, item = object_matrices(sequence), entities["object"]
        motion = np.concatenate([Rotation.from_matrix(matrices[:, :3, :3]).as_rotvec(), matrices[:, :3, 3]], axis=1)
        entities["object"] = {**item, "object_poses": as_given(item["object_poses"], motion)}
    write_content(path, {**source.content, "entities": entities}, source.path)
    return lost_remark(sequence, "are as they were")
