import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from support.scenes import after_move, joints_of, mirrored, moved

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods.refinenet import (
    RefineConfig,
    RefineNet,
    RefineTraining,
    distances,
    draw_frames,
    edges_of,
    load_refinenet,
    refine_loss,
    refinenet,
)
from toch_jax.denoiser.checkpoints import load_denoiser, save_network
from toch_jax.hand.files import load_hand
from toch_jax.sequence.mirror import mirror
from toch_jax.track.tracked_hand import coarse_hand
from toch_jax.training.batches import BatchConfig
from toch_jax.training.clips import build_clips
from toch_jax.training.experiment import OptimiserConfig
from toch_jax.training.loop import WEIGHTS, read_metrics, train


def network(strength: float) -> RefineNet:
    """An untrained network whose last layers have random weights of scale `strength`."""
    made = RefineNet(RefineConfig(vertices=752, width=32), nnx.Rngs(0))
    for index, layer in enumerate((made.to_rotations, made.to_position)):
        kernel = layer.kernel.get_value()
        layer.kernel.set_value(strength * jax.random.normal(jax.random.key(index), kernel.shape))
    return made


def test_without_corrections_the_hand_is_given_back(held, held_object):
    out = refinenet(held, network(0.0), held_object)
    np.testing.assert_allclose(np.asarray(out.hands.joints[0]), joints_of(held), atol=2e-5)


def test_the_answer_goes_with_the_scene(held, held_object):
    strong = network(0.01)
    here = np.asarray(refinenet(held, strong, held_object).hands.joints[0])
    assert np.linalg.norm(here - joints_of(held), axis=-1).mean() > 2e-3
    there = np.asarray(refinenet(moved(held), strong, held_object).hands.joints[0])
    np.testing.assert_allclose(there, after_move(here), atol=1e-4)


def test_a_left_hand_is_a_mirrored_right_one(held, held_object):
    strong = network(0.01)
    right = np.asarray(refinenet(held, strong, held_object).hands.joints[0])
    left = np.asarray(refinenet(mirror(held), strong, mirrored(held_object)).hands.joints[0])
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-4)


def test_distances_to_a_ball_of_samples():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(1, 4000, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    vertices = rng.normal(size=(1, 50, 3)) * 0.03
    found = np.asarray(distances(*(jnp.asarray(x, jnp.float32) for x in (vertices, 0.05 * direction, direction))))
    np.testing.assert_allclose(found, np.linalg.norm(vertices, axis=-1) - 0.05, atol=2e-3)


@pytest.fixture(scope="module")
def clips(held):
    return build_clips([("held", held)], load_hand("open"), window=2, n_samples=600)


TINY = RefineTraining(
    name="tiny",
    refiner=RefineConfig(width=32),
    batch=BatchConfig(batch=8, window=2),
    optimiser=OptimiserConfig(learning_rate=3e-3, lowest_rate=0.0, warmup=0, weight_decay=5e-4),
    steps=25,
    log_every=1,
    validation_batches=2,
)


@pytest.mark.slow
def test_training_makes_the_loss_smaller_and_weights_come_back(clips, tmp_path):
    hand, surface = load_hand("open"), coarse_hand("open", "right")
    result = train(TINY, tmp_path, clips, clips, hand)
    trained = load_refinenet(tmp_path / WEIGHTS)
    assert trained.config == RefineConfig(width=32, vertices=len(surface.v_template))
    frames = draw_frames(jax.random.key(9), clips, surface, TINY)
    loss = jax.jit(refine_loss, compiler_options={"xla_backend_optimization_level": "0"})
    before, after = (
        float(loss(each, surface, edges_of(surface), frames)[0]) for each in (TINY.learner(hand).network, trained)
    )
    assert after < 0.95 * before
    assert result["vertices_mm"] < result["vertices_before_mm"]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 26))
    assert {"distances", "vertices", "edges"} <= lines[0].keys()


def test_a_refiner_comes_back_as_it_was(tmp_path):
    saved = network(0.01)
    save_network(saved, tmp_path / "net.npz")
    loaded = load_refinenet(tmp_path / "net.npz")
    assert loaded.config == saved.config
    for mine, theirs in zip(jax.tree.leaves(loaded), jax.tree.leaves(saved), strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    with pytest.raises(InputError, match="architecture: expected light or toch, found refinenet"):
        load_denoiser(tmp_path / "net.npz")


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    for name in ("other.npz", "cut.npz", "none.npz"):
        with pytest.raises(InputError, match=name):
            load_refinenet(tmp_path / name)
