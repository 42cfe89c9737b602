"""Commands on clips: output, errors and exit codes as a user gets them."""

import os
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from support.command_line import error_line, error_lines

from toch_jax.base import errors
from toch_jax.cli import main
from toch_jax.perturb.training import NoiseConfig


@pytest.fixture
def keys(example_file):
    with np.load(example_file, allow_pickle=False) as archive:
        return dict(archive)


def test_info_names_devices_and_hands():
    """Run in a process of its own, as from a shell."""
    done = subprocess.run([sys.executable, "-m", "toch_jax", "info"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hand open right" in done.stdout
    assert "devices" in done.stdout


def test_nothing_there(tmp_path, capsys):
    line = error_line(capsys, "denoise", tmp_path / "no.npz", "-o", tmp_path / "out.npz")
    assert line.endswith("no.npz: SEQUENCE: expected a file or a folder, found nothing")


def test_truncated_file(example_file, tmp_path, capsys):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(example_file.read_bytes()[:1000])
    assert "broken.npz" in error_line(capsys, "denoise", broken, "-o", tmp_path / "out.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["broken.npz"]


def test_unknown_key_names_the_nearest(tmp_path, capsys, keys):
    keys["hand_pos"] = keys.pop("hand_pose")
    np.savez(tmp_path / "odd.npz", **keys)
    assert "hand_pose" in error_line(capsys, "denoise", tmp_path / "odd.npz", "-o", tmp_path / "out.npz")


def test_pickle_inside(tmp_path, capsys, keys):
    keys["hand_model"] = np.array({"a": 1}, dtype=object)
    np.savez(tmp_path / "pickled.npz", **keys)
    assert "pickled.npz" in error_line(capsys, "denoise", tmp_path / "pickled.npz", "-o", tmp_path / "out.npz")


def test_checkpoint_that_is_none(example_file, tmp_path, capsys):
    line = error_line(capsys, "denoise", example_file, "-o", tmp_path / "out.npz", "--denoiser", example_file)
    assert "tracked.npz" in line


def test_output_that_is_no_npz(example_file, tmp_path, capsys):
    assert ".npz" in error_line(capsys, "denoise", example_file, "-o", tmp_path / "out.txt", "--denoiser", "none")


def test_each_fault_of_a_file_has_its_line(tmp_path, capsys, keys):
    keys |= {"fps": np.array(0.0), "object_vertices": keys["object_vertices"] * 1000}
    np.savez(tmp_path / "odd.npz", **keys)
    assert main(["denoise", str(tmp_path / "odd.npz"), "-o", str(tmp_path / "out.npz")]) == 2
    assert [line.split(": ")[:3] for line in error_lines(capsys)] == [
        ["toch", str(tmp_path / "odd.npz"), key] for key in ("fps", "object mesh")
    ]


def test_faults_in_a_folder_name_the_file(tmp_path, capsys, keys):
    """Also if the fault is in something that the file refers to."""
    (tmp_path / "in").mkdir()
    keys["hand_model"] = np.array("/no/hand")
    np.savez(tmp_path / "in" / "a.npz", **keys)
    assert main(["denoise", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--denoiser", "none"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("toch: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"toch: {tmp_path / 'in' / 'a.npz'}: /no/hand: hand model: expected")


def test_a_folder_reports_what_it_refused(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.npz").write_bytes(b"not a zip")
    assert main(["denoise", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--denoiser", "none"]) == 2
    captured = capsys.readouterr()
    assert "bad.npz" in captured.err
    assert "0 written, 0 were there already, 1 refused: bad.npz" in captured.out


def test_warm_up_compiles_for_the_usual_lengths(monkeypatch, capsys):
    from toch_jax import warming
    from toch_jax.cli.commands import USUAL_FRAMES

    assert USUAL_FRAMES == warming.USUAL_FRAMES
    repaired = []
    monkeypatch.setattr(warming, "refine", lambda sequence, **_: repaired.append(sequence))
    assert main(["warm-up", "16", "300"]) == 0
    assert [sequence.n_frames for sequence in repaired] == [16, 300]
    # the clip is played forward and backward: no jump at the reversal
    steps = np.linalg.norm(np.diff(np.asarray(repaired[1].hands.joints[0]), axis=0), axis=-1)
    assert steps.max() < 0.1
    assert "300 frames: " in capsys.readouterr().out
    assert "expected lengths of 1 frame or more" in error_line(capsys, "warm-up", "0")


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


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["denoise", "--help"]])
def test_a_reader_that_ends_early_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "toch_jax", *words], stdout=writing, stderr=subprocess.PIPE, env=variables
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
