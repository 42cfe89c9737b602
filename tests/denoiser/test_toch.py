from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from support.plain import plain_jit
from support.windows import (
    TOCH,
    alone_on_rigid,
    assert_close,
    estimated,
    learnt,
    losses_on_one_batch,
    random_target,
    random_window,
    untrained,
)

from toch_jax.denoiser.coordinates import MANO_OFFSET, MANO_SCALE
from toch_jax.denoiser.toch import BidirectionalGRU, PointBlock, TochConfig, TochDenoiser, torch_linear

GOLDEN = Path(__file__).parents[1] / "golden" / "gru.npz"


def test_parameter_count_is_the_papers() -> None:
    shapes = nnx.eval_shape(lambda: TochDenoiser(TochConfig(), nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(shapes, nnx.Param))) == 1_506_693


def test_split_layers_are_the_layers_of_the_concatenation() -> None:
    """The block as in the paper's code, where the frame's maximum is repeated and concatenated."""
    block = plain_jit(lambda: PointBlock(5, 3, rngs=nnx.Rngs(1)))
    features = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 7, 5)), jnp.float32)

    def parts(block, features):  # type: ignore[no-untyped-def]
        local = jax.nn.relu(block.first(features))
        shared = block.third(jax.nn.relu(block.second(local))).max(axis=2, keepdims=True)
        return local, shared, block(block.first(features))

    local, shared, found = map(np.asarray, plain_jit(parts, block, features))
    both = np.concatenate([np.broadcast_to(shared, local.shape), local], axis=-1)
    kernel = np.concatenate([block.of_shared.kernel.get_value(), block.of_local.kernel.get_value()])
    both = both + both @ kernel + np.asarray(block.of_local.bias.get_value())
    normal = (both - both.mean(-1, keepdims=True)) / np.sqrt(both.var(-1, keepdims=True, ddof=1) + 1e-5)
    np.testing.assert_allclose(found, np.maximum(normal, 0), atol=1e-5)


@pytest.mark.slow
def test_order_of_samples_does_not_matter() -> None:
    model, window = untrained(TOCH), random_window(0)
    order = jax.random.permutation(jax.random.key(0), window.points.shape[2])
    shuffled = window.replace(
        field=jax.tree.map(lambda leaf: leaf[:, :, order], window.field),
        points=window.points[:, :, order],
        normals=window.normals[:, :, order],
        own=window.own[:, order],
    )
    expected = jax.tree.map(lambda leaf: leaf[:, :, order], estimated(model, window))
    assert_close(estimated(model, shuffled), expected, 1e-5)


def test_it_knows_one_hand_and_samples_where_they_are_at_first() -> None:
    window = random_window(0)
    assert_close(estimated(untrained(TOCH), window), estimated(untrained(TOCH), alone_on_rigid(window)), 1e-5)


def test_sigmas_are_the_configured_constants() -> None:
    field = estimated(untrained(TOCH), random_window(0)).field
    assert np.all(np.asarray(field.distance_sigma) == np.float32(TOCH.distance_sigma))
    assert np.all(np.asarray(field.correspondence_sigma) == np.float32(TOCH.correspondence_sigma))


def test_loss_of_known_answers() -> None:
    """With constant outputs the loss is a closed form of the target."""
    model, window = nnx.clone(untrained(TOCH)), random_window(0)
    target = random_target(1, window)
    for layer, value in ((model.to_mask, 0.5), (model.to_correspondence, 0.1), (model.to_distance, 0.2)):
        layer.kernel.set_value(jnp.zeros_like(layer.kernel.get_value()))
        layer.bias.set_value(jnp.full_like(layer.bias.get_value(), value))
    (_, terms), *_ = learnt(model, window, target)
    half = window.points.shape[2] // 2
    truth = target.field
    hit, points, distance = (
        np.asarray(leaf[:, :, half:]) for leaf in (truth.mask, truth.correspondence, truth.distance)
    )
    cross_entropy = np.where(hit, 6 * np.log1p(np.exp(-0.5)), 0.5 + np.log1p(np.exp(-0.5)))
    np.testing.assert_allclose(terms["mask"], cross_entropy.mean(), rtol=1e-5)
    points = points * MANO_SCALE + np.asarray(MANO_OFFSET)
    np.testing.assert_allclose(terms["correspondence"], ((points - 0.1) ** 2)[hit].mean(), rtol=1e-5)
    weight = np.where(hit, np.exp(-np.abs(10 * distance)), 0)
    weight = weight / weight.sum(-1, keepdims=True) * hit.sum(-1, keepdims=True)
    np.testing.assert_allclose(terms["distance"], (weight * (0.2 - 10 * distance) ** 2)[hit].mean(), rtol=1e-5)


def test_learns_one_batch() -> None:
    losses = losses_on_one_batch(untrained(TOCH))
    assert losses[-1] < 0.9 * losses[0]


def test_gru_equals_onnx_runtime() -> None:
    golden = np.load(GOLDEN)
    gru = BidirectionalGRU(3, 4, rngs=nnx.Rngs(0))
    for index, one in enumerate((gru.forward, gru.backward)):
        one.of_input.kernel.set_value(jnp.asarray(golden["of_input"][index].T))
        one.of_input.bias.set_value(jnp.asarray(golden["input_bias"][index]))
        one.of_state.kernel.set_value(jnp.asarray(golden["of_state"][index].T))
        one.of_state.bias.set_value(jnp.asarray(golden["state_bias"][index]))
    np.testing.assert_allclose(gru(jnp.asarray(golden["frames"])), golden["output"], atol=2e-6)


def test_linear_is_drawn_within_torchs_bounds() -> None:
    layer = torch_linear(50, 200, nnx.Rngs(0), beside=50)
    kernel = np.asarray(layer.kernel.get_value())
    assert 0.098 < np.abs(kernel).max() <= 0.1
    np.testing.assert_allclose(kernel.std(), 0.1 / np.sqrt(3), rtol=0.05)
