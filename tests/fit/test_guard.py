"""A repair that makes a hand worse gives way to a weaker one."""

import dataclasses
from functools import partial

import igl
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.arrays import put
from toch_jax.fit.fit import Fitted
from toch_jax.fit.guard import Repair, no_worse, quality, repairs
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.track.registration_checks import framewise
from toch_jax.track.tracked_hand import TrackedHand, cut_frames, in_world, tracked_hands

FRAMES = 16
SIGMA = jnp.full((FRAMES, 21), 0.001)


@pytest.fixture(scope="module")
def clean(example_file) -> Sequence:
    """A true hand that holds an object."""
    sequence = load_sequence(example_file).frames(40, 40 + FRAMES)
    return sequence.replace(hands=sequence.truth, truth=None, hand_valid=jnp.ones_like(sequence.hand_valid))


@pytest.fixture(scope="module")
def hand(clean: Sequence) -> TrackedHand:
    return tracked_hands(clean)[0]


@pytest.fixture(scope="module")
def object_(clean: Sequence) -> ObjectModel:
    return sequence_object(clean)


def moved(params: HandParams, offset: np.ndarray) -> Repair:
    return Repair("was moved", params.replace(transl=params.transl + put(offset, np.float32)), SIGMA)


def outward(clean: Sequence, hand: TrackedHand) -> np.ndarray:
    """Unit vector from the object's middle to the hand in each frame."""
    middle = np.asarray(clean.object_vertices).mean(axis=0)
    away = np.asarray(hand.joints).mean(axis=1)
    motion = clean.object_motion
    away = away - np.asarray(motion.rotation[0]) @ middle - np.asarray(motion.translation[0])
    return away / np.linalg.norm(away, axis=1, keepdims=True)


def test_quality_beside_libigl(clean: Sequence, hand: TrackedHand, object_: ObjectModel) -> None:
    found = quality(hand, framewise(hand.world), object_, clean.object_motion, 30.0)
    skin = np.asarray(skin_frames(hand.coarse, framewise(hand.world))[0])
    mesh = np.asarray(clean.object_vertices, np.float64), np.asarray(clean.object_faces)
    motion = clean.object_motion
    rotation, translation = (np.asarray(each[0], np.float64) for each in (motion.rotation, motion.translation))
    local = np.einsum("tba,tkb->tka", rotation, skin - translation[:, None])
    nearest = np.array([igl.signed_distance(points, *mesh)[0].min() for points in local])
    assert found.contact == (nearest < 0.005).mean() > 0.5
    assert found.depth == pytest.approx(np.maximum(-nearest, 0).mean(), abs=2e-4)


def test_each_fault(clean: Sequence, hand: TrackedHand, object_: ObjectModel) -> None:
    """The first repair without a fault is taken, and the note names the first one's fault."""
    rng = np.random.default_rng(0)
    compared = partial(no_worse, hand, object=object_, before=clean.object_motion, after=clean.object_motion)
    given = framewise(hand.world)
    good = Repair("was left as tracked", given, SIGMA)
    away = outward(clean, hand)
    for offset, words in (
        (0.003 * rng.normal(size=(FRAMES, 3)), "raised its acceleration from "),
        (-0.01 * away, "put it deeper into the object, "),
        (0.05 * away, "left it in contact in 0% of the frames instead of "),
    ):
        chosen, (note,) = compared(repairs=[moved(given, offset), good])
        assert chosen is good
        assert note.startswith(f"hand 0 (left): the repair would have {words}")
        assert note.endswith("; it was left as tracked instead")
    assert compared(repairs=[good, moved(given, 0.05 * away)]) == (good, ())
    # the last one is taken whatever it is
    worst = moved(given, 0.05 * away)
    assert compared(repairs=[worst])[0] is worst


def test_a_hand_that_is_moved_by_more_than_its_noise(clean: Sequence, hand: TrackedHand, object_: ObjectModel) -> None:
    """Both versions are far from the object: nothing but the distance between them is wrong."""
    far = np.array([1.0, 0, 0])
    start = moved(framewise(hand.world), far).params
    tracked = dataclasses.replace(hand, world=start.replace(betas=hand.world.betas))
    compared = partial(no_worse, tracked, object=object_, before=clean.object_motion, after=clean.object_motion)
    assert compared([moved(start, 0.05 * far)])[1] == ()
    (note,) = compared([moved(start, 0.1 * far)])[1]
    assert "moved it by 100 mm, where its track shakes by 0." in note


def test_the_weaker_repairs(hand: TrackedHand) -> None:
    """Smoothed, then as tracked with lost frames from the smoothed one; never surer than the track is."""
    lost = dataclasses.replace(hand, observed=np.arange(FRAMES) != 5)
    fitted = Fitted(cut_frames(hand.track.params, FRAMES), SIGMA, jnp.zeros(1), hand.track.smoothed.noise)
    full, smoothed, tracked = repairs(lost, fitted)
    assert full.done == "was fitted"
    assert full.joint_sigma is SIGMA
    smooth = in_world(hand, cut_frames(hand.track.smoothed.params, FRAMES))
    for got, want in zip(jax.tree.leaves(smoothed.params), jax.tree.leaves(smooth), strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(tracked.params.transl[5], smooth.transl[5])
    kept = np.delete(np.arange(FRAMES), 5)
    np.testing.assert_array_equal(tracked.params.pose[kept], framewise(hand.world).pose[kept])
    assert (np.asarray(tracked.joint_sigma) >= np.asarray(SIGMA)).all()


@pytest.mark.slow
def test_a_true_hand_beside_an_object_that_turns_the_wrong_way(example_file) -> None:
    """Rotations of the object given transposed: the hand is not shaken in order to follow them."""
    tracked = load_sequence(example_file).frames(56, 56 + FRAMES)
    true = tracked.replace(hands=tracked.truth, truth=None, hand_valid=jnp.ones_like(tracked.hand_valid))
    motion = true.object_motion
    wrong = true.replace(object_motion=motion.replace(rotation=jnp.swapaxes(motion.rotation, -1, -2)))
    found = refine(wrong, None, hand="model")
    (note,) = (note for note in found.notes if "would have" in note)
    assert note.endswith("; it was smoothed only instead")
    (given,) = tracked_hands(wrong)
    off = np.asarray(found.hands.joints[0]) - to_openpose(np.asarray(given.joints), -2)
    assert np.linalg.norm(off, axis=-1).mean() < 0.001
