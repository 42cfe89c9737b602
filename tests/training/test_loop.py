"""The training loop, and its metrics."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import tiny_run

from toch_jax.base.errors import InputError
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.training.loop import WEIGHTS, Metrics, claim_run_dir, read_metrics

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of the runs, which share compiled code."""
    folder = tmp_path_factory.mktemp("compiled")
    return {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def start(run_dir: Path, caches: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", tiny_run.__name__, str(run_dir)], env=caches, cwd=TESTS)


def weights_of(run_dir: Path) -> dict[str, np.ndarray]:
    with np.load(run_dir / WEIGHTS) as archive:
        return {key: archive[key] for key in archive.files if key.startswith("weights/")}


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, caches: dict[str, str]) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, caches).wait() == 0

    process = start(broken, caches)
    metrics = broken / "metrics.jsonl"
    while process.poll() is None and not any((broken / "checkpoints").glob("[0-9]*[0-9]")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (broken / WEIGHTS).exists()
    assert start(broken, caches).wait() == 0

    ours, theirs = weights_of(broken), weights_of(whole)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
    # each step was logged once, with the same values
    assert read_metrics(metrics) == read_metrics(whole / "metrics.jsonl")

    # the files that a run writes
    lines = read_metrics(metrics)
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == list(range(1, tiny_run.EXPERIMENT.steps + 1))
    assert {"distance_mm", "distance_before_mm", "joints_mm"} <= lines[-1].keys()
    assert (broken / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "jax" in json.loads((broken / "versions.json").read_text())
    assert load_denoiser(broken / WEIGHTS).config == tiny_run.EXPERIMENT.denoiser.for_hand(tiny_run.HAND)


def test_another_experiments_folder_is_refused(tmp_path: Path) -> None:
    claim_run_dir(tmp_path, tiny_run.EXPERIMENT)
    claim_run_dir(tmp_path, tiny_run.EXPERIMENT)
    other = replace(tiny_run.EXPERIMENT, batch=replace(tiny_run.EXPERIMENT.batch, window=16))
    with pytest.raises(InputError) as caught:
        claim_run_dir(tmp_path, other)
    text = str(caught.value)
    assert "\n" not in text
    assert "experiment.batch.window: expected 8" in text
    assert "found 16" in text


def test_a_resumed_run_forgets_what_was_written_past_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = Metrics(path, 0)
    for step in (1, 2, 3, 4):
        first.write(step, {"loss": step / 3})
    with path.open("a") as file:
        file.write('{"step": 5, "lo')  # a line cut off by a kill
    Metrics(path, 2).write(3, {"loss": 9.0})
    assert read_metrics(path) == [
        {"step": 1, "loss": 0.333333},
        {"step": 2, "loss": 0.666667},
        {"step": 3, "loss": 9.0},
    ]
