"""`toch demo`."""

from pathlib import Path

import tyro

from toch_jax.cli.denoise import denoise


def demo(output: tyro.conf.Positional[Path] = Path("demo")) -> int:
    """Repair the clip that comes with the package.

    Args:
        output: The folder to write to.
    """
    from importlib.resources import as_file, files

    with as_file(files("toch_jax.example") / "tracked.npz") as example:
        print(f"a generated grasp whose tracked hand jitters: {example}")
        return denoise(example, output / "clean.npz")
