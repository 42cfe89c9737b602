"""Fixtures and the compilation cache, shared by all folders, workers and runs."""

import ctypes
import dataclasses
import gc
import os
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.device import MATMUL_PRECISION
from toch_jax.base.programs import forget_programs
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel

pytest_plugins = ["support.fixtures"]


QUICK_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
"""XLA without its second generator of code for fused loops, and LLVM with its light passes only."""


def pytest_configure(config: pytest.Config) -> None:
    # most of the time goes into compilation; commands run by tests must use the same cache folder
    cache = getattr(config, "cache", None)
    if cache is not None:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache.mkdir("compiled"))
    # half the time to compile the pipeline, which runs as fast; read when JAX makes its first array
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_TO_COMPILE}".lstrip()
    jax.config.update("jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR"))
    # caching what compiles faster than this costs more than it saves
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    # as in the commands
    jax.config.update("jax_default_matmul_precision", MATMUL_PRECISION)
    gc.set_threshold(50_000)


MOST_MEMORY = 2e9
"""Bytes of a worker from which it drops compiled code at the end of a file; the cache's folder keeps it."""


@pytest.fixture(scope="module", autouse=True)
def small_memory() -> Iterator[None]:
    """Keep workers below 3 GB; only Linux tells a process's memory in this way."""
    yield
    statistics = Path("/proc/self/statm")
    if statistics.exists() and int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY:
        forget_programs()
        jax.clear_caches()
        gc.collect()
        # the C library keeps what was freed
        ctypes.CDLL(None).malloc_trim(0)


# Files that take minutes, each on one worker: they run first, so that all workers end at about the same time. The whole
# pipeline comes before the fit, which reuses its compiled code.
LONGEST = (
    *("test_pipeline.py", "test_inverse_kinematics.py", "test_batches.py", "test_two_hands.py", "test_toch_fit.py"),
    *("test_contactopt.py", "test_fit.py", "test_myodm.py", "test_contact_field.py", "test_experiment.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def example_file():
    """Path of the demo's tracked clip."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        yield path


@pytest.fixture(scope="session")
def cut_hand() -> HandModel:
    """The open hand without the triangle fan that closes its wrist, so that it is open there as MANO is."""
    open_hand = load_hand("open")
    centre = open_hand.v_template.shape[0] - 1
    faces = np.asarray(open_hand.faces)
    fan = faces[(faces == centre).any(axis=1)]
    after = {int(face[(k + 1) % 3]): int(face[(k + 2) % 3]) for face in fan for k in range(3) if face[k] == centre}
    ring = [min(after)]
    while len(ring) < len(after):
        ring.append(after[ring[-1]])
    return dataclasses.replace(
        open_hand,
        v_template=open_hand.v_template[:-1],
        shapedirs=open_hand.shapedirs[:-1],
        posedirs=open_hand.posedirs[:-1],
        joint_regressor=open_hand.joint_regressor[:, :-1],
        weights=open_hand.weights[:-1],
        faces=jnp.asarray(faces[~(faces == centre).any(axis=1)]),
        # the fan traverses the ring in the direction opposite to the other faces
        wrist_ring=jnp.asarray(ring[::-1]),
    )
