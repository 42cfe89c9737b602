"""The whole road, from Python and from the command line: what goes in, what comes out, and what must not leak."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.cli import main
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.evaluate.joints import mpjpe_mm
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.pipeline import read_clip, refine, sequence_object
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.joint_order import to_openpose
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Sequence
from toch_jax.tracked_hand import tracked_hands

FRAMES = 16
"""The fit's smallest bucket, which one frame has too."""


@pytest.fixture(scope="module")
def tracked(example_file) -> Sequence:
    """The first frames in which the example's hand is at the object."""
    return load_sequence(example_file).frames(20, 20 + FRAMES)


@pytest.fixture(scope="module")
def denoiser():
    return load_denoiser()


@pytest.fixture(scope="module")
def clean(tracked, denoiser) -> Sequence:
    return refine(tracked, denoiser)


def joints(sequence: Sequence, hands) -> np.ndarray:
    model = load_hand("open", sequence.hand_side[0])
    return to_openpose(np.asarray(skin_frames(model, jax.tree.map(lambda leaf: leaf[0], hands.params))[1]))


def assert_equal(one, other):
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_better_than_the_input(tracked, clean):
    truth = joints(tracked, tracked.truth)
    assert mpjpe_mm(joints(clean, clean.hands), truth) < 0.9 * mpjpe_mm(joints(tracked, tracked.hands), truth)


def test_garbage_for_truth_changes_nothing_but_the_metrics(tracked, clean, denoiser, tmp_path):
    """Nothing is gained from the ground truth that lies in the same file."""
    rng = np.random.default_rng(0)
    garbage = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), tracked.truth)
    save_sequence(tmp_path / "garbage.npz", tracked.replace(truth=garbage))
    given = load_sequence(tmp_path / "garbage.npz")
    found = refine(given, denoiser)
    assert_equal((found.hands, found.hand_joint_sigma), (clean.hands, clean.hand_joint_sigma))
    right, wrong = (mpjpe_mm(joints(found, found.hands), joints(each, each.truth)) for each in (tracked, given))
    assert wrong > 10 * right


def test_the_command_writes_sequence_and_picture(tracked, clean, tmp_path, capsys):
    save_sequence(tmp_path / "tracked.npz", tracked)
    assert main(["denoise", str(tmp_path / "tracked.npz"), "-o", str(tmp_path / "clean.npz")]) == 0
    out = capsys.readouterr().out
    assert "penetration depth" in out
    assert "MPJPE" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clean.npz", "clean.png", "tracked.npz"]
    written = load_sequence(tmp_path / "clean.npz")
    np.testing.assert_allclose(written.hands.joints, clean.hands.joints, atol=1e-6)
    np.testing.assert_allclose(written.hand_joint_sigma, clean.hand_joint_sigma, atol=1e-6)
    for name in ("object_vertices", "object_faces", "object_motion"):
        assert_equal(getattr(written, name), getattr(tracked, name))


def test_what_comes_out_belongs_together(clean):
    np.testing.assert_allclose(np.asarray(clean.hands.joints[0]), joints(clean, clean.hands), atol=1e-5)
    assert clean.hands.vertices.shape == (1, FRAMES, 1650, 3)
    assert clean.hand_joint_sigma.shape == (1, FRAMES, 21)
    assert np.all((np.asarray(clean.hand_joint_sigma) > 1e-4) & (np.asarray(clean.hand_joint_sigma) < 0.1))


@pytest.mark.slow
def test_a_left_hand_is_a_mirrored_right_one(tracked, clean, denoiser):
    left = refine(mirror(tracked), denoiser)
    mirrored = np.asarray(left.hands.joints[0]) * np.array([-1, 1, 1])
    # the samples of the mirrored object are others: the same hand to a few millimetres, not to rounding
    assert np.linalg.norm(mirrored - np.asarray(clean.hands.joints[0]), axis=-1).mean() < 0.003


def test_a_hand_alone_has_no_other(tracked):
    (hand,) = tracked_hands(tracked)
    assert hand.other is None
    window, _, _ = read_clip(hand, sequence_object(tracked).without_mesh(), smoothed=True)
    assert not window.two_handed.any()
    assert window.left.tolist() == [tracked.hand_side == ("left",)]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(window.other))


def test_lost_frames_are_filled_and_doubted(tracked, denoiser):
    lost = jnp.zeros(FRAMES, bool).at[5:11].set(True)
    gap = tracked.replace(hand_valid=~lost[None])
    filled = refine(gap, denoiser)
    truth = joints(tracked, tracked.truth)
    error = 1000 * np.linalg.norm(joints(filled, filled.hands) - truth, axis=-1).mean(axis=-1)
    assert error[np.asarray(lost)].mean() < 30
    sigma = np.asarray(filled.hand_joint_sigma[0]).mean(axis=-1)
    assert sigma[np.asarray(lost)].mean() > 1.2 * sigma[~np.asarray(lost)].mean()


def test_one_frame_is_a_sequence(tracked, denoiser):
    one = jax.tree.map(lambda leaf: leaf[:, 10:11], tracked.object_motion)
    hands = tracked.hands.replace(params=jax.tree.map(lambda leaf: leaf[:, 10:11], tracked.hands.params))
    alone = tracked.replace(hands=hands, object_motion=one, hand_valid=tracked.hand_valid[:, 10:11], truth=None)
    assert refine(alone, denoiser).hands.joints.shape == (1, 1, 21, 3)
