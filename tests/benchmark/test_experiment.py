"""`toch benchmark`, from an experiment to the files that it writes."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark import experiment as experiments
from toch_jax.benchmark.experiment import Benchmark, Dataset, run_benchmark
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.method import Method, Repair, predict
from toch_jax.benchmark.methods.registry import Input, Ours
from toch_jax.cli import main
from toch_jax.metrics import METRICS
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence

KALMAN = FILTERS[-1]


@pytest.fixture(scope="module")
def clip(example_file: Path) -> Sequence:
    """A clean clip."""
    tracked = load_sequence(example_file)
    return tracked.replace(hands=tracked.truth, truth=None, hand_valid=jnp.ones_like(tracked.hand_valid))


@pytest.fixture
def tiny(clip: Sequence, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    asked = {"test": [("a", clip), ("b", clip), ("c", clip)], "val": [("v", clip)]}
    monkeypatch.setattr(experiments, "read_sequences", lambda dataset, split: iter(asked[split]))
    return Benchmark((Dataset("toy", ("T(0.01)", "R(0.3)", "R(0.5)")),), (Input(), KALMAN))


def test_quick_writes_everything(tiny: Benchmark, tmp_path: Path) -> None:
    results = run_benchmark(tiny, tmp_path, quick=True)
    written = json.loads((tmp_path / "results.json").read_text())
    assert len(written) == len(results)
    keys = ["dataset", "noise", "method", "metric", "unit", "mean", "low", "high", "clips"]
    assert all(list(row) == keys for row in written)
    assert {row["noise"] for row in written} == {"T(0.01)", "R(0.3)"}
    assert {row["method"] for row in written} == {"truth", "input", "filter:kalman:object"}
    assert all(row["unit"] == METRICS[row["metric"]].unit and row["clips"] == 2 for row in written)
    error = {(row["noise"], row["method"]): row["mean"] for row in written if row["metric"] == "mpjpe"}
    assert error["T(0.01)", "input"] == pytest.approx(20 * np.sqrt(2 / np.pi), rel=0.15)
    assert error["T(0.01)", "filter:kalman:object"] < error["T(0.01)", "input"]
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names >= {"results.md", "metrics.json", "filters/toy.json", "plots/toy_error.png"}
    assert {name for name in names if name.startswith("clips/toy/T(0.01)")} == {
        *("clips/toy/T(0.01)/a.json", "clips/toy/T(0.01)/c.json")
    }
    assert json.loads((tmp_path / "clips/toy/T(0.01)/a.json").read_text())["frames"] == experiments.QUICK_FRAMES
    text = (tmp_path / "results.md").read_text()
    for part in ("| T(0.01) | input |", "kalman:object Kalman(ratio=", "reported, not reproduced", "contact_f1"):
        assert part in text

    with pytest.raises(InputError, match=r"clips: expected cut to 40 frames.*found whole"):
        run_benchmark(tiny, tmp_path)


@pytest.mark.slow
def test_methods_that_need_no_tuning(tiny: Benchmark, tmp_path: Path) -> None:
    run_benchmark(replace(tiny, methods=(Input(),)), tmp_path, quick=True)
    assert "Settings of the filters" not in (tmp_path / "results.md").read_text()


@pytest.mark.slow
def test_methods_kept_to_some_noises(tiny: Benchmark, tmp_path: Path) -> None:
    results = run_benchmark(replace(tiny, methods=(Input(), replace(KALMAN, noises=("R(0.3)",)))), tmp_path, quick=True)
    found = {(r.noise, r.method) for r in results}
    assert ("R(0.3)", "filter:kalman:object") in found
    assert ("T(0.01)", "filter:kalman:object") not in found
    assert ("T(0.01)", "input") in found


def test_clips_of_so_many_hands(tiny: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="toy: test clips: expected some of 2 hands, found none"):
        run_benchmark(replace(tiny, datasets=(replace(tiny.datasets[0], hands=2),)), tmp_path)


@dataclass(frozen=True, kw_only=True)
class Cheat(Method):
    """Returns the ground truth, as far as it is given."""

    name: str = "cheat"

    def load(self) -> Repair:
        return lambda clip, object: predict(clip if clip.truth is None else clip.replace(hands=clip.truth))


class Oracle(Cheat):
    reads_truth = True


def test_only_an_oracle_is_told_the_truth(tiny: Benchmark, tmp_path: Path) -> None:
    results = run_benchmark(replace(tiny, methods=(Input(), Cheat(), Oracle(name="oracle"))), tmp_path, quick=True)
    error = {(r.noise, r.method): r.mean for r in results if r.metric == "mpjpe"}
    for noise in ("T(0.01)", "R(0.3)"):
        assert error[noise, "oracle"] == 0.0
        assert error[noise, "cheat"] == error[noise, "input"] > 5


def test_other_weights_need_another_folder(tmp_path: Path, clip: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "read_sequences", lambda dataset, split: iter([("a", clip)]))
    monkeypatch.setattr(experiments, "run_methods", lambda *arguments: {"T(0.01)": {"a": {}}})
    monkeypatch.setattr(experiments, "results_text", lambda *arguments: "")
    weights = tmp_path / "weights.npz"
    experiment = Benchmark((Dataset("toy", ("T(0.01)",)),), (Ours(str(weights)),))
    weights.write_bytes(b"one")
    run_benchmark(experiment, tmp_path / "out")
    run_benchmark(experiment, tmp_path / "out")
    weights.write_bytes(b"other")
    with pytest.raises(InputError, match=r"ours: expected weights\.npz [0-9a-f]{16}"):
        run_benchmark(experiment, tmp_path / "out")


def test_what_is_no_method(tiny: Benchmark, tmp_path: Path) -> None:
    # past the type check of tests, which users' files do not have
    object.__setattr__(wrong := replace(tiny), "methods", ("kalman",))
    with pytest.raises(InputError, match=r"benchmark: methods: expected records such as .*, found 'kalman'"):
        run_benchmark(wrong, tmp_path)


def test_published_figures_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--reported", "ContactPose", "mpjpe", "input"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 3
    assert "79.89" in lines[2]
    assert "reported, not reproduced" in lines[2]
    assert main(["benchmark", "--reported"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) > 300


def test_no_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark"]) == 2
    assert "expected an experiment" in capsys.readouterr().err
