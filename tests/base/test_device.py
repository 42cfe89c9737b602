"""Settings for accelerators do not change results; the accelerators are simulated on the CPU. The compilation cache is
kept between processes, unless the user has set a folder or disabled it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain_jit

from toch_jax.base.device import full_precision
from toch_jax.cli import main
from toch_jax.field.rays import nearest_hits
from toch_jax.observe import FieldObservation
from toch_jax.pipeline import repair_by
from toch_jax.sequence.file import load_sequence


class Stop(Exception):
    """Raised to end a computation once the test has seen enough."""


def precision() -> object:
    return jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _rounded() -> Iterator[None]:
    """Set the default matmul precision to bfloat16, as on a TPU."""
    with jax.default_matmul_precision("bfloat16"):
        yield


def test_products_are_exact_within_and_as_before_without() -> None:
    assert full_precision(precision)() == "float32"
    assert precision() == "bfloat16"
    assert "HIGHEST" in str(jax.make_jaxpr(full_precision(jnp.dot))(jnp.ones(2), jnp.ones(2)))
    assert "HIGHEST" not in str(jax.make_jaxpr(jnp.dot)(jnp.ones(2), jnp.ones(2)))


def test_a_repair_has_exact_products(example_file: Path) -> None:
    def look(*_: object) -> FieldObservation:
        assert precision() == "float32"
        raise Stop

    with pytest.raises(Stop):
        repair_by(load_sequence(example_file).frames(28, 44), look)


def test_commands_have_exact_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(jax.config, "update", asked.__setitem__)
    (tmp_path / "no_archive.npz").write_bytes(b"")
    assert main(["denoise", str(tmp_path / "no_archive.npz"), "-o", str(tmp_path / "out.npz")]) == 2
    assert asked["jax_default_matmul_precision"] == "float32"


def test_frames_together_are_hit_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the last batch is not full, and with few groups of lines at once."""
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(60, 3))
    faces = jnp.asarray(rng.integers(0, 60, (90, 3)))
    frames = jnp.asarray(corners + 0.1 * rng.normal(size=(5, 60, 3)), jnp.float32)
    origins, directions = jnp.asarray(rng.normal(size=(2, 1, 40, 3)), jnp.float32)
    directions /= jnp.linalg.norm(directions, axis=-1, keepdims=True)
    given = (origins, directions, jnp.full((40, 2), 3.0), frames, faces, jnp.asarray(corners, jnp.float32))
    monkeypatch.setattr("toch_jax.field.rays._sizes", lambda _: (1, 512))
    one_by_one = plain_jit(lambda *given: nearest_hits(*given), *given)
    assert 20 < np.isfinite(one_by_one.distance).sum() < one_by_one.distance.size - 20
    for sizes in ((2, 3), (8, 2**16)):
        monkeypatch.setattr("toch_jax.field.rays._sizes", lambda _, sizes=sizes: sizes)
        at_once = plain_jit(lambda *given: nearest_hits(*given), *given)
        for one, other in zip(jax.tree.leaves(one_by_one), jax.tree.leaves(at_once), strict=True):
            np.testing.assert_array_equal(one, other)


COMPILE = """
import jax
{before}
from toch_jax.base.device import keep_compiled
keep_compiled()
keep_compiled()
jax.jit(lambda x: jax.numpy.sin(x)[jax.numpy.arange(3)])(jax.numpy.arange(5.0))
print(jax.config.values["jax_compilation_cache_dir"])
"""
COMPILED_BEFORE = "import toch_jax; toch_jax.InputError; jax.jit(lambda x: x * 2)(1.0)"


def compile_something(home: Path, before: str = "", **environment: str) -> tuple[str, str]:
    """Standard output and standard error of a new process that compiles a function."""
    unset = ("JAX_COMPILATION_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL")
    variables = {key: value for key, value in os.environ.items() if key not in unset}
    variables |= {"HOME": str(home), "XDG_CACHE_HOME": str(home), **environment}
    code = COMPILE.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def test_the_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    """Also with code compiled before the first call, and without messages of XLA about cache hits."""
    before = "jax.jit(lambda x: x + 1)(1.0)"
    folder, _ = compile_something(tmp_path, before)
    assert Path(folder) == tmp_path / "toch_jax" / "compiled"
    written = {path.name for path in Path(folder).glob("*-cache")}
    assert written
    assert compile_something(tmp_path, before) == (folder, "")
    assert {path.name for path in Path(folder).glob("*-cache")} == written


def test_the_users_own_cache_stays(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert compile_something(tmp_path, JAX_COMPILATION_CACHE_DIR=str(own))[0] == str(own)
    # cache hits there print nothing either
    keep_all = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_COMPILATION_CACHE_DIR": str(own)}
    for before in ("", "", COMPILED_BEFORE, COMPILED_BEFORE):
        assert compile_something(tmp_path, before, **keep_all) == (str(own), "")
    assert compile_something(tmp_path, f'jax.config.update("jax_compilation_cache_dir", "{own}")')[0] == str(own)
    assert compile_something(tmp_path, 'jax.config.update("jax_enable_compilation_cache", False)')[0] == "None"
    assert not (tmp_path / "toch_jax").exists()


def test_without_a_folder_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder, said = compile_something(tmp_path / "file")
    assert folder == "None"
    assert said.count("compiled code is not kept: ") == said.count("UserWarning: ") == 1
