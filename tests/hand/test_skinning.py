import dataclasses

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np

from toch_jax.hand.mesh import mirror
from toch_jax.hand.model import HandModel, HandParams, posed_joints, rest_joints, skin, skin_frames, skin_rotations


def test_rest_pose_is_the_template(hand: HandModel) -> None:
    rest = HandParams(jnp.zeros(3), jnp.zeros(45), jnp.zeros(10), jnp.array([0.1, 0.2, 0.3]))
    vertices, joints = skin_frames(hand, rest)
    np.testing.assert_allclose(vertices - rest.transl, hand.v_template, atol=1e-6)
    np.testing.assert_allclose(joints[16:] - rest.transl, hand.v_template[hand.tips], atol=1e-6)


def test_a_turn_of_the_wrist_turns_the_hand_about_its_wrist(hand: HandModel, params: HandParams) -> None:
    turn = jaxlie.SO3.exp(jnp.array([0.3, -1.2, 0.7]))
    orient = (turn @ jaxlie.SO3.exp(params.global_orient)).log()
    before, _ = skin_frames(hand, params)
    after, _ = skin_frames(hand, dataclasses.replace(params, global_orient=orient))
    wrist = (rest_joints(hand, params.betas)[:, 0] + params.transl)[:, None]
    expected = np.asarray(before - wrist) @ np.asarray(turn.as_matrix()).T + wrist
    np.testing.assert_allclose(after, expected, atol=2e-6)


def test_bones_keep_their_lengths(hand: HandModel, params: HandParams) -> None:
    _, joints = skin_frames(hand, params)
    child, parent = np.arange(1, 16), np.array(hand.parents[1:])
    rest = rest_joints(hand, params.betas)
    lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(rest[:, child] - rest[:, parent], axis=-1), atol=1e-6)


def test_mirrored_hand_in_mirrored_pose_is_the_mirror_image(hand: HandModel, params: HandParams) -> None:
    # random pose correctives: the open hand has none
    posedirs = jax.random.normal(jax.random.key(0), hand.posedirs.shape) * 1e-3
    right = dataclasses.replace(hand, posedirs=posedirs)
    turn, flip = jnp.array([1.0, -1, -1]), np.array([-1.0, 1, 1])
    other = HandParams(
        params.global_orient * turn, params.pose * jnp.tile(turn, 15), params.betas, params.transl * flip
    )
    for left, expected in zip(skin_frames(mirror(right), other), skin_frames(right, params), strict=True):
        np.testing.assert_allclose(left, np.asarray(expected) * flip, atol=2e-6)


def test_mirroring_twice_changes_nothing(cut_hand: HandModel) -> None:
    twice = mirror(mirror(cut_hand))
    assert jax.tree.structure(twice) == jax.tree.structure(cut_hand)
    for a, b in zip(jax.tree.leaves(twice), jax.tree.leaves(cut_hand), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batch_axes(hand: HandModel, params: HandParams) -> None:
    flat, _ = skin_frames(hand, params)
    grid, joints = skin_frames(hand, jax.tree.map(lambda x: x.reshape(2, 3, -1), params))
    assert joints.shape == (2, 3, 21, 3)
    np.testing.assert_allclose(grid.reshape(flat.shape), flat, atol=1e-6)
    mapped = jax.jit(jax.vmap(lambda p: skin(hand, p)[0]))(params)
    np.testing.assert_allclose(mapped, flat, atol=1e-6)


def test_joints_alone_are_those_of_the_skinned_hand(hand: HandModel, params: HandParams) -> None:
    np.testing.assert_allclose(jax.jit(posed_joints)(hand, params), skin_frames(hand, params)[1], atol=1e-6)


def test_one_shape_serves_many_frames(hand: HandModel, params: HandParams) -> None:
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(6, 15, 3)], axis=1)
    rotations = jaxlie.SO3.exp(angles).as_matrix()
    shared, _ = jax.jit(skin_rotations)(hand, rotations, params.betas[0], params.transl)
    expected, _ = skin_frames(hand, dataclasses.replace(params, betas=jnp.tile(params.betas[:1], (6, 1))))
    np.testing.assert_allclose(shared, expected, atol=1e-6)


def test_derivative_agrees_with_differences(hand: HandModel, params: HandParams) -> None:
    one = jax.tree.map(lambda x: x[0], params)
    direction = jax.tree.map(jnp.ones_like, one)

    @jax.jit
    def joints(step: jax.Array) -> jax.Array:
        return skin(hand, jax.tree.map(lambda x, d: x + step * d, one, direction))[1]

    _, slope = jax.jvp(joints, (jnp.float32(0),), (jnp.float32(1),))
    np.testing.assert_allclose(slope, (joints(jnp.float32(0.01)) - joints(jnp.float32(-0.01))) / 0.02, atol=2e-3)


def test_gradient_is_finite_in_the_flat_pose(hand: HandModel) -> None:
    flat = HandParams(jnp.zeros(3), jnp.zeros(45), jnp.zeros(10), jnp.zeros(3))
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(skin(hand, p)[1] ** 3)))(flat)
    assert all(bool(jnp.isfinite(leaf).all()) and bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(gradient))
