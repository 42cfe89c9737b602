"""The command `toch` as a process: what it imports, and what becomes of a fault of its commands."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from support.command_line import error_line

from toch_jax.base import errors
from toch_jax.cli import main
from toch_jax.perturb.training import NoiseConfig


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"toch-jax {version('toch-jax')}\n"


def test_help_and_version_do_without_jax():
    """Both must be immediate; importing JAX takes seconds."""
    code = (
        "import sys; from toch_jax.cli import main; main(sys.argv[1:]); "
        "assert not {'jax', 'tensorflow_datasets', 'trimesh'} & set(sys.modules)"
    )
    for arguments in (["--help"], ["--version"], ["prepare"], ["train", "--help"], ["--completion", "bash"]):
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "denoise a.npz -o b.npz", "view a.npz", "info", "warm-up"),
        *("prepare open_grasps", "train open_grasps", "benchmark filters"),
    ],
)
def test_a_command_speaks_before_it_imports_what_takes_seconds(command, tmp_path):
    (tmp_path / "a.npz").touch()
    code = "import sys; sys.modules['jax'] = None; from toch_jax.cli import main; main(sys.argv[1:])"
    call = [sys.executable, "-c", code, *command.split()]
    done = subprocess.run(call, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.startswith("loading JAX ...\n")
    assert "import of jax halted" in done.stderr


def test_inference_imports_no_library_of_training():
    code = (
        "import sys; import toch_jax.cli.denoise_file, toch_jax.benchmark.experiment, toch_jax.view.viewer; "
        "from toch_jax.denoiser.checkpoints import load_denoiser; load_denoiser(); "
        "assert not {'orbax', 'tensorflow_datasets', 'array_record', 'mujoco', 'viser'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_of_an_extra_that_is_not_installed(monkeypatch, tmp_path, capsys):
    """`toch prepare` without a package of an extra: the error names the package and how to install it."""
    monkeypatch.setattr(errors, "requires", lambda _: ["tensorflow-datasets>=4.9; extra == 'train'"])
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    for module in ("convert", "open_grasps.builder", "open_grasps"):
        monkeypatch.delitem(sys.modules, f"toch_jax.datasets.{module}", raising=False)
    line = error_line(capsys, "prepare", "open_grasps", "--data-dir", tmp_path)
    assert line == (
        "toch: tensorflow_datasets: package: expected it installed: pip install 'toch-jax[train]', found none"
    )


def test_data_set_that_is_not_prepared(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TOCH_DATA", str(tmp_path))
    line = error_line(capsys, "train", "experiments/open_grasps.py", "--run-dir", tmp_path / "run")
    assert "toch prepare open_grasps" in line


def test_flags_override_the_experiment(tmp_path, monkeypatch, capsys):
    """`toch train` runs with the values of the experiment's file, replaced by those of the flags."""
    (tmp_path / "one.py").write_text(
        "from toch_jax.denoiser.field_net import FieldNetConfig\n"
        "from toch_jax.training.experiment import Experiment\n"
        "experiment = Experiment(name='one', denoiser=FieldNetConfig(canonical_scale=5.0), seed=3)\n"
    )
    ran = []
    monkeypatch.setattr("toch_jax.training.loop.run_experiment", lambda *given: ran.append(given) or {"error_mm": 1.0})
    options = ["--steps", "7", "--batch.window", "16", "--denoiser.frame-width", "64", "--optimiser.period", "None"]
    assert main(["train", str(tmp_path / "one.py"), *options, "--run-dir", str(tmp_path / "run")]) == 0
    ((experiment, run_dir),) = ran
    assert (experiment.name, experiment.seed, experiment.steps, experiment.batch.window) == ("one", 3, 7, 16)
    assert experiment.denoiser.frame_width == 64
    assert experiment.denoiser.canonical_scale == 5.0
    assert experiment.noise == NoiseConfig()
    assert run_dir == tmp_path / "run"
    assert "error_mm: 1.000" in capsys.readouterr().out


def test_published_figures_by_word(capsys):
    assert main(["benchmark", "--reported", "GRAB", "mpjpe"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) > 3


def test_experiment_that_is_none(tmp_path, capsys):
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "empty.py" in error_line(capsys, "train", tmp_path / "empty.py")
    assert "empty.py" in error_line(capsys, "benchmark", tmp_path / "empty.py")
