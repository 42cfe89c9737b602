"""Fixtures that several folders share; compiled code that several workers and runs share."""

from importlib.resources import as_file, files

import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    # most of the time goes into compiling
    assert config.cache is not None
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@pytest.fixture(scope="session")
def example_file():
    """The demo's tracked clip."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        yield path
