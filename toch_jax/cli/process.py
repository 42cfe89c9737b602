"""What a command sets for its whole process; a library must not."""

import gc
import os
from pathlib import Path


def set_up_process() -> None:
    """Settings of JAX and of the garbage collector, before a command's own imports."""
    # XLA reports each use of cached code at the level of errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Imports and tracing make a million objects that stay; at the default threshold, scanning them takes seconds.
    gc.set_threshold(50_000)
    import jax
    import platformdirs

    from toch_jax.device import EXACT

    usual = Path(platformdirs.user_cache_dir("toch_jax", appauthor=False)) / "compiled"
    jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(usual))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_default_matmul_precision", EXACT)
