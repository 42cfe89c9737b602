"""The critic as a stage of the pipeline: an error along the camera's ray goes, and the input's own hand stays."""

import numpy as np
import pytest

from toch_jax.benchmark.run import perturb_clip
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import pose_hands
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence


@pytest.fixture(scope="module")
def clean(example_file) -> Sequence:
    clip = load_sequence(example_file)
    assert clip.truth is not None
    return clip.replace(hands=clip.truth, truth=None)


def error(clip: Sequence, clean: Sequence) -> float:
    return mpjpe_mm(pose_hands(clip)[0].joints, pose_hands(clean)[0].joints)


@pytest.mark.parametrize("seed", [2, 3])
def test_an_error_of_centimetres_along_the_ray_goes_and_its_note_says_how_far(clean: Sequence, seed: int) -> None:
    noisy = perturb_clip("example", clean, parse_perturbation("ray(0.04,0.005)"), seed).replace(truth=None)
    assert error(noisy, clean) > 30
    without, found = (refine(noisy, critic=critic) for critic in (None, "default"))
    assert error(found, clean) < 0.3 * error(without, clean)
    assert any("moved as a whole by" in note for note in found.notes)
    assert not any("moved as a whole by" in note for note in without.notes)
    # less certain than where no slow error is thought of
    assert np.median(found.hand_joint_sigma) > np.median(without.hand_joint_sigma)


def test_a_true_hand_stays(clean: Sequence) -> None:
    found = refine(clean, critic="default")
    assert error(found, clean) < 1.0
