"""Compiled code, kept between processes: the pipeline takes about a minute to compile for each padded length."""

import os
import warnings
from functools import cache
from pathlib import Path

import jax
import platformdirs

JAX_LOG_LEVEL = "1"
"""Of XLA's messages: what JAX sets $TF_CPP_MIN_LOG_LEVEL to where the user did not."""


def keep_compiled() -> None:
    """Have JAX keep what it compiles in the user's cache folder, and look there before it compiles.

    JAX has one such cache for the whole process. Where it was turned off (`jax_enable_compilation_cache`) or given a
    folder (`jax_compilation_cache_dir`, $JAX_COMPILATION_CACHE_DIR), it stays so. Warns where there can be no folder.
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
        # The pipeline is some large programs and many small ones, which together take as long.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    hush()


def cache_folder() -> Path:
    """Where compiled code is kept unless JAX was told otherwise."""
    return Path(platformdirs.user_cache_dir("toch_jax", appauthor=False)) / "compiled"


@cache
def hush() -> None:
    """Stop XLA's remarks on code from the cache, lines of 3,000 characters that look like errors (fatal ones stay).

    $TF_CPP_MIN_LOG_LEVEL does the same before XLA is loaded. Afterwards JAX's own level reaches XLA's, which stays
    when the level of Python's loggers is put back.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", JAX_LOG_LEVEL) != JAX_LOG_LEVEL:
        return
    before = jax.config.values["jax_logging_level"]
    jax.config.update("jax_logging_level", "CRITICAL")
    jax.config.update("jax_logging_level", before)
