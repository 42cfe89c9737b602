"""Settings for GPUs and TPUs: precision of matrix products, batch size of maps."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax

MATMUL_PRECISION = "float32"
"""Precision of matrix products. By default GPUs round the factors to 11 bits (0.5 mm error on a hand), TPUs to 8."""

_In = ParamSpec("_In")
_Out = TypeVar("_Out")


def full_precision(function: Callable[_In, _Out]) -> Callable[_In, _Out]:
    """The function with matrix products in full float32 precision on every device."""

    @functools.wraps(function)
    def run(*args: _In.args, **kwargs: _In.kwargs) -> _Out:
        with jax.default_matmul_precision(MATMUL_PRECISION):
            return function(*args, **kwargs)

    return run


def batched_map(function: Callable[[Any], Any], each: Any, together: int) -> Any:
    """`jax.lax.map` over the first axis of every array in `each`.

    On a CPU one entry at a time, because its cache holds one; on other devices up to `together` at once.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(function, each)
    if len(jax.tree.leaves(each)[0]) <= together:
        return jax.vmap(function)(each)
    return jax.lax.map(function, each, batch_size=together)
