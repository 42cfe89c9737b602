"""JAX on the device at hand: precision of matrix products, batched maps, the cache of compiled code."""

import functools
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
import platformdirs

MATMUL_PRECISION = "float32"
"""Precision of matrix products. By default GPUs round the factors to 11 bits (0.5 mm error on a hand), TPUs to 8."""

_In = ParamSpec("_In")
_Out = TypeVar("_Out")
JAX_LOG_LEVEL = "1"
"""Level of XLA's messages: the value that JAX gives $TF_CPP_MIN_LOG_LEVEL if the user has set none."""


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


def keep_compiled() -> None:
    """Set JAX's compilation cache, one for the whole process, to a folder in the user's cache folder.

    A cache that was disabled (`jax_enable_compilation_cache`) or given a folder (`jax_compilation_cache_dir`,
    $JAX_COMPILATION_CACHE_DIR) is left as it is. Warns if the folder cannot be made.
    """
    config = jax.config.values
    if not config["jax_enable_compilation_cache"]:
        return
    if config["jax_compilation_cache_dir"] is None:
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
        except OSError as error:
            remark = f"compiled code is not kept: {error}; set $JAX_COMPILATION_CACHE_DIR"
            warnings.warn(remark, stacklevel=1)
            return
        jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
        # 0: the pipeline has a few large programs and many small ones, which take as long together.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    hush()


def cache_folder() -> Path:
    """The folder of compiled code, unless JAX was given another."""
    return Path(platformdirs.user_cache_dir("toch_jax", appauthor=False)) / "compiled"


@cache
def hush() -> None:
    """Suppress XLA's messages about cached code: lines of 3,000 characters that look like errors. Fatal errors stay.

    Does nothing if the user has set another $TF_CPP_MIN_LOG_LEVEL, which works only before XLA is loaded. After that,
    setting JAX's log level also sets XLA's, and XLA's remains when the level of Python's loggers is restored.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", JAX_LOG_LEVEL) != JAX_LOG_LEVEL:
        return
    before = jax.config.values["jax_logging_level"]
    jax.config.update("jax_logging_level", "CRITICAL")
    jax.config.update("jax_logging_level", before)
