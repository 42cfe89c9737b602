"""A clean clip of a hand that holds an object, and what is done to it."""

import pytest

from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import sequence_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence

FRAMES = 16


@pytest.fixture(scope="session")
def held(example_file) -> Sequence:
    """Frames of the example in which the true hand holds the object, as if a tracker had given them."""
    clip = load_sequence(example_file).frames(28, 28 + FRAMES)
    return clip.replace(hands=clip.truth, truth=None)


@pytest.fixture(scope="session")
def held_object(held) -> ObjectModel:
    return sequence_object(held)
