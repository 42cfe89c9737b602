"""Compilation in advance, so that the first clips need not wait for it."""

import time
from functools import partial
from importlib.resources import as_file, files

import numpy as np

from toch_jax.base.arrays import put, repeat, take
from toch_jax.base.errors import bad_input
from toch_jax.base.progress import Progress, reporter
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Hands, Sequence

USUAL_FRAMES = (64, 128, 192)
"""Padded lengths: clips of up to 6.4 s at 30 frames a second."""


def warm_up(
    frames: tuple[int, ...] = USUAL_FRAMES, *, hand_model: str = "open", progress: bool | Progress = True
) -> dict[int, float]:
    """Compile the pipeline by repairing the package's example at each of these lengths; returns seconds by length.

    Compiled code is kept in the user's cache folder, also for later processes. It serves clips of one hand, given as
    joints or as parameters of `hand_model`, on a rigid object, with the same padded length as one of `frames` (16, 32,
    64, then multiples of 64 frames). Points on the skin, hinged objects and two hands compile further code. Raises
    InputError if a length is below 1.
    """
    if not frames or min(frames) < 1:
        raise bad_input("warm-up", "frames", "lengths of 1 frame or more", " ".join(map(str, frames)) or "none")
    tell = reporter(progress)
    seconds = {}
    for length in frames:
        start = time.perf_counter()
        refine(example(length, hand_model), progress=partial(_of_length, tell, length))
        seconds[length] = time.perf_counter() - start
    return seconds


def _of_length(tell: Progress, length: int, stage: str) -> None:
    tell(f"{length} frames: {stage}")


def example(n_frames: int, hand_model: str = "open") -> Sequence:
    """The package's example as joints of one hand, played forward and backward for `n_frames`."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        clip = load_sequence(path)
    params, side = take(clip.hands.params, 0), clip.hand_side[0]
    assert params is not None
    joints = put(to_openpose(np.asarray(skin_frames(load_hand("open", side), params)[1])))
    clip = clip.replace(
        hand_side=(side,),
        hand_model=hand_model,
        hands=Hands(params=None, joints=repeat(joints, 1), vertices=None, vertex_order=None),
        hand_valid=take(clip.hand_valid, np.s_[:1]),
        truth=None,
    )
    there = np.arange(clip.n_frames)
    order = np.resize(np.concatenate([there, there[::-1]]), n_frames)
    timed = take((clip.hands, clip.hand_valid, clip.object_motion), np.s_[:, order])
    return clip.replace(hands=timed[0], hand_valid=timed[1], object_motion=timed[2])
