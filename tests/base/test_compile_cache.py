"""The compilation cache is kept between processes, unless the user has set a folder or disabled it."""

import os
import subprocess
import sys
from pathlib import Path

COMPILE = """
import jax
{before}
from toch_jax.base.compile_cache import keep_compiled
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
