"""The hand of the generator."""

import pytest

from toch_jax.datasets.open_grasps.search.hands import HandSamples, hand_samples
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel


@pytest.fixture(scope="session")
def model() -> HandModel:
    return load_hand("open")


@pytest.fixture(scope="session")
def samples(model: HandModel) -> HandSamples:
    return hand_samples(model)
