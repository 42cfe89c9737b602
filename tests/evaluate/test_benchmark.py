import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from toch_jax.errors import InputError
from toch_jax.evaluate import benchmark as bench
from toch_jax.evaluate.baselines import Gaussian
from toch_jax.evaluate.report import UNITS, markdown, mean_and_interval
from toch_jax.sequence.perturb import parse_perturbation
from toch_jax.sequence.types import Sequence

T_NOISE = parse_perturbation("T(0.01)")


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CONTACT_FRAMES", 4)
    filters = {frame: [Gaussian(frame, 0.5), Gaussian(frame, 3.0)] for frame in ("world", "object")}
    monkeypatch.setattr(bench, "FILTERS", filters)


def oracle(noisy: Sequence) -> Sequence:
    assert noisy.truth is not None
    return noisy.replace(hands=noisy.truth)


def test_noise_depends_on_id_and_seed_alone(clean: Sequence) -> None:
    def transl(clip_id: str, seed: int) -> np.ndarray:
        params = bench.perturb_clip(clip_id, clean, T_NOISE, seed).hands.params
        assert params is not None
        return np.asarray(params.transl)

    np.testing.assert_array_equal(transl("mug_lift", 0), transl("mug_lift", 0))
    assert np.abs(transl("mug_lift", 0) - transl("mug_pass", 0)).max() > 0.005
    assert np.abs(transl("mug_lift", 0) - transl("mug_lift", 1)).max() > 0.005


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, clean: Sequence) -> None:
    clips, asked = [("a", clean), ("b", clean)], []

    def counted(noisy: Sequence) -> Sequence:
        asked.append(noisy)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return oracle(noisy)

    arguments = ("toy", clips, clips[:1], ["T(0.01)"])
    with pytest.raises(KeyboardInterrupt):
        bench.benchmark(*arguments, counted, tmp_path)
    results = bench.benchmark(*arguments, counted, tmp_path)
    assert len(asked) == 3
    assert bench.benchmark(*arguments, counted, tmp_path) == results
    assert len(asked) == 3

    found = {(r.method.split(":")[0], r.metric): r.mean for r in results}
    assert found["ours", "mpjpe"] == 0
    assert found["ours", "contact_iou"] == 100
    assert found["input", "contact_iou"] < 100
    # each coordinate normal with deviation s: the mean length is 2 s sqrt(2 / pi); 24 frames, 21 joints move as one
    assert found["input", "mpjpe"] == pytest.approx(20 * np.sqrt(2 / np.pi), rel=4 * 0.42 / np.sqrt(24))
    assert found["best object-frame filter", "mpjpe"] < found["input", "mpjpe"]
    assert found["ours", "penetration_depth"] > 1
    assert found["ours", "intersection_volume"] > 0.1
    written = json.loads((tmp_path / "results.json").read_text())
    assert {row["metric"] for row in written} == set(UNITS)
    table = (tmp_path / "results.md").read_text()
    assert table == markdown(results)
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert not list(tmp_path.rglob("*.partial"))


def test_lost_frames_count(clean: Sequence) -> None:
    """The tracker repeats the last frame that it saw, while the hand moves 100 / 11 mm a frame."""
    noisy = bench.perturb_clip("a", clean, parse_perturbation("missing(0.5)"), 3)
    seen = np.flatnonzero(noisy.hand_valid[0])
    behind = [t - seen[seen <= t].max(initial=seen[0]) for t in range(noisy.n_frames)]
    assert np.any(behind)
    error = bench.score(bench.prepare(clean), bench.pose_tracked(noisy))["mpjpe"]
    assert error == pytest.approx(np.abs(behind).mean() * 100 / 11, rel=1e-4)


def test_unknown_noise(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="X"):
        bench.benchmark("toy", [], [], ["X(1)"], oracle, tmp_path)


def test_interval_of_the_mean() -> None:
    """Against Student's, on normal values: the percentile bootstrap is a little narrower."""
    values = np.random.default_rng(0).normal(10, 2, size=40)
    mean, low, high = mean_and_interval(values)
    expected = student.interval(0.95, 39, loc=values.mean(), scale=values.std(ddof=1) / np.sqrt(40))
    np.testing.assert_allclose([low, high], expected, atol=0.15)
    assert mean == values.mean()
    assert mean_and_interval(values) == (mean, low, high)
    assert mean_and_interval(values[:1]) == (values[0],) * 3
    assert np.isnan(mean_and_interval(values[:0])[0])
