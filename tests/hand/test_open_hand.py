from importlib.resources import files

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from make_open_hand import build

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, Side, rest_joints, skin_frames
from toch_jax.hand.prior import pose_prior


def test_measures(hand: HandModel) -> None:
    mesh = trimesh.Trimesh(np.asarray(hand.v_template), np.asarray(hand.faces), process=False)
    assert (len(mesh.vertices), len(mesh.faces)) == (1650, 3296)
    assert mesh.is_watertight
    assert mesh.euler_number == 2
    # a man's hand has a volume of about 350 cm3, a woman's of 250
    assert 250e-6 < mesh.volume < 350e-6
    weights = np.asarray(hand.weights)
    assert ((weights > 0).sum(axis=1) <= 4).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.sum(hand.joint_regressor, axis=1), 1, atol=1e-6)
    components = np.asarray(hand.pose_components)
    np.testing.assert_allclose(components @ components.T, np.eye(45), atol=1e-5)


def test_joints_lie_inside_the_hand(hand: HandModel) -> None:
    mesh = trimesh.Trimesh(np.asarray(hand.v_template), np.asarray(hand.faces), process=False)
    assert mesh.contains(np.asarray(rest_joints(hand, jnp.zeros(10)))).all()


@pytest.mark.parametrize(("beta", "length"), [(-2, 0.159), (0, 0.1825), (2, 0.205)])
def test_hands_are_as_long_as_peoples(hand: HandModel, beta: float, length: float) -> None:
    betas = jnp.zeros(10).at[0].set(beta)
    _, joints = skin_frames(hand, HandParams(jnp.zeros(3), jnp.zeros(45), betas, jnp.zeros(3)))
    assert np.linalg.norm(joints[18] - joints[0]) == pytest.approx(length, abs=0.002)


@pytest.mark.parametrize("side", ["right", "left"])
def test_frame_and_flexion(side: Side) -> None:
    """MANO's frame: on a right hand the fingers point to -x, the thumb to +z; flexion about z bends fingers to -y."""
    model, sign = load_hand("open", side), 1 if side == "right" else -1
    pose = np.zeros((2, 15, 3), np.float32)
    pose[1, [0, 3, 6, 9], 2] = sign * 1.2
    zeros = jnp.zeros((2, 3))
    _, joints = skin_frames(model, HandParams(zeros, jnp.asarray(pose.reshape(2, 45)), jnp.zeros((2, 10)), zeros))
    flat, bent = np.asarray(joints)
    forward = flat[17:] - flat[0]
    assert (sign * forward[:, 0] < -0.1).all()
    assert np.abs(flat[[17, 18, 19, 20], 1] - flat[[1, 4, 10, 7], 1]).max() < 0.015
    assert flat[16, 2] > flat[17, 2] > flat[18, 2] > flat[19, 2] > flat[20, 2]
    assert (bent[17:, 1] < flat[17:, 1] - 0.03).all()
    np.testing.assert_allclose(bent[16], flat[16], atol=1e-6)


def test_prior_is_anatomical() -> None:
    right, left = pose_prior("right"), pose_prior("left")
    degrees = np.rad2deg(np.asarray([right.lower, right.upper]).reshape(2, 15, 3))
    # middle finger, whose bones are parallel to x: knuckle, middle and end joint
    np.testing.assert_allclose(degrees[:, 3:6, 2], [[-20, -3, -8], [90, 105, 75]], atol=2)
    assert bool((right.lower <= right.mean).all() and (right.mean <= right.upper).all())
    assert np.linalg.eigvalsh(right.covariance).min() > -1e-6
    turn = np.tile([1, -1, -1], 15)
    np.testing.assert_array_equal(left.mean, right.mean * turn)
    np.testing.assert_array_equal(left.upper, np.maximum(right.upper * turn, right.lower * turn))
    assert np.asarray(left.covariance)[0, 1] == -np.asarray(right.covariance)[0, 1]


@pytest.mark.slow
def test_the_asset_is_what_the_recipe_makes() -> None:
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        for key, value in build(say=lambda _: None).items():
            np.testing.assert_allclose(asset[key], value, atol=1e-4, err_msg=key)
