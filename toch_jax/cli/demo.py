"""`toch demo`."""

import shutil
import sys
from pathlib import Path

import tyro


def demo(output: tyro.conf.Positional[Path] = Path("demo")) -> int:
    """Repair the clip that comes with the package, and compare with a filter and with the fit without the network.

    Args:
        output: The folder to write to.
    """
    from toch_jax.base.progress import to_stderr
    from toch_jax.cli.demo_clip import demo_text, run_demo

    print(demo_text(run_demo(output, to_stderr), _as_typed()))
    return 0


def _as_typed() -> str:
    """What the user types for `toch`: the name where the shell finds it, else the path, else the module."""
    started = Path(sys.argv[0])
    if started.name != "toch":
        return "python -m toch_jax"
    return "toch" if shutil.which("toch") == str(started.absolute()) else str(started)
