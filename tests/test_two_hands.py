"""Two hands on a hinged box, from noise to picture: each is repaired and they do not penetrate each other."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import imread
from support.two_hands import two_handed

from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.registry import Input
from toch_jax.benchmark.run import perturb_clip, run_methods
from toch_jax.cli.denoise_file import denoise_file
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.metrics.contact import hands_depth_mm
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.object.model import ObjectModel
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import pose_hands, sequence_object
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.types import Sequence


@pytest.fixture(scope="module")
def clean() -> Sequence:
    return two_handed()


@pytest.fixture(scope="module")
def box(clean: Sequence) -> ObjectModel:
    return sequence_object(clean)


@pytest.fixture(scope="module")
def pushed(clean: Sequence) -> Sequence:
    """The clip with each hand moved along its part into the other: up the front wall, over the edge of the lid."""
    turn = np.asarray(clean.object_motion.rotation)
    way = np.stack([turn[0, :, :, 2], -turn[1, :, :, 1]])
    params = clean.hands.params
    assert params is not None
    moved = params.replace(transl=params.transl + jnp.asarray(0.015 * way, jnp.float32))
    return clean.replace(hands=clean.hands.replace(params=moved))


@pytest.fixture(scope="module")
def apart(pushed: Sequence, box: ObjectModel) -> Sequence:
    return refine(pushed, None, object=box)


def joints(sequence: Sequence) -> np.ndarray:
    return np.stack([np.asarray(hand.joints) for hand in pose_hands(sequence)])


def some_hands(sequence: Sequence, chosen: list[int]) -> Sequence:
    index = np.array(chosen)
    hands, valid = jax.tree.map(lambda leaf: leaf[index], (sequence.hands, sequence.hand_valid))
    return sequence.replace(
        hand_side=tuple(sequence.hand_side[hand] for hand in chosen), hands=hands, hand_valid=valid, truth=None
    )


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["T(0.01)", "R(0.3)", "T(0.02)"])
def test_each_hand_is_nearer_the_truth_and_out_of_the_other(clean: Sequence, box: ObjectModel, noise: str) -> None:
    noisy = perturb_clip("box", clean, parse_perturbation(noise), seed=0)
    repaired = refine(noisy, None, object=box)
    for before, after, truth in zip(pose_hands(noisy), pose_hands(repaired), pose_hands(clean), strict=True):
        assert mpjpe_mm(after.joints, truth.joints) < 0.7 * mpjpe_mm(before.joints, truth.joints)
    assert hands_depth_mm(pose_hands(repaired)).mean() < hands_depth_mm(pose_hands(clean)).mean() + 0.2


def test_hands_pushed_into_each_other_come_apart(pushed: Sequence, apart: Sequence) -> None:
    before, after = hands_depth_mm(pose_hands(pushed)), hands_depth_mm(pose_hands(apart))
    assert before.max() > 4
    assert after.max() < 0.35 * before.max()
    assert after.mean() < 0.35 * before.mean()
    # both hands move
    way = np.linalg.norm(joints(apart) - joints(pushed), axis=-1).mean(axis=(1, 2))
    assert way.min() > 0.3 * way.max()


@pytest.mark.slow
def test_the_order_of_the_hands_says_nothing(pushed: Sequence, apart: Sequence, box: ObjectModel) -> None:
    swapped = refine(some_hands(pushed, [1, 0]), None, object=box)
    assert np.linalg.norm(joints(swapped)[::-1] - joints(apart), axis=-1).mean() < 0.001


@pytest.mark.slow
def test_hands_that_do_not_meet_are_each_as_if_alone(clean: Sequence, box: ObjectModel) -> None:
    noisy = perturb_clip("box", two_handed(between=0.03), parse_perturbation("T(0.01)"), seed=0)
    both = refine(noisy, None, object=box)
    for hand in (0, 1):
        alone = refine(some_hands(noisy, [hand]), None, object=box)
        np.testing.assert_array_equal(joints(alone)[0], joints(both)[hand])
        np.testing.assert_array_equal(alone.hand_joint_sigma[0], both.hand_joint_sigma[hand])


@pytest.mark.slow
def test_a_third_hand_far_away_changes_nothing(pushed: Sequence, apart: Sequence, box: ObjectModel) -> None:
    three = some_hands(pushed, [0, 1, 1])
    params = three.hands.params
    assert params is not None
    params = params.replace(transl=params.transl.at[2, :, 2].add(0.5))
    third = three.replace(hands=three.hands.replace(params=params))
    repaired = refine(third, None, object=box)
    off = np.linalg.norm(joints(repaired)[:2] - joints(apart), axis=-1)
    assert off.mean() < 0.0005
    alone = refine(some_hands(third, [2]), None, object=box)
    assert np.linalg.norm(joints(repaired)[2] - joints(alone)[0], axis=-1).max() < 0.0005


@pytest.mark.slow
def test_file_to_file_with_its_table_and_picture(pushed: Sequence, clean: Sequence, tmp_path: Path) -> None:
    source, target = tmp_path / "tracked.npz", tmp_path / "clean.npz"
    save_sequence(source, pushed.replace(truth=clean.hands))
    report = denoise_file(source, target, load_denoiser())
    before, after = (report.metrics[row]["hands_depth_mean"] for row in ("before", "after"))
    assert after < 0.5 * before
    assert report.picture is not None
    assert imread(report.picture).std() > 0.01
    written = load_sequence(target)
    assert written.hand_side == ("left", "right")
    assert written.hand_joint_sigma.shape == (2, clean.n_frames, 21)


@pytest.mark.slow
def test_the_benchmark_scores_it(clean: Sequence, tmp_path: Path) -> None:
    name = "filter:kalman:object"
    methods = [Input(), *(filter for filter in FILTERS if filter.name == name)]
    clips = [("box", clean)]
    scores = run_methods("boxes", clips, clips, ["T(0.02)"], methods, tmp_path)["T(0.02)"]["box"]
    assert scores["truth"]["mpjpe"] == 0
    assert scores["truth"]["hands_depth"] == 0
    assert scores["input"]["hands_depth"] > 0.1
    assert scores[name]["mpjpe"] < 0.8 * scores["input"]["mpjpe"]
