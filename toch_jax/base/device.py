"""What a graphics card or a TPU must be told, and a processor need not."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax

EXACT = "float32"
"""Of products. By default a graphics card rounds their factors to 11 bits (half a millimetre of a hand), a TPU to 8."""

_In = ParamSpec("_In")
_Out = TypeVar("_Out")


def exactly(function: Callable[_In, _Out]) -> Callable[_In, _Out]:
    """The function with products in whole float32, whatever the device."""

    @functools.wraps(function)
    def run(*args: _In.args, **kwargs: _In.kwargs) -> _Out:
        with jax.default_matmul_precision(EXACT):
            return function(*args, **kwargs)

    return run


def map_each(function: Callable[[Any], Any], each: Any, together: int) -> Any:
    """`jax.lax.map` over the first axis of every array in `each`: one by one on a processor, whose cache holds one;
    elsewhere up to `together` at once.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(function, each)
    if len(jax.tree.leaves(each)[0]) <= together:
        return jax.vmap(function)(each)
    return jax.lax.map(function, each, batch_size=together)
