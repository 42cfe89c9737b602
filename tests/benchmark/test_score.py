"""Scores of estimates with known errors."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.benchmark.methods.method import Prediction, predict
from toch_jax.benchmark.run import perturb_clip
from toch_jax.benchmark.score import GroundTruth, prepare, score
from toch_jax.metrics import METRICS
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.types import Sequence

STEP_MM = 100 / 11
"""Motion per frame of the clean hand and its bar: 100 mm in 12 frames."""


@pytest.fixture(scope="module")
def truth(clean: Sequence) -> GroundTruth:
    return prepare(clean)


def moved(truth: GroundTruth, offset: tuple[float, float, float], sigma: float | None = None) -> Prediction:
    off = np.asarray(offset, np.float32)
    hands = [
        replace(
            hand,
            joints=hand.joints + off,
            vertices=hand.vertices + off,
            sigma=None if sigma is None else np.full(hand.joints.shape[:2], sigma, np.float32),
        )
        for hand in truth.hands
    ]
    return Prediction(hands, truth.motion)


def test_the_truth_is_perfect(truth: GroundTruth) -> None:
    found = score(truth, truth.prediction)
    for metric in (
        "mpjpe",
        "mpjpe_root",
        "mpjpe_object",
        "mpvpe",
        "mpcpe",
        "acceleration_error",
        "contact_ratio_error",
    ):
        assert found[metric] == 0, metric
    assert found["mpjpe_pa"] < 1e-3
    for metric in ("pck", "auc", "contact_iou", "contact_f1", "contact_ratio"):
        assert found[metric] == 100, metric
    assert found["penetration_depth"] > 1
    assert found["intersection_volume"] > 0.1
    assert found["volume_exact"] == 100
    assert found["hand_object_motion"] < 1e-4  # the grasp does not slip
    assert "mpjpe_missing" not in found
    assert found.keys() <= METRICS.keys()


def test_a_shift_in_every_number(truth: GroundTruth) -> None:
    found = score(truth, moved(truth, (0.0, 0.03, 0.04), sigma=0.02))
    for metric in ("mpjpe", "mpvpe", "mpjpe_object", "mrrpe_ro"):
        assert found[metric] == pytest.approx(50, rel=1e-4)
    assert not {"mrrpe_rl", "aae", "success_rate"} & found.keys()  # one hand, and the object is given
    for metric in ("mpjpe_root", "mpjpe_pa", "mpjpe_pa_scale", "acceleration_error_frame", "arctic_acc"):
        assert found[metric] == pytest.approx(0, abs=1e-3)
    assert found["pck"] == 0
    assert found["auc"] == pytest.approx(0, abs=0.01)
    # errors of 0, 1.5 and 2 sigma in the three coordinates, against 1.645 sigma and 0.674
    assert found["inside_90"] == pytest.approx(200 / 3)
    assert found["inside_50"] == pytest.approx(100 / 3)
    assert found["contact_iou"] < 20
    assert found["hand_object_motion"] < 1e-4


def test_a_hand_far_away_touches_nothing(truth: GroundTruth) -> None:
    found = score(truth, moved(truth, (0.0, 1.0, 0.0)))
    for metric in ("penetration_depth", "intersection_volume", "contact_iou", "contact_f1", "contact_ratio"):
        assert found[metric] == 0, metric
    assert found["contact_ratio_error"] == 100
    assert "inside_90" not in found


def test_a_hand_that_lags_slips(truth: GroundTruth) -> None:
    """A bar that moves under a resting hand."""
    still = [replace(h, joints=h.joints[:1].repeat(12, 0), vertices=h.vertices[:1].repeat(12, 0)) for h in truth.hands]
    found = score(truth, Prediction(still, truth.motion))
    assert found["hand_object_motion"] == pytest.approx(STEP_MM**2, rel=1e-3)
    assert found["mpjpe"] == pytest.approx(np.arange(12).mean() * STEP_MM, rel=1e-4)


def test_an_object_that_was_estimated_too(truth: GroundTruth) -> None:
    """Hand and object with the same error: the relative error is zero, that of the object's corners is not."""
    off = jnp.asarray([0.0, 0.03, 0.04])
    prediction = replace(
        moved(truth, (0.0, 0.03, 0.04)), object_motion=truth.motion.replace(translation=truth.motion.translation + off)
    )
    found = score(truth, prediction)
    for metric in ("mpcpe", "object_translation", "object_add"):
        assert found[metric] == pytest.approx(50, rel=1e-4)
    for metric in ("object_rotation", "object_acceleration_error", "mpjpe_in_object"):
        assert found[metric] == pytest.approx(0, abs=1e-2)
    exact = score(truth, truth.prediction)
    assert "object_add" not in exact
    assert found["object_acceleration"] == pytest.approx(exact["object_acceleration"], abs=1e-2)
    assert "object_acceleration_rest" not in exact  # the bar never rests
    assert found["mrrpe_ro"] == pytest.approx(0, abs=1e-3)
    assert found["success_rate"] == 100  # the object's position is aligned first
    assert "aae" not in found  # the object has no hinge
    assert found["mpjpe"] == pytest.approx(50, rel=1e-4)
    assert found["mpjpe_object"] == pytest.approx(0, abs=1e-3)
    assert found["contact_iou"] > 99
    assert found["contact_f1"] > 99


def test_two_hands_apart(clean: Sequence) -> None:
    """The right hand is exact; the left hand has an error of 50 mm."""
    both = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), (clean.hands, clean.hand_valid))
    truth = prepare(clean.replace(hand_side=("right", "left"), hands=both[0], hand_valid=both[1]))
    _, left = moved(truth, (0.0, 0.03, 0.04)).hands
    found = score(truth, Prediction([truth.hands[0], left], truth.motion))
    assert found["mrrpe_rl"] == pytest.approx(50, rel=1e-4)
    assert found["mrrpe_ro"] == pytest.approx(0, abs=1e-3)
    assert found["mpjpe"] == pytest.approx(25, rel=1e-4)
    assert found["mpjpe_left"] == pytest.approx(50, rel=1e-4)
    assert found["mpjpe_right"] == pytest.approx(0, abs=1e-3)


def test_lost_frames_count(clean: Sequence, truth: GroundTruth) -> None:
    """The tracker repeats the last observed frame while the hand moves."""
    noisy = perturb_clip("a", clean, parse_perturbation("missing(0.5)"), 4)
    observed = np.asarray(noisy.hand_valid)
    kept = np.flatnonzero(observed[0])
    behind = np.array([abs(t - kept[kept <= t].max(initial=kept[0])) for t in range(noisy.n_frames)])
    found = score(truth, predict(noisy), observed)
    assert found["mpjpe"] == pytest.approx(behind.mean() * STEP_MM, rel=1e-3)
    assert found["mpjpe_missing"] == pytest.approx(behind[~observed[0]].mean() * STEP_MM, rel=1e-3)
