"""The hand's points and their distances: the same places on every hand, and closed forms of a ball."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.grasps import BALL_RADIUS
from support.plain import plain_jit

from toch_jax.critic.features import N_READ, NODES, distance_to_parts, grid_distance, hand_points, slope_grid
from toch_jax.critic.skin_points import N_POINTS, skin_points
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel, HandParams, Side, skin
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.mirror import mirror_params


def params_of(model: HandModel, frames: int = 3) -> HandParams:
    rng = np.random.default_rng(0)
    sizes = {"global_orient": 3, "pose": 45, "betas": model.shapedirs.shape[-1], "transl": 3}
    return HandParams(**{k: jnp.asarray(0.3 * rng.normal(size=(frames, n)), jnp.float32) for k, n in sizes.items()})


@pytest.mark.parametrize("side", ["right", "left"])
def test_few_points_have_the_joints_of_the_whole_hand(side: Side) -> None:
    model = load_hand("open", side)
    few, params = skin_points(model), params_of(model)
    assert few.v_template.shape == (N_POINTS + 5, 3)
    (skin_few, joints), (skin_all, expected) = (plain_jit(skin, each, params) for each in (few, model))
    np.testing.assert_allclose(joints, expected, atol=2e-6)
    apart = np.linalg.norm(np.asarray(skin_few)[0][:, None] - np.asarray(skin_all)[0], axis=-1)
    assert apart.min(axis=1).max() < 1e-5


def test_the_places_are_the_same_on_another_mesh() -> None:
    """A decimated hand stands for another model: its nearest vertices are a few millimetres away."""
    model = load_hand("open")
    few, other = (np.asarray(skin_points(each).v_template) for each in (model, decimate(model, 1500)))
    apart = np.linalg.norm(few - other, axis=1)
    assert apart.mean() < 0.004
    assert apart.max() < 0.02


def test_a_left_hand_is_read_as_the_mirrored_right_one() -> None:
    right, left = (skin_points(load_hand("open", side)) for side in ("right", "left"))
    params = params_of(right)
    one = plain_jit(hand_points, right, params)
    other = plain_jit(hand_points, left, mirror_params(params))
    np.testing.assert_allclose(other.points, np.asarray(one.points) * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(other.shape, one.shape, atol=1e-4)
    assert one.points.shape == (3, N_READ, 3)


def test_distances_to_a_ball_are_within_half_a_millimetre(ball: ObjectModel) -> None:
    grid = slope_grid(ball.grid)
    assert grid.values.shape == (1, NODES, NODES, NODES, 4)
    points = np.random.default_rng(1).uniform(-0.15, 0.15, size=(2000, 3)).astype(np.float32)
    found = np.asarray(plain_jit(grid_distance, grid, jnp.zeros(len(points), jnp.int32), jnp.asarray(points)))
    exact = np.linalg.norm(points, axis=1) - BALL_RADIUS
    inside = (np.abs(points) < 0.1).all(axis=1)
    # near the ball's middle, where its distance has a tip, nodes are too far apart
    sure = inside & (np.linalg.norm(points, axis=1) > 0.01)
    assert np.abs(found - exact)[sure].max() < 5e-4
    assert (found[~inside] > exact[~inside] - 5e-4).all()


def test_the_nearest_of_two_moving_parts(ball: ObjectModel) -> None:
    grid = slope_grid(ball.grid)
    apart = np.array([[[0, 0, 0], [0, 0, 0]], [[0.05, 0, 0], [0.09, 0, 0]]], np.float32)
    motion = ObjectMotion(jnp.broadcast_to(jnp.eye(3), (2, 2, 3, 3)), jnp.asarray(apart))
    points = jnp.asarray(np.random.default_rng(2).uniform(-0.05, 0.05, size=(4, 2, 5, 3)), jnp.float32)
    found = plain_jit(distance_to_parts, grid, jnp.zeros(2, jnp.int32), motion, points)
    away = np.linalg.norm(np.asarray(points)[None] - apart[:, None, :, None], axis=-1) - BALL_RADIUS
    assert found.shape == (4, 2, 5)
    np.testing.assert_allclose(found, away.min(axis=0), atol=2e-3)
