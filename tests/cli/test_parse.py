"""Help, completion, and the one line for what is wrong with a command line."""

import contextlib
import os
import re
import subprocess
import sys

import pytest
from support.command_line import error_line

from toch_jax.cli import main
from toch_jax.cli.experiments import experiment_files


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The help text of a command, which may end with SystemExit."""
    with contextlib.suppress(SystemExit):
        assert main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_help_lists_every_command(capsys):
    text = shown(capsys)
    for command in (
        "demo",
        "denoise",
        "convert",
        "view",
        "info",
        "warm-up",
        "prepare",
        "train",
        "benchmark",
        "--version",
        "--completion",
    ):
        assert command in text


@pytest.mark.parametrize(
    ("dataset", "own"),
    [
        ("open_grasps", ["--processes"]),
        ("myodm", ["--wheel"]),
        ("grab", ["--raw", "--toch-rules"]),
        ("arctic", ["--raw", "--protocol"]),
    ],
)
def test_each_data_set_has_flags_of_its_own(dataset, own, capsys):
    text = shown(capsys, "prepare", dataset)
    flags = set(re.findall(r"--[a-z][\w-]+", text)) - {"--help", "--data-dir"}
    assert flags == set(own)
    assert "docs/" not in text


def test_help_has_no_python_noise(capsys):
    for command in (["denoise"], ["convert"], ["view"], ["benchmark"], ["prepare", "grab"]):
        text = shown(capsys, *command)
        assert "None" not in text
        assert "{" not in text.replace("{female,male}", "")


def test_help_names_the_project_s_experiments(capsys):
    text = shown(capsys, "train")
    for name in experiment_files("experiment"):
        assert name in text
    text = shown(capsys, "benchmark")
    for name in experiment_files("benchmark"):
        assert name in text


def test_help_of_an_experiment_lists_what_can_be_changed(capsys):
    text = shown(capsys, "train", "toch_open_grasps")
    for option in ("--steps", "--batch.window", "--noise.rotation", "--optimiser.learning-rate", "--denoiser.latent"):
        assert option in text
    assert "(default: 3500)" in text
    assert "--run-dir" in text
    text = shown(capsys, "train", "refinenet_open_grasps")
    for option in ("--steps", "--batch.batch", "--optimiser.weight-decay", "--refiner.width", "--run-dir"):
        assert option in text


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_one_line_in_any_encoding(encoding):
    """Tyro draws other boxes on terminals without box-drawing characters."""
    command = [sys.executable, "-m", "toch_jax", "view", "a.npz", "--port"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    line = "toch view: Missing value for argument '--port'. Expected 1 values; see toch view --help\n"
    assert (done.returncode, done.stderr) == (2, line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell, capsys):
    assert main(["--completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("denoise", "object-scale", "arctic", "toch-rules"):
        assert word in script


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("denois", "toch: unknown command 'denois', did you mean denoise?"),
        ("xyz", "toch: unknown command 'xyz'; see toch --help"),
        ("--versio", "toch: unknown option '--versio', did you mean --version?"),
        ("prepare grib", "toch prepare: unknown command 'grib', did you mean grab?"),
        ("denoise a.npz --ouput b.npz", "toch denoise: unknown option --ouput, did you mean --output?"),
        ("denoise a.npz -o b.npz --objet=c.obj", "toch denoise: unknown option --objet, did you mean --object?"),
        ("denoise a.npz", "toch denoise: missing -o PATH, --output PATH; see toch denoise --help"),
        ("denoise a.npz -o b.npz --object-scale x", "parsing --object-scale: expected a number, found 'x'; see"),
        ("denoise a.npz b.npz -o c.npz", "toch denoise: Unrecognized options: b.npz"),
        ("view a.npz --port", "toch view: Missing value for argument '--port'"),
        ("prepare grab", "toch prepare grab: missing --raw FOLDER"),
        ("prepare open_grasps --raw there", "toch prepare open_grasps: unknown option --raw"),
        ("prepare grab --raw there --protocol p2", "toch prepare grab: unknown option --protocol"),
        ("prepare arctic --raw there --protocol p3", "Expected one of ('p1', 'p2')"),
        ("train open_grasps --step 3", "toch train open_grasps: unknown option --step, did you mean --steps?"),
        ("train open_grasps --steps many", "parsing --steps: expected a whole number, found 'many'"),
        ("train", "toch train: expected an experiment first (arctic_ours, critic_myodm, "),
        ("train --steps 3", "or a Python file), found --steps; see toch train --help"),
        ("train open_grasp", "did you mean open_grasps?"),
        ("train nothing", "toch: nothing: experiment: expected a Python file that binds `experiment`, or one of "),
        ("view", "toch view: missing SEQUENCE; see toch view --help"),
        ("benchmark filterz", "did you mean filters?"),
        (
            "benchmark",
            "toch benchmark: expected an experiment (benchmark, filters, object_noise, two_hands, or a Python file)",
        ),
        ("--completion tcsh", "toch --completion: expected a shell, one of bash, zsh, fish"),
    ],
)
def test_what_is_wrong_with_the_command_line_takes_one_line(arguments, message, capsys):
    assert message in error_line(capsys, *arguments.split())


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("denoise no.npz -o b.npz", "toch: no.npz: SEQUENCE: expected a file or a folder, found nothing"),
        ("denoise . -o out --object no.obj", "toch: no.obj: --object: expected a file or a folder, found nothing"),
        ("denoise a.npz -o out.txt", "toch: out.txt: -o: expected a file name that ends in .npz, found out.txt"),
        ("denoise a.npz -o b.npz --denoiser no", "toch: no: --denoiser: expected a file, default or none, found no"),
        ("denoise a.npz -o b.npz --critic no", "toch: no: --critic: expected a file, default or none, found no"),
        ("convert a.zip -o b.zip", "toch: b.zip: -o: expected a file name that ends in .npz, found b.zip"),
        ("view no.npz", "toch: no.npz: SEQUENCE: expected a file, found nothing"),
        ("view a.npz no.npz", "toch: no.npz: CLEAN: expected a file, found nothing"),
        ("prepare grab --raw a.npz", "toch: a.npz: --raw: expected a folder, found a file"),
        ("prepare myodm --wheel no.whl", "toch: no.whl: --wheel: expected a file, found nothing"),
        (
            "benchmark",
            "toch benchmark: expected an experiment (benchmark, filters, object_noise, two_hands, or a Python file)",
        ),
        ("benchmark filterz", "toch: filterz: experiment: expected a Python file that binds `benchmark`, or one of "),
    ],
)
def test_what_is_missing_is_told_before_jax_is_loaded(command, line, tmp_path, monkeypatch, capsys):
    for name in ("a.npz", "a.zip"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("toch_jax.cli.parse.set_up_process", lambda: pytest.fail("JAX would be loaded"))
    assert error_line(capsys, *command.split()).startswith(line)
