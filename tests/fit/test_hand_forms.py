"""Repaired hands have the form of the input, and all forms in one file describe the same hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.arrays import take
from toch_jax.hand.binding import carry_joints
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.pipeline import refine, refine_many
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Hands, Sequence


@pytest.fixture(scope="module")
def truth(example_file) -> Sequence:
    """Sixteen frames of clean parameters, in which the hand is away from the object."""
    sequence = load_sequence(example_file).frames(0, 16)
    return sequence.replace(hands=sequence.truth, truth=None, hand_valid=jnp.ones_like(sequence.hand_valid))


def as_joints(sequence: Sequence, offset: np.ndarray) -> Sequence:
    """The hands as joints of another skeleton, displaced by `offset` (21, 3) in the frames of the bones."""
    model = load_hand("open", sequence.hand_side[0])
    joints = to_openpose(np.asarray(carry_joints(model, take(sequence.hands.params, 0), offset)))
    return sequence.replace(
        hands=Hands(params=None, joints=jnp.asarray(joints)[None], vertices=None, vertex_order=None), hand_model=None
    )


def assert_one_hand(sequence: Sequence) -> None:
    """Assert that parameters, joints and vertices of the sequence agree."""
    model = load_hand(sequence.hand_model, sequence.hand_side[0])
    vertices, joints = skin_frames(model, jax.tree.map(lambda leaf: leaf[0], sequence.hands.params))
    np.testing.assert_allclose(sequence.hands.joints[0], to_openpose(np.asarray(joints)), atol=1e-5)
    np.testing.assert_allclose(sequence.hands.vertices[0], vertices, atol=1e-5)


def moved(one: Sequence, other: Sequence) -> np.ndarray:
    """Distance of each joint between two sequences, metres."""
    return np.linalg.norm(np.asarray(one.hands.joints) - np.asarray(other.hands.joints), axis=-1)


def test_joints_of_the_models_own_skeleton_come_with_its_parameters(truth: Sequence) -> None:
    given = as_joints(truth, np.zeros((21, 3)))
    clean = refine(given, None)
    assert_one_hand(clean)
    assert moved(clean, given).mean() < 0.001


def test_joints_of_another_skeleton_come_back_as_they_came(truth: Sequence) -> None:
    """A clean track keeps its own bone lengths; parameters of the model are returned only on request."""
    offset = np.random.default_rng(1).normal(0, 0.004, (21, 3))
    given = as_joints(truth, offset)
    clean = refine(given, None)
    assert clean.hands.params is None
    assert clean.hands.vertices is None
    assert any("parameters are left out" in note for note in clean.notes)
    assert moved(clean, given).mean() < 0.001
    (as_model,) = refine_many([given], None, hand="model")
    assert_one_hand(as_model)
    assert moved(as_model, given).mean() > 0.002


@pytest.mark.slow
def test_points_of_another_skin_come_back_without_parameters(truth: Sequence) -> None:
    """Every third vertex, displaced by up to 6 mm inwards or outwards."""
    model = load_hand("open", truth.hand_side[0])
    skin = np.asarray(skin_frames(model, take(truth.hands.params, 0))[0])[:, ::3]
    out = skin - skin.mean(axis=1, keepdims=True)
    off = np.random.default_rng(2).uniform(-0.006, 0.006, (skin.shape[1], 1))
    points = (skin + off * out / np.linalg.norm(out, axis=-1, keepdims=True)).astype(np.float32)
    hands = Hands(params=None, joints=None, vertices=jnp.asarray(points)[None], vertex_order="unordered")
    clean = refine(truth.replace(hands=hands, hand_model=None), None)
    assert clean.hands.params is None
    assert np.linalg.norm(np.asarray(clean.hands.vertices[0]) - points, axis=-1).mean() < 0.002
    assert any("mm from the points" in note for note in clean.notes)
