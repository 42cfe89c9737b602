"""Items mapped by several processes: order, errors, and an end with the parent."""

import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toch_jax.base.processes import map_in_processes, usual_processes


def test_results_are_those_of_one_process_in_order() -> None:
    items = [5, 0, 11, 3]
    assert list(map_in_processes(math.factorial, items, 1)) == [math.factorial(n) for n in items]
    assert list(map_in_processes(math.factorial, items, 2)) == [math.factorial(n) for n in items]
    assert list(map_in_processes(math.factorial, [], 4)) == []
    assert 1 <= usual_processes() <= 8


@pytest.mark.slow
def test_an_error_ends_the_map() -> None:
    with pytest.raises(ValueError, match="factorial"):
        list(map_in_processes(math.factorial, [1, -1, 2], 2))


PROGRAM = """
from pathlib import Path
import functools
from toch_jax.base.processes import map_in_processes

def slow(folder, n):
    import os, time
    Path(folder, f"{n}-{os.getpid()}").touch()
    time.sleep(0 if n == 0 else 600)

if __name__ == "__main__":
    list(map_in_processes(functools.partial(slow, FOLDER), range(3), 2))
"""


@pytest.mark.slow
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    marks, script = tmp_path / "marks", tmp_path / "script.py"
    marks.mkdir()
    script.write_text(PROGRAM.replace("FOLDER", repr(str(marks))))
    parent = subprocess.Popen([sys.executable, str(script)])
    until = time.monotonic() + 60
    while len(list(marks.iterdir())) < 3 and time.monotonic() < until:
        time.sleep(0.1)
    workers = {int(path.name.split("-")[1]) for path in marks.iterdir()}
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
