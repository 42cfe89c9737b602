"""Time of `toch denoise` as a command, from its start to its end: `python -m benchmarks.startup`.

On the package's example, with table and picture; beside importing JAX, without which it cannot begin, and beside the
first time ever, when everything is compiled.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.resources import as_file, files
from pathlib import Path

from benchmarks.timing import Race, benchmark


def races() -> Iterable[Race]:
    with tempfile.TemporaryDirectory() as temporary, as_file(files("toch_jax.example") / "tracked.npz") as clip:
        folder = Path(temporary)
        denoise = ["-m", "toch_jax", "denoise", str(clip), "-o", str(folder / "clean.npz")]

        def command(words: list[str], kept: str) -> Callable[[], float]:
            variables = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / kept)}

            def run() -> float:
                subprocess.run([sys.executable, *words], env=variables, check=True, capture_output=True)
                return 1

            return run

        yield Race(
            "toch denoise, 111 frames",
            "command",
            {
                "again": command(denoise, "kept"),
                "again, without picture": command([*denoise, "--no-picture"], "kept"),
                "the first time": command(denoise, "first"),
                "import jax": command(["-c", "import jax"], "kept"),
            },
            frozenset({"the first time"}),
        )


if __name__ == "__main__":
    benchmark("startup", races)
