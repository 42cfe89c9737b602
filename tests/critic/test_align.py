"""The alignment of a hand by scores that know where it is, and by the critic that ships."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array, Float

from toch_jax.critic import align as module
from toch_jax.critic.align import MOST_RIGHT, align, aligned, alignment_note
from toch_jax.critic.files import as_critic, load_critic
from toch_jax.critic.network import Critic, CriticConfig
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.camera import resting_camera
from toch_jax.sequence.types import Sequence
from toch_jax.track.tracked_hand import TrackedHand, cut_frames, in_world, tracked_hands

WIDTH = 0.005


@pytest.fixture(scope="module")
def critic() -> Critic:
    return load_critic()


@pytest.fixture(scope="module")
def hand(clean: Sequence) -> TrackedHand:
    return tracked_hands(clean)[0]


class Known:
    """Scores of a critic to which the true place is `offset` away in each frame, in the axes of the grid."""

    offset = np.zeros(3)
    weight = 1.0

    def __init__(self, tracked: TrackedHand, object: ObjectModel, critic: Critic, frames: np.ndarray, axes: np.ndarray):
        self.frames = frames

    def at(self, nodes: module.Nodes) -> Float[np.ndarray, "F X Y Z"]:
        away = module.grid_offsets(nodes) - np.broadcast_to(self.offset, (len(self.frames), 3))[:, None]
        scores = -0.5 * self.weight * np.sum(away**2, axis=-1) / WIDTH**2
        return scores.reshape(len(self.frames), *(len(axis) for axis in nodes))


def known(monkeypatch: pytest.MonkeyPatch, offset: np.ndarray, weight: float = 1.0) -> None:
    monkeypatch.setattr(Known, "offset", offset)
    monkeypatch.setattr(Known, "weight", weight)
    monkeypatch.setattr(module, "_Scores", Known)


def test_an_offset_that_is_known_is_taken(monkeypatch, hand, held_object, critic) -> None:
    known(monkeypatch, np.array([0.012, -0.009, 0.015]))
    found = align(hand, held_object, critic)
    assert found.right < 0.05
    np.testing.assert_allclose(found.offset, np.tile([0.012, -0.009, 0.015], (hand.n_frames, 1)), atol=0.002)
    assert found.sigma.max() < 0.005
    note = alignment_note(hand, found)
    assert note is not None
    assert note.startswith("hand 0 (right): moved as a whole by 2")


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_a_hand_stays_where_it_is_right_and_where_nothing_is_known(
    monkeypatch, hand, held_object, critic, weight
) -> None:
    known(monkeypatch, np.zeros(3), weight)
    found = align(hand, held_object, critic)
    assert not found.moves
    assert aligned(hand, found) is hand
    assert alignment_note(hand, found) is None
    if weight:
        assert found.sigma.max() < 0.002
    else:
        # as likely as beforehand, and as wide
        assert found.right == pytest.approx(0.5, abs=1e-6)
        assert 0.005 < found.sigma.min() < 0.01


def test_along_a_ray_the_hand_may_be_farther_away(monkeypatch, hand, held_object, critic) -> None:
    place = np.asarray(hand.joints)[:, 0].mean(axis=0) + np.array([0.3, 0.5, -0.2])
    camera = resting_camera(place, np.asarray(hand.joints)[0, 0], hand.n_frames)
    known(monkeypatch, np.array([0.09, 0.0, 0.0]))
    found = align(hand, held_object, critic, camera)
    ray = camera.rays(np.asarray(hand.joints)[:, 0])
    np.testing.assert_allclose(found.offset, 0.09 * ray, atol=0.004)


def test_the_moved_track_is_moved_in_the_world(hand) -> None:
    offset = np.linspace([0, 0, 0], [0.01, 0.02, -0.03], hand.n_frames)
    found = aligned(hand, module.Alignment(offset, np.zeros((hand.n_frames, 3, 3)), 0.0))
    assert found.world is hand.world
    for before, after in (
        (hand.track.params, found.track.params),
        (hand.track.smoothed.params, found.track.smoothed.params),
    ):
        cut = [cut_frames(each, hand.n_frames) for each in (before, after)]
        moved = np.asarray(in_world(hand, cut[1]).transl) - np.asarray(in_world(hand, cut[0]).transl)
        np.testing.assert_allclose(moved, offset, atol=1e-5)


def test_a_true_hand_is_not_moved_by_the_critic_that_ships(held, held_object, critic) -> None:
    true = held.replace(hands=held.truth) if held.truth is not None else held
    found = align(tracked_hands(true)[0], held_object, critic)
    assert found.right >= MOST_RIGHT
    assert not found.moves
    assert as_critic(critic) is critic
    assert as_critic(None) is None


def test_the_mean_of_the_networks_is_the_score() -> None:
    critic = Critic(CriticConfig(members=2, channels=3, width=4), nnx.Rngs(0))
    distance, shape = jnp.linspace(-0.02, 0.1, 2 * 117).reshape(2, 117), jnp.ones((1, 63))
    each = critic.each(distance, shape)
    assert each.shape == (2, 2)
    np.testing.assert_allclose(critic(distance, shape), np.asarray(each).mean(axis=0), rtol=1e-5)
    assert isinstance(jax.tree.leaves(each)[0], Array)
    assert replace(critic.config, members=1).members == 1
