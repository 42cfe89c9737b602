"""Clips padded to a few lengths, so that compiled code is shared."""

from functools import partial

import jax
import numpy as np
from jaxtyping import Array, Bool

from toch_jax.base.arrays import pad_last, put, take
from toch_jax.hand.model import HandParams
from toch_jax.object.model import ObjectMotion


def bucket(n_frames: int) -> int:
    """Padded number of frames, so that clips of many lengths share compiled code: 16, 32, 64, then multiples of 64."""
    return next((size for size in (16, 32, 64) if n_frames <= size), -(-n_frames // 64) * 64)


def pad_params(params: HandParams, size: int) -> HandParams:
    """Parameters padded to `size` frames by repeating the last; betas (S,) are shared by all frames."""
    frames = params.replace(betas=params.transl)
    return jax.tree.map(partial(pad_last, size=size), frames).replace(betas=params.betas)


def pad_motion(motion: ObjectMotion, size: int) -> ObjectMotion:
    """Motion padded to `size` frames by repeating the last."""
    return jax.tree.map(partial(pad_last, size=size, axis=1), motion)


def pad_observed(observed: Bool[Array | np.ndarray, "T"], size: int) -> Bool[Array, "T2"]:
    """`observed` padded to `size` frames with false."""
    return put(np.pad(np.asarray(observed), (0, size - len(observed))))


def cut_frames(params: HandParams, n_frames: int) -> HandParams:
    """The first `n_frames` frames; betas (S,) are shared by all frames."""
    frames = params.replace(betas=params.transl)
    return take(frames, np.s_[:n_frames]).replace(betas=params.betas)
