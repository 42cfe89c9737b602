"""Commands on clips: output, errors and exit codes as a user gets them."""

import subprocess
import sys

import numpy as np
import pytest
from support.command_line import error_line, error_lines

from toch_jax.cli import main


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
