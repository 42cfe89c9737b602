"""A clean clip of a hand that holds an object, and what is done to it."""

from pathlib import Path

import pytest

from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import sequence_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence


@pytest.fixture(scope="session")
def held() -> Sequence:
    """A clean hand that holds a camera: tests/golden/make_held_camera.py."""
    return load_sequence(Path(__file__).parents[1] / "golden" / "held_camera.npz")


@pytest.fixture(scope="session")
def held_object(held) -> ObjectModel:
    return sequence_object(held)
