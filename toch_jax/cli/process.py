"""What a command sets for its whole process; a library must not."""

import gc
import os
import sys


def set_up_process() -> None:
    """Settings of JAX and of the garbage collector, before a command's own imports.

    Says so on standard error: what follows takes seconds.
    """
    print("loading JAX ...", file=sys.stderr, flush=True)
    # XLA reports each use of cached code at the level of errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Imports and tracing make a million objects that stay; at the default threshold, scanning them takes seconds.
    gc.set_threshold(50_000)
    import jax

    from toch_jax.base.compile_cache import keep_compiled
    from toch_jax.base.device import MATMUL_PRECISION

    keep_compiled()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_default_matmul_precision", MATMUL_PRECISION)
