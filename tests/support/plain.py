"""Compiled without the compiler's optimisations: code that runs once, on little, is ready in a third of the time."""

import functools
from collections.abc import Callable
from typing import Any

import jax

plain = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})


def plain_jit(function: Callable, *args: object) -> Any:
    """Compiled and run."""
    return plain(function)(*args)
