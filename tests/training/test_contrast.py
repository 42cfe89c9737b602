"""Training of the critic: what its batches hold, and that it learns which place is the true one."""

import math
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from support.toy import toy_sequences

from toch_jax.critic.files import load_critic
from toch_jax.critic.network import CriticConfig
from toch_jax.critic.skin_points import skin_points
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.object.build import build_object
from toch_jax.track.contact_check import grid_distance
from toch_jax.training.clips import Clips, build_clips
from toch_jax.training.contrast import ContrastConfig, CriticTraining, Places, draw_places
from toch_jax.training.experiment import DataConfig, OptimiserConfig
from toch_jax.training.loop import WEIGHTS, read_metrics, train

HAND = load_hand("open")
STILL = ContrastConfig(
    batch=2, frames=3, candidates=5, turned=0.5, orient=0.0, bend=0.0, press=0.0, jitter=0.0, shape=0.0, growth=0.0
)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return build_clips(toy_sequences(1, 20), HAND, 8, 64, with_distances=True)


@pytest.fixture(scope="module")
def places(clips: Clips) -> Places:
    surface = skin_points(HAND)
    return jax.jit(lambda key: draw_places(key, clips, surface, STILL))(jax.random.key(0))


def test_the_first_place_is_the_true_one(clips: Clips, places: Places) -> None:
    """Its distances are those of the clean hand in one of the clip's frames, and those of others are not."""
    np.testing.assert_array_equal(places.offset[:, 0], 0)
    (_, sequence), *_ = toy_sequences(1, 20)
    box = build_object(np.asarray(sequence.object_vertices), np.asarray(sequence.object_faces), n_samples=64)
    joints = np.asarray(skin_frames(HAND, clips.params)[1])
    true = grid_distance(box.grid, 0, joints)
    for batch in range(2):
        for place in range(5):
            apart = np.abs(np.asarray(places.distance)[batch, place, :, None, :21] - true).max(axis=-1).min(axis=-1)
            assert (apart.max() < 0.002) == (place == 0)


def test_it_learns_and_keeps_the_weights_of_the_least_error(clips: Clips, tmp_path: Path) -> None:
    run = CriticTraining(
        name="tiny",
        data=DataConfig(),
        critic=CriticConfig(members=2, channels=4, width=8),
        contrast=replace(STILL, batch=8, offset=(0.01, 0.02)),
        optimiser=OptimiserConfig(learning_rate=3e-2, warmup=2),
        **{"steps": 30, "log_every": 30, "save_every": 30, "validate_every": 10, "validation_batches": 2},
    )
    last = train(run, tmp_path, clips, clips, HAND)
    assert last["nats"] < 0.8 * math.log(5)
    assert last["left_mm"] < 0.8 * last["offset_mm"]
    # the file is the one of the validation with the least error
    least = min(line["nats"] for line in read_metrics(tmp_path / "metrics.jsonl") if "nats" in line)
    critic = load_critic(tmp_path / WEIGHTS)
    assert critic.config == run.critic
    assert (least == pytest.approx(last["nats"], abs=1e-5)) or least < last["nats"]
