"""A clean clip of a hand that holds an object, and what is done to it."""

import jax
import pytest

from toch_jax.object.model import ObjectModel
from toch_jax.refine import sequence_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence

FRAMES = 16


@pytest.fixture(scope="session")
def held(example_file) -> Sequence:
    """Frames of the example in which the true hand holds the object, as if a tracker had given them."""
    whole = load_sequence(example_file)
    cut = slice(28, 28 + FRAMES)
    motion = jax.tree.map(lambda leaf: leaf[:, cut], whole.object_motion)
    params = jax.tree.map(lambda leaf: leaf[:, cut], whole.truth.params)
    hands = whole.truth.replace(params=params)
    return whole.replace(hands=hands, truth=None, object_motion=motion, hand_valid=whole.hand_valid[:, cut])


@pytest.fixture(scope="session")
def held_object(held) -> ObjectModel:
    return sequence_object(held)
