"""`toch convert`, and `toch denoise` of a tracker's file: what a user types and reads."""

import os
import pickle

import numpy as np
import pytest
from support.command_line import error_line
from support.tracker_clip import clip

from toch_jax.cli import main
from toch_jax.sequence.file import load_sequence


@pytest.fixture
def files(tmp_path):
    """A left hand's joints, an object's mesh in millimetres and its poses."""
    true = clip("left")
    np.save(tmp_path / "hand.npy", true.joints)
    np.save(tmp_path / "poses.npy", true.object_poses)
    mesh = true.mesh.copy()
    mesh.apply_scale(1000).export(tmp_path / "object.obj")
    return tmp_path


def options(files, **more):
    given = {"object": files / "object.obj", "object-scale": 0.001, "object-poses": files / "poses.npy"}
    given |= {"side": "left", "fps": 8, **{key.replace("_", "-"): value for key, value in more.items()}}
    return [str(word) for key, value in given.items() if value is not None for word in (f"--{key}", value)]


def test_one_command_makes_a_sequence_file(files, capsys):
    assert main(["convert", str(files / "hand.npy"), *options(files), "-o", str(files / "clip.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "read as plain: 28 frames at 8 fps; left lost in 0"
    assert lines[-1] == f"sequence -> {files / 'clip.npz'}"
    assert len(lines) <= 6
    sequence = load_sequence(files / "clip.npz")
    np.testing.assert_allclose(np.asarray(sequence.hands.joints[0]), clip("left").joints, atol=1e-6)


def test_into_a_folder(files):
    (files / "out").mkdir()
    assert main(["convert", str(files / "hand.npy"), *options(files), "-o", str(files / "out")]) == 0
    assert [path.name for path in (files / "out").iterdir()] == ["hand.npz"]


@pytest.mark.parametrize("command", ["convert", "denoise"])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"side": None}, "--side right or --side left"),
        ({"fps": None}, "frame rate: expected --fps"),
        ({"object_scale": 1}, "--object-scale 0.001"),
        ({"side": "right"}, "bend as a right hand's, found a left hand's (--side left)"),
        ({"format": "hamer"}, "--format: expected a file of this format"),
        ({"object": None}, "--object"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(command, more, message, files, capsys):
    call = [command, files / "hand.npy", *options(files, **more), "-o", files / "clip.npz"]
    line = error_line(capsys, *call)
    assert message in line
    assert not (files / "clip.npz").exists()


def test_faults_of_the_command_line_are_said_before_jax_is_loaded(files, capsys):
    more = ["--object-poses", str(files / "none.npy")]
    for command in ("convert", "denoise"):
        assert main([command, str(files / "hand.npy"), *more, "-o", str(files / "clip.npz")]) == 2
        assert "none.npy: --object-poses: expected a file or a folder" in (error := capsys.readouterr().err)
        assert "loading JAX" not in error
        assert main([command, str(files / "hand.npy"), "-o", str(files / "clip.txt")]) == 2
        assert "a file name that ends in .npz" in (error := capsys.readouterr().err)
        assert "loading JAX" not in error


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_pickle_with_code(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    (files / "hand.pkl").write_bytes(pickle.dumps([Evil()]))
    line = error_line(capsys, "denoise", files / "hand.pkl", *options(files), "-o", files / "clip.npz")
    assert "mkdir, which was not run" in line
    assert not (files / "ran").exists()


@pytest.mark.slow
def test_denoise_of_a_trackers_file(files, capsys):
    call = ["denoise", str(files / "hand.npy"), *options(files), "-o", str(files / "clean.npz"), "--denoiser", "none"]
    assert main([*call, "--no-picture"]) == 0
    assert "read as plain: 28 frames" in capsys.readouterr().out
    assert load_sequence(files / "clean.npz").hand_joint_sigma is not None
