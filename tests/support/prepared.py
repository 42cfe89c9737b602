"""Vertices of a sequence from a prepared data set, by toch_jax."""

import numpy as np

from toch_jax.base.arrays import take
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.types import Sequence


def hand_vertices(sequence: Sequence, hand: int) -> np.ndarray:
    """World vertices (T, V, 3) of one hand, without a vertex that closes the wrist."""
    model = load_hand(sequence.hand_model or "", sequence.hand_side[hand])
    return np.asarray(skin_frames(model, take(sequence.hands.params, hand))[0])


def object_vertices(sequence: Sequence) -> np.ndarray:
    """World vertices (T, Vo, 3) of the object, each moved with its part."""
    part, vertices = np.asarray(sequence.object_vertex_part), np.asarray(sequence.object_vertices, np.float64)
    motion = sequence.object_motion
    turn, shift = np.asarray(motion.rotation, np.float64)[part], np.asarray(motion.translation, np.float64)[part]
    return np.einsum("vtab,vb->tva", turn, vertices) + np.moveaxis(shift, 0, 1)
