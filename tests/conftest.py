"""Fixtures that several folders share."""

from importlib.resources import as_file, files

import pytest


@pytest.fixture(scope="session")
def example_file():
    """The demo's tracked clip."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        yield path
