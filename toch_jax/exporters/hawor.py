"""HaWoR's `world_space_res.pth`, the other way round than trackers/hawor.py reads it, where its layout stands: a pickle
of PyTorch's tensors, which joblib loads, written without PyTorch.

With `--like` (the file, or its folder) a hand that the clip has not is copied, and arrays have the file's types.
Without it such a hand is 0 and not valid.
"""

from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic
from toch_jax.base.tensor_writing import pickled
from toch_jax.exporters.like import betas_of_frames, has_tensors, like_tracked, mirrored
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.hawor import NAME
from toch_jax.trackers.source import open_source

INDEX = {"left": 0, "right": 1}


def write_hawor(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the list of pred_trans, pred_rot, pred_hand_pose, pred_betas and pred_valid. Raises InputError."""
    sides, frames = sequence.hand_side, sequence.n_frames
    if len(set(sides)) < len(sides):
        raise bad_input(sequence.source, "hands", "one of each side at most", ", ".join(sides))
    arrays = mano_arrays(sequence)
    if writing.left_hands == "mirrored":
        arrays = mirrored(arrays, sequence, transl=False)
    betas, known = betas_of_frames(arrays, frames), known_frames(sequence)
    content = [np.zeros((2, frames, size), np.float32) for size in (3, 3, 45, betas.shape[-1])]
    content.append(np.zeros((2, frames), bool))
    tensors = True
    if writing.like is not None:
        source, _ = like_tracked(sequence, writing, "hawor")
        file = source.path / NAME if source.is_folder else source.path
        content = [np.array(each) for each in open_source(file).content]
        tensors = has_tensors(file)
    new = (arrays["transl"], arrays["global_orient"], arrays["pose"], betas, known)
    for hand, side in enumerate(sides):
        for whole, values in zip(content, new, strict=True):
            own = whole[INDEX[side]]
            seen = known[hand] if own.ndim > 1 else slice(None)
            own[seen] = values[hand][seen]
    with atomic(path) as part:
        part.write_bytes(pickled(content, tensors))
    return lost_remark(sequence, "are not valid (pred_valid)")
