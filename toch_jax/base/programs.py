"""Compiled programs that later processes need not trace, lower or compile again.

JAX keeps compiled code on disk too, but finds it only after it has traced and lowered the function, which takes longer
than to load the code. Here a program is found by the shapes of its arguments and by this package's files.
"""

import functools
import hashlib
import inspect
import math
import pickle
import platform
import re
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.experimental import serialize_executable

from toch_jax.base.device import hush, keep_compiled
from toch_jax.base.files import PACKAGE, atomic

LIGHT: dict[str, str | bool] = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": "1"}
"""XLA without its second generator of code for fused loops, and LLVM with its light passes only: on two cores the
pipeline compiles in half the time and runs as fast."""
_TRACED_BY = ("jax_default_matmul_precision", "jax_enable_x64", "jax_numpy_dtype_promotion", "jax_default_prng_impl")
"""JAX's settings on which a traced program depends."""
_LIBRARIES = ("jax", "jaxlib", "jaxlie", "flax")

_In = ParamSpec("_In")
_Out = TypeVar("_Out")
Runnable = Callable[[list[Any]], Any]
_loaded: dict[tuple[Hashable, ...], Runnable] = {}
_ahead: dict[Path, Future[Runnable | None]] = {}
"""Programs by their files, while `loaded_ahead` loads them."""
_one_at_a_time = threading.RLock()
"""Threads that need the same program wait for the first of them; reentrant, as programs may be called while one is
traced."""


def program(*static: str) -> Callable[[Callable[_In, _Out]], Callable[_In, _Out]]:
    """Decorator: `jax.jit` with static arguments of these names, for a function of a module.

    On a CPU the program is compiled with LIGHT, and kept on disk if JAX keeps compiled code there. On other devices,
    and while JAX traces another function, it is `jax.jit`.
    """

    def of(function: Callable[_In, _Out]) -> Callable[_In, _Out]:
        signature, name = inspect.signature(function), f"{function.__module__}.{function.__qualname__}"

        # Only bare arrays go through JAX's calls: it would make records of their shapes, which checked records refuse.
        def from_leaves(leaves: list[Any], tree: Any, settled: tuple[tuple[str, Any], ...]) -> _Out:
            return function(**jax.tree.unflatten(tree, leaves), **dict(settled))  # type: ignore[call-arg]

        from_leaves.__name__ = function.__name__
        jitted = jax.jit(from_leaves, static_argnums=(1, 2))

        @functools.wraps(function)
        def run(*args: _In.args, **kwargs: _In.kwargs) -> _Out:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            settled = tuple((each, given.arguments.pop(each)) for each in static)
            leaves, tree = jax.tree.flatten(given.arguments)
            if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves) or not _one_cpu():
                return jitted(leaves, tree, settled)
            key = (
                name,
                tree,
                tuple(map(_kind, leaves)),
                settled,
                tuple(getattr(jax.config, each) for each in _TRACED_BY),
            )
            if key not in _loaded:
                with _one_at_a_time:
                    if key not in _loaded:
                        _loaded[key] = _found(key) or _made(key, jitted, (leaves, tree, settled))
            return _loaded[key](leaves)

        return run

    return of


def _found(key: tuple[Hashable, ...]) -> Runnable | None:
    """The program that an earlier process kept, if any."""
    path = _path(key)
    if path is None:
        return None
    early = _ahead.pop(path, None)
    return _load(path) if early is None or early.cancel() else early.result()


def _made(key: tuple[Hashable, ...], jitted: Any, arguments: tuple[Any, ...]) -> Runnable:
    """The program, compiled now, and kept."""
    with _kept_only_here():
        compiled: jax.stages.Compiled = jitted.lower(*arguments).compile(LIGHT)
    path = _path(key)
    if path is not None:
        _save(path, compiled)
    return compiled


@contextmanager
def loaded_ahead() -> Iterator[None]:
    """Load in another thread, while the block runs, the programs that the last such block used; note those used now.

    XLA loads a program without Python's lock, so that the block meanwhile imports modules and reads files.
    """
    keep_compiled()
    pool = ThreadPoolExecutor(1)
    pool.submit(_load_noted, pool)
    try:
        yield
        _note_used()
    finally:
        pool.shutdown(cancel_futures=True)
        _ahead.clear()


def _load_noted(pool: ThreadPoolExecutor) -> None:
    note = _note()
    if note is not None and note.is_file() and _one_cpu():
        for path in map(note.parent.joinpath, note.read_text().split()):
            _ahead[path] = pool.submit(_load, path)


def _note_used() -> None:
    note, paths = _note(), map(_path, _loaded)
    names = " ".join(path.name for path in paths if path is not None)
    if note is not None and names and not (note.is_file() and note.read_text() == names):
        with atomic(note) as part:
            part.write_text(names)


def _note() -> Path | None:
    """The file that names the programs used last, by this package's version and this processor."""
    return _path(("used last",))


def forget_programs() -> None:
    """Free the memory of all programs; as `jax.clear_caches`, which leaves them."""
    _loaded.clear()


def _one_cpu() -> bool:
    settings = jax.config.values
    plain = not (settings["jax_disable_jit"] or settings["jax_debug_nans"] or settings["jax_debug_infs"])
    return plain and jax.default_backend() == "cpu" and jax.device_count() == 1


def _kind(leaf: Any) -> Hashable:
    """What of an argument a program depends on."""
    return jax.typeof(leaf)


def _path(key: tuple[Hashable, ...]) -> Path | None:
    """The program's file, None if compiled code is not to be kept."""
    folder = jax.config.values["jax_compilation_cache_dir"]
    if folder is None or not jax.config.values["jax_enable_compilation_cache"]:
        return None
    # functions among a network's attributes are printed with their address
    text = re.sub(r" at 0x[0-9a-f]+", "", f"{key} {_surroundings()}")
    return Path(folder) / "programs" / hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _surroundings() -> str:
    """This package's files, the libraries that are traced with it, and the processor, as one text."""
    files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    content = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    processor = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    return " ".join([content, *map(version, _LIBRARIES), *platform.uname()[::4], *processor])


@contextmanager
def _kept_only_here() -> Iterator[None]:
    """Keep what is compiled in the block out of JAX's own cache: a program that was loaded from there and is saved
    again cannot be run ("function not found" in jaxlib 0.10.1)."""
    name = "jax_persistent_cache_min_compile_time_secs"
    usual = jax.config.values[name]
    jax.config.update(name, math.inf)
    try:
        yield
    finally:
        jax.config.update(name, usual)


def _load(path: Path) -> Runnable | None:
    hush()
    _find_lapack()
    try:
        loaded: Runnable = serialize_executable.deserialize_and_load(*pickle.loads(path.read_bytes()))
    except (OSError, EOFError, ValueError, pickle.UnpicklingError, jax.errors.JaxRuntimeError):
        return None
    return loaded


@functools.cache
def _find_lapack() -> None:
    """Let JAX look up LAPACK's functions, as it does on lowering: a loaded program that factorises crashes without."""
    jax.jit(jax.lax.linalg.cholesky).lower(jax.ShapeDtypeStruct((1, 1), jnp.float32))


def _save(path: Path, compiled: jax.stages.Compiled) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as part:
        part.write_bytes(pickle.dumps(serialize_executable.serialize(compiled)))
