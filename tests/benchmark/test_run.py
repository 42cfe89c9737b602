import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods.filters import Gaussian
from toch_jax.benchmark.noisy_clip import perturb_clip
from toch_jax.benchmark.report import Result, means_and_intervals, summarise
from toch_jax.benchmark.run import Method, benchmark
from toch_jax.object.model import ObjectModel
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.types import Sequence

T_NOISE = parse_perturbation("T(0.01)")
GAUSSIAN = "filter:gaussian:object"


def tracked(sequence: Sequence, object: ObjectModel) -> Sequence:
    return sequence


def test_noise_depends_on_id_and_seed_alone(clean: Sequence) -> None:
    def transl(clip_id: str, seed: int) -> np.ndarray:
        params = perturb_clip(clip_id, clean, T_NOISE, seed).hands.params
        assert params is not None
        return np.asarray(params.transl)

    np.testing.assert_array_equal(transl("mug_lift", 0), transl("mug_lift", 0))
    assert np.abs(transl("mug_lift", 0) - transl("mug_pass", 0)).max() > 0.005
    assert np.abs(transl("mug_lift", 0) - transl("mug_lift", 1)).max() > 0.005


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, clean: Sequence) -> None:
    clips, asked = [("a", clean), ("b", clean)], []

    def oracle(noisy: Sequence, object: ObjectModel) -> Sequence:
        """Return the clean hand; the noisy sequence holds no ground truth."""
        assert noisy.truth is None
        assert object.samples.points.shape == (2000, 3)
        asked.append(noisy)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return noisy.replace(hands=clean.hands)

    def validation():
        assert not (tmp_path / "filters" / "toy.json").exists(), "tuned twice"
        yield clips[0]

    methods: dict[str, Method] = {
        "input": tracked,
        GAUSSIAN: [Gaussian("object", 0.3), Gaussian("object", 3.0)],
        "ours": oracle,
    }

    def run() -> list[Result]:
        tables = benchmark("toy", clips, validation(), ["T(0.01)"], methods, tmp_path)
        assert list(tables["T(0.01)"]["a"]) == ["truth", *methods]
        return summarise("toy", "T(0.01)", tables["T(0.01)"])

    with pytest.raises(KeyboardInterrupt):
        run()
    results = run()
    assert len(asked) == 3
    assert run() == results
    assert len(asked) == 3

    found = {(r.method, r.metric): r for r in results}
    assert found["ours", "mpjpe"].mean == 0
    assert found["ours", "contact_iou"].mean == 100
    assert found["input", "contact_iou"].mean < 100
    assert found["ours", "penetration_depth"].mean == found["truth", "penetration_depth"].mean > 1
    # coordinates are normal with deviation s, so the mean length is 2 s sqrt(2 / pi); 24 frames, all joints move alike
    assert found["input", "mpjpe"].mean == pytest.approx(20 * np.sqrt(2 / np.pi), rel=4 * 0.42 / np.sqrt(24))
    assert found[GAUSSIAN, "mpjpe"].mean < found["input", "mpjpe"].mean
    assert found["input", "mpjpe"].unit == "mm"
    assert found["input", "mpjpe"].clips == 2
    assert found["input", "mpjpe"].low < found["input", "mpjpe"].mean < found["input", "mpjpe"].high
    assert not list(tmp_path.rglob("*.part"))

    one = json.loads((tmp_path / "clips" / "toy" / "T(0.01)" / "a.json").read_text())
    assert (one["clip"], one["noise"], one["seed"], one["frames"], one["fps"]) == ("a", "T(0.01)", 0, 12, 30)
    assert all(math.isfinite(value) for scores in one["scores"].values() for value in scores.values())
    tuned = json.loads((tmp_path / "filters" / "toy.json").read_text())["T(0.01)"][GAUSSIAN]
    assert tuned["setting"] == "Gaussian(sigma=3.0)"
    assert tuned["mpjpe_mm"] == pytest.approx(one["scores"][GAUSSIAN]["mpjpe"], rel=1e-4)  # "a" is the validation clip


def test_noises_together_score_as_each_by_itself(tmp_path: Path, clean: Sequence) -> None:
    """The scores of the truth are shared only by noises with the same lost frames; results must not change."""

    def run(folder: str, *noises: str) -> dict[str, dict[str, float]]:
        tables = benchmark("toy", [("a", clean)], [], noises, {"input": tracked}, tmp_path / folder)
        return {
            f"{noise} {method}": {name: value for name, value in scores.items() if name != "seconds"}
            for noise, table in tables.items()
            for method, scores in table["a"].items()
        }

    noises = "T(0.01)", "missing(0.5,0.01)", "R(0.3)"
    together = run("together", *noises)
    alone = {name: scores for noise in noises for name, scores in run(noise, noise).items()}
    assert list(together) == list(alone)
    for name, scores in together.items():
        assert scores == pytest.approx(alone[name], nan_ok=True), name
    assert ["mpjpe_missing" in together[f"{noise} truth"] for noise in noises] == [False, True, False]


def test_unknown_noise(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="X"):
        benchmark("toy", [], [], ["X(1)"], {"input": tracked}, tmp_path)


def test_interval_of_the_mean() -> None:
    """Compared with Student's interval on normal values; the percentile bootstrap is slightly narrower."""
    values = np.random.default_rng(0).normal(10, 2, size=40)
    ((mean, low, high),) = means_and_intervals(values[None])
    expected = student.interval(0.95, 39, loc=values.mean(), scale=values.std(ddof=1) / np.sqrt(40))
    np.testing.assert_allclose([low, high], expected, atol=0.15)
    assert mean == values.mean()
    # the interval depends neither on a random seed nor on other rows
    beside = means_and_intervals(np.stack([values**2, values]))[1]
    assert beside == pytest.approx((mean, low, high), rel=1e-12)
    assert means_and_intervals(values[None, :1]) == [(values[0],) * 3]
    assert means_and_intervals(np.full((1, 5), 0.1)) == [(pytest.approx(0.1),) * 3]


def test_metrics_that_some_clips_lack() -> None:
    table = {"a": {"ours": {"mpjpe": 4.0, "contact_iou": 50.0}}, "b": {"ours": {"mpjpe": 6.0}}}
    found = {r.metric: r for r in summarise("toy", "T(0.01)", table)}
    assert (found["mpjpe"].mean, found["mpjpe"].clips) == (5.0, 2)
    assert (found["contact_iou"].mean, found["contact_iou"].clips) == (50.0, 1)
    assert found.keys() == {"mpjpe", "contact_iou"}
