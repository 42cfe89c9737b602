"""The experiments on GRAB and ARCTIC run to their end on folders with the layouts of those data sets."""

from pathlib import Path

import numpy as np
import pytest
from support.arctic_folder import write_arctic
from support.grab_folder import SUBJECTS, write_grab
from support.mano_files import write_mano

from toch_jax.benchmark.experiment import Benchmark, Dataset, run_benchmark
from toch_jax.benchmark.methods.registry import Input
from toch_jax.cli import main
from toch_jax.denoiser.checkpoints import load_denoiser

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMALL = "--steps 3 --batch.batch 2 --batch.window 8 --batch.samples 64 --validation-batches 1"
FIELD_NET = "--denoiser.point-width 8 --denoiser.frame-width 16 --denoiser.dilations 1 2"
TOCH = "--denoiser.latent 8 --denoiser.encoder-widths 4 4 8 8 --denoiser.decoder-widths 8 8 4 4"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_MANO", str(write_mano(tmp_path / "mano")))
    monkeypatch.setenv("TOCH_DATA", str(tmp_path / "data"))


def train(name: str, more: str, run_dir: Path) -> None:
    arguments = f"{SMALL} {more} --data.object-samples 200 --data.hand-faces 100".split()
    assert main(["train", str(EXPERIMENTS / f"{name}.py"), "--run-dir", str(run_dir), *arguments]) == 0
    assert (run_dir / "denoiser.npz").is_file()
    load_denoiser(str(run_dir / "denoiser.npz"))


@pytest.mark.parametrize(("name", "rules"), [("grab_ours", []), ("grab_toch", ["--toch-rules"])])
def test_grab(name: str, rules: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    clips = {f"{subject}/0": "cup_lift_1" for subject in SUBJECTS} | {"s1/1": "mug_drink_1", "s2/1": "apple_eat_1"}
    write_grab(tmp_path / "raw", clips, frames=400 if rules else 130)
    assert main(["prepare", "grab", "--raw", str(tmp_path / "raw"), *rules]) == 0
    train(name, FIELD_NET if name == "grab_ours" else TOCH, tmp_path / "run")
    assert np.isfinite(float(capsys.readouterr().out.split("joints_tracked_mm: ")[1].split()[0]))


def test_arctic(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    protocol = {"train": ["s01/box_grab_01", "s02/laptop_use_02"], "val": ["s05/box_use_01"], "test": []}
    write_arctic(tmp_path / "raw", protocol)
    assert main(["prepare", "arctic", "--raw", str(tmp_path / "raw")]) == 0
    train("arctic_ours", FIELD_NET, tmp_path / "run")
    assert np.isfinite(float(capsys.readouterr().out.split("joints_tracked_mm: ")[1].split()[0]))
    experiment = Benchmark((Dataset("arctic", ("T(0.01)",)),), (Input(),), split="val", validation="train")
    found = {r.metric: r.mean for r in run_benchmark(experiment, tmp_path / "benchmark") if r.method == "input"}
    assert {"arctic_acc", "mrrpe_rl", "mrrpe_ro"} <= found.keys()
    # mean length of the difference of two hands' noise, each of 1 cm (Maxwell distribution)
    assert found["mrrpe_rl"] == pytest.approx(10 * np.sqrt(2) * np.sqrt(8 / np.pi), rel=0.15)
    assert "aae" not in found


@pytest.mark.parametrize("name", ["grab_ours", "grab_toch", "arctic_ours"])
def test_without_the_data_one_line_says_how_to_get_it(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", str(EXPERIMENTS / f"{name}.py"), "--run-dir", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"toch prepare {name.split('_')[0]} --raw FOLDER" in line
