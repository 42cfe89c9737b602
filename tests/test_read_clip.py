"""The denoiser's input for a sequence: samples of all parts and the other hand, in the frame of the hand's part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.two_hands import two_handed

from toch_jax.denoiser.checkpoints import create_denoiser
from toch_jax.denoiser.field_net import FieldNet, FieldNetConfig
from toch_jax.denoiser.window import DenoiserConfig
from toch_jax.hand.files import load_hand
from toch_jax.object.model import ObjectModel
from toch_jax.observe import observe, read_clip
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.track.tracked_hand import tracked_hand, tracked_hands

FRAMES = 16
LEFT, RIGHT = 0, 1
"""Indices of the hands and of the parts that they hold: the left hand holds part 0, the right one part 1."""


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    """A two-handed clip in which the right hand is lost in two frames."""
    clean = two_handed().frames(8, 8 + FRAMES)
    return clean.replace(hand_valid=clean.hand_valid.at[RIGHT, 3:5].set(False))


@pytest.fixture(scope="module")
def box(sequence: Sequence) -> ObjectModel:
    return sequence_object(sequence).without_mesh()


@pytest.fixture(scope="module")
def denoiser() -> FieldNet:
    """An untrained network whose layers for the additional inputs are not zero."""
    config = FieldNetConfig(point_width=8, frame_width=16, dilations=(1, 2)).for_hand(load_hand("open"))
    model = create_denoiser(config, 0)
    assert isinstance(model, FieldNet)
    for layer in (model.to_joints, model.shape_part, model.frame_hands):
        layer.kernel.set_value(0.03 * jax.random.normal(jax.random.key(0), layer.kernel.get_value().shape))
    return model


def swapped(sequence: Sequence) -> Sequence:
    hands, valid = jax.tree.map(lambda leaf: leaf[::-1], (sequence.hands, sequence.hand_valid))
    return sequence.replace(hand_side=sequence.hand_side[::-1], hands=hands, hand_valid=valid)


@pytest.mark.parametrize("hand", [pytest.param(LEFT, marks=pytest.mark.slow), RIGHT])
def test_parts_and_hands_are_where_they_are_in_each_frame(sequence: Sequence, box: ObjectModel, hand: int) -> None:
    tracked = tracked_hands(sequence)[hand]
    window, points, normals = read_clip(tracked, box, DenoiserConfig())
    own = np.asarray(window.own[0])
    assert 20 < own.sum() < len(own) - 20
    rotation, translation = (np.asarray(each, np.float64) for each in vars(sequence.object_motion).values())

    def into(part: int, world: np.ndarray) -> np.ndarray:
        return np.einsum("tba,tnb->tna", rotation[part], world - translation[part][:, None])

    def out_of(part: int, local: np.ndarray) -> np.ndarray:
        return np.einsum("tab,tnb->tna", rotation[part], local) + translation[part][:, None]

    # a sample is at rest in the frame of its own part, which is this or the other one
    found = np.asarray(window.points[0, :FRAMES], np.float64)
    np.testing.assert_array_equal(found, points[:FRAMES])
    np.testing.assert_array_equal(window.normals[0], normals)
    assert np.ptp(found[:, own], axis=0).max() < 1e-5
    assert np.ptp(found[:, ~own], axis=0).max() > 0.01
    there = into(1 - hand, out_of(hand, found))
    assert np.ptp(there[:, ~own], axis=0).max() < 1e-5
    # the other hand, as it is tracked
    other = 1 - hand
    joints = into(hand, np.asarray(tracked_hand(sequence, other).joints, np.float64))
    np.testing.assert_allclose(window.other.joints[0, :FRAMES], joints, atol=1e-5)
    np.testing.assert_array_equal(window.other.observed[0, :FRAMES], sequence.hand_valid[other])
    assert not window.other.observed[0, FRAMES:].any()
    assert window.two_handed.tolist() == [True]
    assert window.left.tolist() == [hand == LEFT]


@pytest.mark.slow
def test_what_is_seen_of_a_hand_does_not_hang_on_its_place_in_the_file(
    sequence: Sequence, box: ObjectModel, denoiser: FieldNet
) -> None:
    here = [observe(hand, box, denoiser) for hand in tracked_hands(sequence)]
    there = [observe(hand, box, denoiser) for hand in tracked_hands(swapped(sequence))]
    for one, other in zip(here, there[::-1], strict=True):
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_denoiser_sees_the_other_hand(sequence: Sequence, box: ObjectModel, denoiser: FieldNet) -> None:
    both = tracked_hands(sequence)[RIGHT]
    alone = tracked_hand(sequence, RIGHT)
    observed, unseen = (observe(each, box, denoiser).estimate.joints for each in (both, alone))
    assert observed is not None
    assert unseen is not None
    assert float(jnp.abs(observed.joints - unseen.joints).max()) > 1e-4


@pytest.mark.slow
def test_swapped_hands_are_repaired_alike(sequence: Sequence, box: ObjectModel, denoiser: FieldNet) -> None:
    one, other = (refine(each, denoiser, object=box) for each in (sequence, swapped(sequence)))
    assert np.linalg.norm(np.asarray(one.hands.joints)[::-1] - np.asarray(other.hands.joints), axis=-1).mean() < 0.001
