"""The command line as a user meets it."""

import subprocess
import sys

import numpy as np
import pytest

from toch_jax.cli import main


def error_line(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a refused command."""
    assert main([str(a) for a in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def keys(example_file):
    with np.load(example_file, allow_pickle=False) as archive:
        return dict(archive)


def test_info_names_devices_and_hands():
    """In a process of its own, as the shell has it."""
    done = subprocess.run([sys.executable, "-m", "toch_jax.cli", "info"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hand open right" in done.stdout
    assert "devices" in done.stdout


def test_nothing_there(tmp_path, capsys):
    assert "nothing" in error_line(capsys, "denoise", tmp_path / "no.npz", "-o", tmp_path / "out.npz")


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


def test_a_folder_reports_what_it_refused(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.npz").write_bytes(b"not a zip")
    assert main(["denoise", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--denoiser", "none"]) == 2
    captured = capsys.readouterr()
    assert "bad.npz" in captured.err
    assert "1 refused" in captured.out


def test_data_set_that_is_not_prepared(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TOCH_DATA", str(tmp_path))
    line = error_line(capsys, "train", "experiments/open_grasps.py", "--run-dir", tmp_path / "run")
    assert "toch prepare open_grasps" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("grab", "--raw", "there", "--wheel", "w.whl"),
        ("open_grasps", "--raw", "there"),
        ("arctic", "--raw", "there", "--toch-rules"),
        ("grab", "--raw", "there", "--protocol", "p2"),
    ],
)
def test_options_of_another_data_set(arguments, capsys):
    option = next(argument for argument in reversed(arguments) if argument.startswith("--"))
    line = error_line(capsys, "prepare", *arguments)
    assert f"toch prepare {arguments[0]}: {option}" in line


def test_experiment_that_is_none(tmp_path, capsys):
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "empty.py" in error_line(capsys, "train", tmp_path / "empty.py")
    assert "empty.py" in error_line(capsys, "benchmark", tmp_path / "empty.py")
