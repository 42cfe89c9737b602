"""Compilation without optimisations, which takes a third of the time: for code that runs once on small inputs."""

import functools
from collections.abc import Callable
from typing import Any

import jax

plain = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})


def plain_jit(function: Callable, *args: object) -> Any:
    """Compile the function without optimisations and run it."""
    return plain(function)(*args)
