"""Speed of `toch denoise FOLDER`: `python -m benchmarks.folder`; clips of 100 frames, with pictures."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.timing import Race, benchmark
from toch_jax.sequence.file import save_sequence
from toch_jax.warming import example

FRAMES, CLIPS = 100, 100


def races() -> Iterable[Race]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tracked = folder / "tracked"
        tracked.mkdir()
        clip = example(FRAMES)
        for number in range(CLIPS):
            save_sequence(tracked / f"{number:03}.npz", clip)
        rounds = iter(range(1000))

        def command(source: Path, clips: int) -> Callable[[], float]:
            variables = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "kept")}

            def run() -> float:
                target = folder / f"clean_{next(rounds)}{source.suffix}"
                words = [sys.executable, "-m", "toch_jax", "denoise", str(source), "-o", str(target)]
                subprocess.run(words, env=variables, check=True, capture_output=True)
                return clips * FRAMES

            return run

        one, all_clips = command(tracked / "000.npz", 1), command(tracked, CLIPS)
        one()  # compiles
        runs = {"a folder of 100 clips": all_clips, "a process for one clip": one}
        yield Race(f"toch denoise, clips of {FRAMES} frames", "frame", runs, frozenset({"a folder of 100 clips"}))


if __name__ == "__main__":
    benchmark("folder", races)
