import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.toy import toy_sequences

from toch_jax.base.errors import InputError
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.object.model import to_part
from toch_jax.sequence.mirror import mirror
from toch_jax.training.clips import build_clips

HAND = load_hand("open")
FRAMES, WINDOW = 20, 8


def test_the_hand_is_where_it_was_in_the_objects_frame() -> None:
    (_, sequence), *_ = sequences = list(toy_sequences(2, FRAMES))
    clips = build_clips(sequences, HAND, WINDOW, 64)
    assert sequence.hands.params is not None
    world = skin_frames(HAND, jax.tree.map(lambda leaf: leaf[0], sequence.hands.params))[0]
    ours = skin_frames(HAND, jax.tree.map(lambda leaf: leaf[:FRAMES], clips.params))[0]
    np.testing.assert_allclose(ours, to_part(sequence.object_motion, 0, world), atol=1e-5)
    # samples lie on the box in its own frame
    half = np.abs(np.asarray(sequence.object_vertices)).max(axis=0)
    points = np.abs(np.asarray(clips.shapes.samples.points[0]))
    np.testing.assert_allclose((points / half).max(axis=1), 1.0, atol=1e-4)


def test_windows_cover_each_clip_once_and_a_half() -> None:
    clips = build_clips(toy_sequences(2, FRAMES), HAND, WINDOW, 64)
    spans = [(int(s), int(n), int(o)) for s, n, o in zip(clips.start, clips.length, clips.object, strict=True)]
    assert spans == [(s + o * FRAMES, WINDOW, o) for o in (0, 1) for s in (0, 4, 8, 12)]


def test_a_short_clip_is_one_short_window() -> None:
    clips = build_clips(toy_sequences(1, 5), HAND, WINDOW, 64)
    assert (clips.start.tolist(), clips.length.tolist()) == ([0], [5])


def test_quick_clips_are_thinned_and_played_faster() -> None:
    name, sequence = next(toy_sequences(1, FRAMES))
    slow = build_clips([(name, sequence)], HAND, WINDOW, 64)
    filmed_at_60 = build_clips([(name, dataclasses.replace(sequence, fps=60.0))], HAND, WINDOW, 64)
    np.testing.assert_array_equal(filmed_at_60.params.transl, slow.params.transl[::2])
    at_15 = build_clips([(name, sequence)], HAND, WINDOW, 64, frame_rate=15.0)
    np.testing.assert_array_equal(at_15.params.transl, slow.params.transl[::2])
    both = build_clips([(name, sequence)], HAND, WINDOW, 64, speeds=(1, 2))
    np.testing.assert_array_equal(both.params.transl[FRAMES:], slow.params.transl[::2])
    assert both.start.tolist() == [*slow.start.tolist(), FRAMES, FRAMES + 2]


def test_a_left_hand_becomes_the_right_hand_it_mirrors() -> None:
    (name, sequence) = next(toy_sequences(1, FRAMES))
    right, left = (build_clips([(name, each)], HAND, WINDOW, 64) for each in (sequence, mirror(sequence)))
    for ours, theirs in zip(jax.tree.leaves(left.params), jax.tree.leaves(right.params), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_an_object_that_comes_again_is_built_once() -> None:
    name, sequence = next(toy_sequences(1, FRAMES))
    clips = build_clips([(name, sequence), ("again", sequence)], HAND, WINDOW, 64)
    assert clips.shapes.samples.points.shape[0] == 1


def test_frames_without_a_hand_are_known_of() -> None:
    name, sequence = next(toy_sequences(1, FRAMES))
    lost = dataclasses.replace(sequence, hand_valid=sequence.hand_valid.at[0, 3].set(False))
    assert np.flatnonzero(~np.asarray(build_clips([(name, lost)], HAND, WINDOW, 64).observed)).tolist() == [3]


@pytest.mark.parametrize("change", ["far", "no parameters", "another hand"])
def test_refuses_what_it_cannot_learn_from(change: str) -> None:
    name, sequence = next(toy_sequences(1, FRAMES))
    if change == "far":
        hands = sequence.hands
        assert hands.params is not None
        moved = dataclasses.replace(hands.params, transl=hands.params.transl + jnp.asarray([1.0, 0.0, 0.0]))
        sequence = dataclasses.replace(sequence, hands=dataclasses.replace(hands, params=moved))
    elif change == "no parameters":
        sequence = dataclasses.replace(
            sequence, hands=dataclasses.replace(sequence.hands, params=None, joints=jnp.zeros((1, FRAMES, 21, 3)))
        )
    else:
        sequence = dataclasses.replace(sequence, hand_model="mano")
    with pytest.raises(InputError):
        build_clips([(name, sequence)], HAND, WINDOW, 64)
