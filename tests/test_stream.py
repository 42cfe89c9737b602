"""Repair while a hand is tracked: nothing depends on later frames than it may, nor on how the frames arrive."""

import jax
import numpy as np
import pytest

from toch_jax.base.arrays import put, take
from toch_jax.base.errors import InputError
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.stream import LOST_SIGMA, WINDOW, refine_stream
from toch_jax.warming import example

FRAMES, CHANGED, AHEAD = 40, 30, 3


@pytest.fixture(scope="module")
def clip(example_file) -> Sequence:
    """Noisy parameters of a hand that comes to the object, and its ground truth."""
    return load_sequence(example_file).frames(10, 10 + FRAMES)


def streamed(chunks, **options) -> list[Sequence]:
    return list(refine_stream(chunks, look_ahead=options.pop("look_ahead", AHEAD), **options))


def of(frames: list[Sequence]) -> np.ndarray:
    return np.concatenate([np.asarray(frame.hands.joints[0]) for frame in frames])


@pytest.fixture(scope="module")
def found(clip) -> list[Sequence]:
    return streamed([clip])


def test_every_frame_comes_out_repaired(clip, found):
    assert [frame.n_frames for frame in found] == [1] * FRAMES
    for frame, given in zip(found, np.asarray(clip.object_motion.translation[0]), strict=True):
        np.testing.assert_allclose(frame.object_motion.translation[0, 0], given, atol=1e-6)
    models = load_hand("open", clip.hand_side[0])
    truth, tracked = (np.asarray(skin_frames(models, take(each.params, 0))[1]) for each in (clip.truth, clip.hands))
    repaired = np.concatenate([np.asarray(skin_frames(models, take(each.hands.params, 0))[1]) for each in found])
    assert mpjpe_mm(repaired, truth) < 0.9 * mpjpe_mm(tracked, truth)


def test_a_frame_does_not_depend_on_frames_beyond_its_look_ahead(clip, found):
    rng = np.random.default_rng(0)

    def other(leaf):
        values = np.array(leaf)
        values[:, CHANGED:] += rng.normal(0, 0.02, values[:, CHANGED:].shape).astype(np.float32)
        return put(values)

    motion = clip.object_motion
    changed = clip.replace(
        hands=jax.tree.map(other, clip.hands), object_motion=motion.replace(translation=other(motion.translation))
    )
    again = streamed([changed])
    kept = CHANGED - AHEAD
    np.testing.assert_array_equal(of(again)[:kept], of(found)[:kept])
    for one, two in zip(found[:kept], again[:kept], strict=True):
        np.testing.assert_array_equal(one.hand_joint_sigma, two.hand_joint_sigma)
    assert np.abs(of(again)[CHANGED:] - of(found)[CHANGED:]).max() > 0.005


@pytest.mark.parametrize("look_ahead", [0, AHEAD])
def test_a_frame_waits_for_its_look_ahead_at_most(clip, look_ahead):
    taken = 0

    def frames():
        nonlocal taken
        for index in range(20):
            taken += 1
            yield clip.frames(index, index + 1)

    for number, _ in enumerate(refine_stream(frames(), None, look_ahead=look_ahead)):
        assert number < taken <= number + 1 + look_ahead


def test_it_does_not_matter_how_the_frames_arrive(clip, found):
    chunks = [clip.frames(start, start + 7) for start in range(0, FRAMES, 7)]
    np.testing.assert_array_equal(of(streamed(chunks)), of(found))


@pytest.mark.slow
def test_joints_keep_their_form_and_their_shape():
    """A hand that is given as joints: after the first window it has one shape, and it comes out as joints near them."""
    clip = example(WINDOW + 8)
    frames = streamed([clip], denoiser=None, hand="model")
    shapes = np.stack([np.asarray(frame.hands.params.betas).reshape(-1) for frame in frames])
    assert np.ptp(shapes[WINDOW:], axis=0).max() < 1e-3
    given = np.asarray(clip.hands.joints[0])
    own = of(streamed([clip], denoiser=None))
    assert np.linalg.norm(own - given, axis=-1).mean() < 0.03
    assert (
        np.linalg.norm(np.diff(own, 2, axis=0), axis=-1).mean()
        < np.linalg.norm(np.diff(given, 2, axis=0), axis=-1).mean()
    )


def test_a_hand_that_is_lost_for_long_is_held_and_doubted(clip):
    lost = clip.replace(hand_valid=put(np.zeros((1, FRAMES), bool)))
    frames = streamed([clip.frames(0, 8), lost, clip.frames(8, 12)], denoiser=None)
    assert len(frames) == 8 + FRAMES + 4
    assert np.isfinite(of(frames)).all()
    sigma = np.array([np.asarray(frame.hand_joint_sigma).mean() for frame in frames])
    assert sigma[8 + WINDOW + 2] == pytest.approx(LOST_SIGMA)
    assert sigma[[4, -1]].max() < LOST_SIGMA / 2


def test_what_cannot_be_followed_is_refused(clip):
    with pytest.raises(InputError, match="look_ahead: expected 0 to 15 frames, found 16"):
        refine_stream([clip], look_ahead=16)
    points = clip.replace(hands=Hands(None, None, put(np.zeros((1, FRAMES, 30, 3), np.float32)), "unordered"))
    with pytest.raises(InputError, match="parameters or joints, found points"):
        list(refine_stream([points]))
    assert list(refine_stream([])) == []
