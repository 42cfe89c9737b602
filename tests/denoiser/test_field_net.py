import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.spatial.transform import Rotation
from support.plain import plain_jit
from support.windows import (
    FIELD_NET,
    alone_on_rigid,
    assert_close,
    estimated,
    learnt,
    losses_on_one_batch,
    random_target,
    random_window,
    untrained,
)

from toch_jax.base.arrays import take
from toch_jax.denoiser.field_net import FieldNet, _nll
from toch_jax.denoiser.window import Window, map_frames, no_other_hand, rotate

# tolerance of distances, points and joints: 0.1 mm
CLOSE = 1e-4


@pytest.fixture(scope="module")
def model() -> FieldNet:
    """Untrained network with large last layers, so that no unwanted dependence is hidden by a small factor."""
    model = nnx.clone(untrained(FIELD_NET))
    for layer in (model.to_joints, model.answer_out, *(block.out for block in model.blocks)):
        layer.kernel.set_value(30 * layer.kernel.get_value())
    for layer in (model.shape_part, model.frame_hands):
        layer.kernel.set_value(0.3 * jax.random.normal(jax.random.key(0), layer.kernel.get_value().shape))
    return model


def test_nothing_tracked_of_a_lost_frame_is_read(model: FieldNet) -> None:
    """Values filled in for lost frames do not influence the estimates of other frames either."""
    window, other = random_window(0), random_window(1)
    lost = ~window.observed

    def swapped(ours: jax.Array, theirs: jax.Array | np.ndarray) -> jax.Array:
        there = np.asarray(lost).reshape(*lost.shape, *(1,) * (ours.ndim - 2))
        return jnp.asarray(np.where(there, theirs, ours), ours.dtype)

    expected = estimated(model, window)
    spoilt = window.replace(tracked=swapped(window.tracked, np.asarray(other.tracked) + 1.0))
    assert_close(estimated(model, spoilt), expected, CLOSE)
    field = other.replace(observed=jnp.asarray(np.ones_like(lost))).field
    refilled = spoilt.replace(
        field=jax.tree.map(swapped, window.field, field), joints=swapped(window.joints, other.joints)
    )
    found = jax.tree.map(swapped, estimated(model, refilled), expected)
    assert_close(found, expected, CLOSE)


def test_padding_changes_nothing(model: FieldNet) -> None:
    window, extra = random_window(0), 5

    def padded(leaf: jax.Array) -> jax.Array:
        return jnp.asarray(np.pad(leaf, ((0, 0), (0, extra), *((0, 0),) * (leaf.ndim - 2))))

    longer = map_frames(padded, window)
    short = take(estimated(model, longer), np.s_[:, : window.observed.shape[1]])
    assert_close(short, estimated(model, window), CLOSE)


def test_turning_the_scene_turns_only_the_joints(model: FieldNet) -> None:
    window = random_window(0)
    turn = Rotation.from_rotvec([[0.3, 2.0, -1.0], [1.0, 0.0, 0.5]]).as_matrix().astype(np.float32)
    centre = np.asarray([[0.1, 0.2, 0.3], [0.0, -0.5, 0.0]], np.float32)
    straight = estimated(model, window)
    turned = estimated(model, plain_jit(rotate, window, jnp.asarray(turn), jnp.asarray(centre)))
    assert straight.joints is not None
    centre = centre[:, None, None]
    moved = np.einsum("bij,bwkj->bwki", turn, np.asarray(straight.joints.joints) - centre) + centre
    expected = straight.replace(joints=straight.joints.replace(joints=jnp.asarray(moved)))
    assert_close(turned, expected, CLOSE)


def test_order_of_samples_does_not_matter(model: FieldNet) -> None:
    window = random_window(0)
    order = np.random.default_rng(0).permutation(window.points.shape[2])
    shuffled = window.replace(
        own=take(window.own, np.s_[:, order]),
        **{name: take(getattr(window, name), np.s_[:, :, order]) for name in ("field", "points", "normals")},
    )
    straight = estimated(model, window)
    expected = straight.replace(field=take(straight.field, np.s_[:, :, order]))
    assert_close(estimated(model, shuffled), expected, CLOSE)


def test_samples_that_stand_still_may_be_given_once(model: FieldNet) -> None:
    once = alone_on_rigid(random_window(0))
    axes = (*once.field.mask.shape, 3)
    often = once.replace(points=broadcast(once.points, axes), normals=broadcast(once.normals, axes))
    assert_close(estimated(model, often), estimated(model, once), CLOSE)


def broadcast(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.asarray(np.broadcast_to(array, shape))


def differs(model: FieldNet, one: Window, other: Window) -> np.ndarray:
    """Largest difference (B, W) of a joint coordinate estimated for two windows, metres."""
    first, second = (estimated(model, each).joints for each in (one, other))
    assert first is not None
    assert second is not None
    return np.abs(np.asarray(first.joints) - np.asarray(second.joints)).max(axis=(2, 3))


def test_every_new_input_is_read(model: FieldNet) -> None:
    window = random_window(0)
    away = window.other.replace(joints=window.other.joints + jnp.asarray([0.05, 0.0, 0.0]))
    changes = (
        {"own": ~window.own},
        {"left": ~window.left},
        {"two_handed": ~window.two_handed},
        {"other": away},
        {"points": window.points.at[:, 1:].add(jnp.where(window.own[..., None], 0.0, 0.02)[:, None])},
    )
    for change in changes:
        assert differs(model, window, window.replace(**change)).max(axis=1).min() > 1e-5


def test_an_other_hand_that_is_never_seen_is_none(model: FieldNet) -> None:
    """Values filled in for unobserved frames of the other hand have no influence either."""
    window, noise = random_window(0), random_window(1).other.joints + 1.0
    unseen = window.other.replace(observed=jnp.zeros_like(window.observed), joints=noise)
    absent = window.replace(other=no_other_hand(*window.observed.shape))
    assert differs(model, window.replace(other=unseen), absent).max() == 0
    refilled = jnp.where(window.other.observed[..., None, None], window.other.joints, noise)
    assert differs(model, window, window.replace(other=window.other.replace(joints=refilled))).max() == 0


def test_what_no_training_has_shown_it_changes_nothing() -> None:
    """Untrained layers of the additional inputs give zero: a window is read as one hand alone on a rigid object."""
    window = random_window(0)
    alone = alone_on_rigid(window)
    still, normals = (broadcast(each, window.points.shape) for each in (alone.points, alone.normals))
    told = window.replace(points=still, normals=normals)
    assert_close(estimated(untrained(FIELD_NET), told), estimated(untrained(FIELD_NET), alone), 1e-6)


def test_one_frame_and_one_sample_are_enough(model: FieldNet) -> None:
    estimate = estimated(model, random_window(0, 2, 1, 1))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(estimate))
    low, high = FIELD_NET.sigma_bounds
    for sigma in (estimate.field.distance_sigma, estimate.field.correspondence_sigma):
        assert low <= float(sigma.min()) <= float(sigma.max()) <= high


def test_untrained_it_leaves_field_and_joints_nearly_as_they_are() -> None:
    window = random_window(0)
    estimate = estimated(untrained(FIELD_NET), window)
    assert estimate.joints is not None
    observed = window.observed[..., None, None]
    np.testing.assert_allclose(
        jnp.where(observed, estimate.joints.joints, 0), jnp.where(observed, window.joints, 0), atol=2e-4
    )
    mask = window.field.mask
    np.testing.assert_allclose(estimate.field.distance[mask], window.field.distance[mask], atol=5e-4)
    np.testing.assert_allclose(estimate.field.correspondence[mask], window.field.correspondence[mask], atol=5e-3)


def test_a_window_without_a_hand_has_finite_gradients() -> None:
    window = random_window(0)
    nothing = window.replace(observed=jnp.zeros_like(window.observed))
    _, gradient, _ = learnt(untrained(FIELD_NET), nothing, random_target(1, window))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_sigma_learns_the_size_of_the_errors_and_moves_nothing_else() -> None:
    """The Laplace likelihood is largest at a standard deviation of sqrt(2) mean |error|."""
    error = jnp.abs(jax.random.normal(jax.random.key(0), (1000,)))  # cm
    sigmas = jnp.linspace(0.5, 2.0, 301) / 100
    best = sigmas[jnp.argmin(jax.vmap(lambda sigma: _nll(jnp.full_like(error, sigma), error).mean())(sigmas))]
    np.testing.assert_allclose(100 * best, 2**0.5 * error.mean(), atol=0.005)
    assert not np.any(jax.grad(lambda error: _nll(jnp.full_like(error, 0.01), error).sum())(error))


def test_learns_one_batch() -> None:
    losses = losses_on_one_batch(untrained(FIELD_NET))
    assert losses[-1] < 0.95 * losses[0]
