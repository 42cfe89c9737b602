"""Programs give what their functions give, are found again by later processes, and depend on all that they must."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base import programs
from toch_jax.base.programs import forget_programs, loaded_ahead, program


@program("power")
def total(values: jax.Array, weights: dict[str, jax.Array | None], power: int = 2) -> jax.Array:
    """Weighted sum of powers; a weight that is None counts as 1."""
    scale = weights["scale"]
    return jnp.sum(values**power) * (1.0 if scale is None else scale)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """The folder of programs of an empty cache."""
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    forget_programs()
    yield tmp_path / "programs"
    jax.config.update("jax_compilation_cache_dir", before)
    forget_programs()


VALUES = np.array([1.0, 2.0, 3.0], np.float32)


def test_any_way_of_calling_gives_the_sum(kept: Path) -> None:
    none, twice = {"scale": None}, {"scale": np.float32(2)}
    assert total(VALUES, none) == total(VALUES, none, 2) == total(values=VALUES, power=2, weights=none) == 14
    assert total(VALUES, twice) == 28
    assert total(VALUES, none, power=3) == 36
    # whole numbers, 64 bits and other shapes are programs of their own
    assert total(np.arange(4), none) == 14
    assert total(VALUES.astype(np.float64), none) == 14
    assert total(VALUES[:2], none) == 5
    assert len(list(kept.iterdir())) == 5


def test_within_other_functions_it_is_traced(kept: Path) -> None:
    def of(values: jax.Array) -> jax.Array:
        return total(values, {"scale": None})

    np.testing.assert_array_equal(jax.grad(of)(VALUES), 2 * VALUES)
    np.testing.assert_array_equal(jax.vmap(of)(np.stack([VALUES, 2 * VALUES])), [14, 56])
    assert jax.jit(of)(VALUES) == 14
    assert not kept.exists()


def test_a_kept_program_is_read_and_a_damaged_one_written_anew(kept: Path) -> None:
    assert total(VALUES, {"scale": None}) == 14
    (file,) = kept.iterdir()
    written, size = file.stat().st_mtime_ns, file.stat().st_size
    forget_programs()
    assert total(VALUES, {"scale": None}) == 14
    assert file.stat().st_mtime_ns == written
    for damage in (b"", file.read_bytes()[:1000], b"not a program"):
        file.write_bytes(damage)
        forget_programs()
        assert total(VALUES, {"scale": None}) == 14
        assert file.stat().st_size == size


def test_threads_share_a_program(kept: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: float(total(VALUES[:1], {"scale": None}, 4)), range(8)))
    assert found == [1.0] * 8
    assert len(list(kept.iterdir())) == 1


def test_other_settings_of_jax_are_other_programs(kept: Path) -> None:
    total(VALUES, {"scale": None})
    with jax.default_matmul_precision("bfloat16"):
        total(VALUES, {"scale": None})
    assert len(list(kept.iterdir())) == 2


def test_programs_used_before_are_loaded_ahead(kept: Path) -> None:
    """Not those of a block that failed, and not a file that is damaged."""
    with loaded_ahead():
        total(VALUES, {"scale": None})
    total(VALUES[:1], {"scale": None})
    with pytest.raises(ValueError, match="a fault"), loaded_ahead():
        raise ValueError("a fault")
    forget_programs()
    noted = programs._note()
    assert noted is not None
    (name,) = noted.read_text().split()
    with loaded_ahead():
        while not programs._ahead:
            time.sleep(0.01)
        assert [path.name for path in programs._ahead] == [name]
        (early,) = programs._ahead.values()
        assert early.result() is not None
        assert total(VALUES, {"scale": None}) == 14
        assert not programs._ahead
    forget_programs()
    (noted.parent / name).write_bytes(b"not a program")
    with loaded_ahead():
        assert total(VALUES, {"scale": None}) == 14


def test_nothing_is_kept_where_jax_keeps_nothing(kept: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", None)
    assert total(VALUES, {"scale": None}) == 14
    assert not kept.exists()


def test_a_later_process_runs_a_program_that_factorises(tmp_path: Path) -> None:
    """Which needs LAPACK, that JAX looks up only when it lowers such a program."""
    module = tmp_path / "factorised.py"
    module.write_text(
        "import jax\nimport numpy as np\nfrom toch_jax.base.programs import program\n"
        "@program()\ndef factor(matrix):\n    return jax.numpy.linalg.cholesky(matrix)\n"
        "print(np.asarray(factor(np.diag(np.float32([4, 9])))).diagonal())\n"
    )
    variables = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "kept"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for _ in range(2):
        done = subprocess.run([sys.executable, module], env=variables, capture_output=True, text=True, check=True)
        assert done.stdout == "[2. 3.]\n"
    assert len(list((tmp_path / "kept" / "programs").iterdir())) == 1
