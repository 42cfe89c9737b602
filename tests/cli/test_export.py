"""`toch export`: what a user types and reads."""

import numpy as np
import pytest
from support.command_line import error_line

from toch_jax.cli import main
from toch_jax.exporters.endings import ENDINGS
from toch_jax.exporters.formats import WRITERS


def test_one_command(example_file, tmp_path, capsys):
    out = tmp_path / "new" / "hand.npy"
    assert main(["export", str(example_file), "--to", "keypoints", "-o", str(out), "--unit", "cm"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"keypoints -> {out}"
    assert np.load(out).shape[-2:] == (21, 3)


def test_another_frame_rate(example_file, tmp_path):
    """The example has 111 frames at 30 fps."""
    call = ["export", str(example_file), "--to", "keypoints", "-o", str(tmp_path / "hand.npz"), "--fps", "60"]
    assert main(call) == 0
    with np.load(tmp_path / "hand.npz") as file:
        assert (file["fps"], len(file["left"]), len(file["object_pose"])) == (60, 221, 221)


@pytest.mark.parametrize(
    ("to", "name", "message"),
    [
        ("keypoint", "hand.npy", "toch export: --to: expected one of mano-smplx, mano-manopth, keypoints"),
        ("keypoints", "hand.txt", "a file name that ends in .npy or .npz or .csv or .json, found hand.txt"),
    ],
)
def test_faults_of_the_command_line_are_said_before_jax_is_loaded(to, name, message, example_file, tmp_path, capsys):
    assert main(["export", str(example_file), "--to", to, "-o", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "loading JAX" not in error


def test_what_a_format_lacks_is_said_in_one_line(example_file, tmp_path, capsys):
    line = error_line(capsys, "export", example_file, "--to", "mano-smplx", "-o", tmp_path / "hand.npz")
    assert "expected those of MANO" in line
    assert not list(tmp_path.iterdir())


def test_every_format_has_a_writer_and_a_line():
    assert list(WRITERS) == list(ENDINGS)
