import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods.filters import Filter, Gaussian
from toch_jax.benchmark.methods.method import Method, Prediction, Repair, predict
from toch_jax.benchmark.methods.registry import Input
from toch_jax.benchmark.results import Result, summarise
from toch_jax.benchmark.run import perturb_clip, run_methods
from toch_jax.object.model import ObjectModel
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.types import Sequence

T_NOISE = parse_perturbation("T(0.01)")
GAUSSIAN = Filter((Gaussian(0.3), Gaussian(3.0)), "object", name="filter:gaussian:object")


@dataclass(frozen=True)
class Given(Method):
    """A method that is a function."""

    repair: Repair

    def load(self) -> Repair:
        return self.repair


def test_noise_depends_on_id_and_seed_alone(clean: Sequence) -> None:
    def transl(clip_id: str, seed: int) -> np.ndarray:
        params = perturb_clip(clip_id, clean, T_NOISE, seed).hands.params
        assert params is not None
        return np.asarray(params.transl)

    np.testing.assert_array_equal(transl("mug_lift", 0), transl("mug_lift", 0))
    assert np.abs(transl("mug_lift", 0) - transl("mug_pass", 0)).max() > 0.005
    assert np.abs(transl("mug_lift", 0) - transl("mug_lift", 1)).max() > 0.005


def test_noise_of_the_object_is_the_objects(clean: Sequence) -> None:
    """The hand is that of the same noise without the object's; lost frames are marked and interpolated."""
    noise = "T(0.01)+object(0.005,0.05)+object_missing(0.4)"
    noisy = perturb_clip("mug_lift", clean, parse_perturbation(noise), 0)
    alone = perturb_clip("mug_lift", clean, T_NOISE, 0)
    assert alone.hands.params is not None
    assert noisy.hands.params is not None
    np.testing.assert_array_equal(noisy.hands.params.transl, alone.hands.params.transl)
    assert alone.object_motion is clean.object_motion
    off = np.asarray(noisy.object_motion.translation - clean.object_motion.translation)
    assert 0.001 < off.std() < 0.02
    assert noisy.object_valid is not None
    assert 0 < np.asarray(noisy.object_valid).sum() < clean.n_frames


def test_noise_along_rays_brings_a_camera_unless_there_is_one(clean: Sequence) -> None:
    noisy = perturb_clip("mug_lift", clean, parse_perturbation("ray(0.04,0)"), 0)
    again = perturb_clip("mug_lift", noisy.replace(hands=clean.hands), parse_perturbation("ray(0.04,0)"), 1)
    assert noisy.camera is not None
    assert again.camera is noisy.camera
    for each in (noisy, again):
        assert each.hands.params is not None
        assert clean.hands.params is not None
        before, after = (np.asarray(params.transl[0]) for params in (clean.hands.params, each.hands.params))
        moved = after - before
        assert np.linalg.norm(moved, axis=1).max() > 1e-4
        # the wrist is a few centimetres from `transl`, so that rays to it are nearly those to `transl`
        turned = np.cross(moved, noisy.camera.rays(before))
        assert np.linalg.norm(turned, axis=1).max() < 0.3 * np.linalg.norm(moved, axis=1).min()


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, clean: Sequence) -> None:
    clips, asked = [("a", clean), ("b", clean)], []

    def perfect(noisy: Sequence, object: ObjectModel) -> Prediction:
        """Return the clean hand; the noisy sequence holds no ground truth."""
        assert noisy.truth is None
        assert object.samples.points.shape == (2000, 3)
        asked.append(noisy)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return predict(noisy.replace(hands=clean.hands))

    def validation():
        assert not (tmp_path / "filters" / "toy.json").exists(), "tuned twice"
        yield clips[0]

    methods = [Input(), GAUSSIAN, Given(perfect, name="ours")]

    def run() -> list[Result]:
        tables = run_methods("toy", clips, validation(), ["T(0.01)"], methods, tmp_path)
        assert list(tables["T(0.01)"]["a"]) == ["truth", *(method.name for method in methods)]
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
    assert found[GAUSSIAN.name, "mpjpe"].mean < found["input", "mpjpe"].mean
    assert found["input", "mpjpe"].unit == "mm"
    assert found["input", "mpjpe"].clips == 2
    assert found["input", "mpjpe"].low < found["input", "mpjpe"].mean < found["input", "mpjpe"].high
    assert not list(tmp_path.rglob("*.part"))

    one = json.loads((tmp_path / "clips" / "toy" / "T(0.01)" / "a.json").read_text())
    assert (one["clip"], one["noise"], one["seed"], one["frames"], one["fps"]) == ("a", "T(0.01)", 0, 12, 30)
    assert all(math.isfinite(value) for scores in one["scores"].values() for value in scores.values())
    tuned = json.loads((tmp_path / "filters" / "toy.json").read_text())["T(0.01)"][GAUSSIAN.name]
    assert tuned["setting"] == "Gaussian(sigma=3.0)"
    assert tuned["mpjpe_mm"] == pytest.approx(
        one["scores"][GAUSSIAN.name]["mpjpe"], rel=1e-4
    )  # "a" is the validation clip


def test_noises_together_score_as_each_by_itself(tmp_path: Path, clean: Sequence) -> None:
    """The scores of the truth are shared only by noises with the same lost frames; results must not change."""

    def run(folder: str, *noises: str) -> dict[str, dict[str, float]]:
        tables = run_methods("toy", [("a", clean)], [], noises, [Input()], tmp_path / folder)
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
        run_methods("toy", [], [], ["X(1)"], [Input()], tmp_path)
