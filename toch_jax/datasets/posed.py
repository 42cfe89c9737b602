"""Posed vertices of an example's hands."""

import jax
import numpy as np
from jaxtyping import Float

from toch_jax.base.arrays import pad_last, put
from toch_jax.datasets.features import Example
from toch_jax.hand.model import HandModel, HandParams, skin_frames

_LENGTHS = 256
"""Clips are padded to a multiple of this many frames, so that they share compiled code."""


def posed_skin(example: Example, hand: int, model: HandModel) -> Float[np.ndarray, "T V 3"]:
    """Vertices of the example's hand number `hand` in the world frame, metres."""
    frames = example["hand_pose"].shape[1]
    params = HandParams(
        global_orient=put(example["hand_global_orient"][hand], np.float32),
        pose=put(example["hand_pose"][hand], np.float32),
        betas=put(np.tile(example["hand_betas"][hand], (frames, 1)), np.float32),
        transl=put(example["hand_transl"][hand], np.float32),
    )
    padded = jax.tree.map(lambda leaf: pad_last(leaf, frames + -frames % _LENGTHS), params)
    return np.asarray(skin_frames(model, padded)[0])[:frames]
