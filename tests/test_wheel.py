"""The wheel in a new environment, as installed from a package index: no repository, an empty home, no extras."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(REPOSITORY)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


class Installed:
    """A user's environment with only the packages of `pip install WHEEL`; commands run in an empty folder."""

    def __init__(self, root: Path, wheel: Path) -> None:
        self.bin, self.work, home = root / "venv" / "bin", root / "work", root / "home"
        for folder in (self.work, home):
            folder.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if name == "PATH" or name.startswith(("PIP_", "SSL_"))
        }
        self.environment = kept | {"HOME": str(home)}
        subprocess.run([sys.executable, "-m", "venv", str(root / "venv")], check=True)
        self.run("python", "-m", "pip", "install", "--quiet", str(wheel))

    def run(self, *command: str, code: int = 0) -> str:
        """Output of the command, which must exit with `code` and without a traceback."""
        start = time.perf_counter()
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"{' '.join(command)}: {time.perf_counter() - start:.1f} s")
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if code == 2:
            assert len(done.stderr.replace("loading JAX ...\n", "").strip().splitlines()) == 1, done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("user"), wheel)


def test_the_wheel_holds_the_data_and_no_dead_links(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    for folder in ("data_specs", "experiments"):
        for path in (REPOSITORY / folder).glob("*.*"):
            assert f"toch_jax/{folder}/{path.name}" in names
    assert {"toch_jax/py.typed", "toch_jax/example/tracked.npz"} <= names
    assert not [link for link in re.findall(r"\]\(([^)]*)\)", metadata) if not link.startswith("http")]


def test_only_what_inference_needs_is_installed(installed: Installed) -> None:
    for module in ("tensorflow_datasets", "array_record", "pyarrow", "viser", "mujoco"):
        installed.run("python", "-c", f"import importlib.util as i; assert i.find_spec('{module}') is None")
    assert str(installed.bin.parent) in installed.run("python", "-c", "import toch_jax; print(toch_jax.__file__)")


def test_commands_that_need_no_extra(installed: Installed) -> None:
    assert installed.run("toch", "--version") == f"toch-jax {version('toch-jax')}\n"
    assert "denoise" in installed.run("python", "-m", "toch_jax", "--help")
    text = installed.run("toch", "info")
    assert "hand open right" in text
    assert "pip install 'toch-jax[view]'" in text
    assert "--port" in installed.run("toch", "view", "--help")
    assert "open_grasps" in installed.run("toch", "train", "--help")
    assert "--batch.window" in installed.run("toch", "train", "open_grasps", "--help")
    assert "reported, not reproduced" in installed.run("toch", "benchmark", "--reported", "GRAB")
    assert "toch prepare myodm" in installed.run("toch", "benchmark", "filters", code=2)
    assert "toch prepare open_grasps" in installed.run("toch", "train", "open_grasps", code=2)


def test_commands_of_an_extra_name_it(installed: Installed, example_file: Path) -> None:
    shutil.copy(example_file, installed.work / "clip.npz")
    assert "pip install 'toch-jax[view]'" in installed.run("toch", "view", "clip.npz", code=2)
    assert "pip install 'toch-jax[train]'" in installed.run("toch", "prepare", "open_grasps", code=2)


def test_denoise_and_demo(installed: Installed, example_file: Path) -> None:
    shutil.copy(example_file, installed.work / "clip.npz")
    assert "joint error" in installed.run("toch", "denoise", "clip.npz", "-o", "clean.npz")
    assert (installed.work / "clean.png").is_file()
    with np.load(installed.work / "clean.npz", allow_pickle=False) as clean:
        assert np.isfinite(clean["hand_joint_sigma"]).all()
    installed.run("toch", "demo")
    assert list((installed.work / "demo").glob("*.npz"))
