"""Joint orders that are recognised, sizes of people, and what remains between given and fitted joints."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.grasps import grasp, joints_of

from toch_jax.base.errors import InputError
from toch_jax.hand.binding import posed_skin
from toch_jax.hand.conventions import from_openpose, to_openpose
from toch_jax.hand.mesh import farthest_points
from toch_jax.hand.model import HandModel
from toch_jax.hand.prior import pose_prior
from toch_jax.track.registration_checks import (
    LARGEST_BETA,
    OTHER_ORDERS,
    add_residual,
    bone_change,
    check_order,
    scale_between,
    size_note,
    spread_note,
    steady,
    within_people,
)

NOISE = 0.003 * np.random.default_rng(0).normal(size=(16, 21, 3))


def test_openpose_order_passes(hand: HandModel) -> None:
    joints = joints_of(hand, grasp()) + NOISE
    check_order("clip.npz", hand, joints)
    check_order("clip.npz", hand, 1.4 * joints)
    joints[:, 18] = joints[3:, 7] = np.nan
    check_order("clip.npz", hand, joints)


@pytest.mark.parametrize("name", OTHER_ORDERS)
def test_another_order_is_refused_with_its_name_and_what_mends_it(hand: HandModel, name: str) -> None:
    right = to_openpose(joints_of(hand, grasp()) + NOISE)
    given = right[:, OTHER_ORDERS[name]]
    with pytest.raises(InputError, match=r"^clip\.npz: hand_joints: expected OpenPose order") as fault:
        check_order("clip.npz", hand, from_openpose(given))
    assert f"found {name}: take joints[..., [" in str(fault.value)
    mend = [int(index) for index in str(fault.value).split("[")[2].split("]")[0].split(",")]
    np.testing.assert_array_equal(given[:, mend], right)


def test_change_of_the_bones_lengths(hand: HandModel) -> None:
    joints = joints_of(hand, grasp())
    assert bone_change(joints) < 1e-5
    size = 1 + 0.02 * np.random.default_rng(0).normal(size=400)
    long = np.repeat(joints[:1], 400, axis=0) * size[:, None, None]
    long[::3, 5] = long[:, 20] = np.nan
    assert bone_change(long) == pytest.approx(0.02, rel=0.15)


def test_noise_is_told_from_what_stays() -> None:
    rng = np.random.default_rng(0)
    offset = np.full((400, 200, 3), [0.003, 0, 0.004])
    offset[:, 100:] = 0
    found = steady(offset + 0.01 * rng.normal(size=offset.shape))
    np.testing.assert_allclose(found[:100].mean(), 0.005, rtol=0.03)
    assert found[100:].mean() < 0.0005
    np.testing.assert_allclose(steady(offset[:1])[:100], 0.005)


def test_missing_values_are_skipped() -> None:
    offset = np.ones((10, 2, 1))
    offset[3:, 0] = offset[:, 1] = np.nan
    np.testing.assert_allclose(steady(offset), [1, 0])


def test_sigma_of_a_coordinate_takes_a_third_of_the_square() -> None:
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(100_000, 3))
    off = 0.006 * direction / np.linalg.norm(direction, axis=1, keepdims=True) + 0.002 * rng.normal(size=(100_000, 3))
    sigma = add_residual(jnp.full((1, 21), 0.002), np.full(21, 0.006, np.float32))
    np.testing.assert_allclose(np.asarray(sigma), off.std(), rtol=0.01)


def test_scale_between_points() -> None:
    points = np.random.default_rng(0).normal(size=(5, 21, 3))
    given = 1.3 * points + [1.0, 2.0, 3.0]
    given[2, 4] = given[4] = np.nan
    assert scale_between(points, given, np.array([1, 1, 1, 1, 0], bool)) == pytest.approx(1.3)


@pytest.mark.parametrize(("scale", "named"), [(0.6, True), (0.9, False), (1.0, False), (1.1, False), (1.4, True)])
def test_a_hand_of_no_persons_size_is_named(hand: HandModel, scale: float, named: bool) -> None:
    params = grasp().replace(betas=jnp.zeros(10))
    joints = joints_of(hand, params)
    notes = size_note(hand, params, scale_between(joints, scale * joints, np.ones(16, bool)))
    assert [note.startswith(f"{scale:.2f} times as large") for note in notes] == [True] * named


def test_shapes_are_held_within_peoples() -> None:
    held = within_people(grasp().replace(betas=jnp.asarray([-12.0, 4.0, 1.0]))).betas
    np.testing.assert_array_equal(held, [-LARGEST_BETA, LARGEST_BETA, 1])


@pytest.mark.parametrize(("scale", "named"), [(0.5, True), (1.0, False), (2.0, True), (1000.0, True)])
@pytest.mark.parametrize("bend", [0.0, 1.0, 3.0])
def test_points_of_no_persons_hand_are_named_in_any_pose(
    hand: HandModel, scale: float, named: bool, bend: float
) -> None:
    params = grasp().replace(betas=jnp.zeros(10))
    prior = pose_prior("right")
    skin = posed_skin(hand, params.replace(pose=jnp.clip(bend * params.pose, prior.lower, prior.upper)))
    points = scale * skin[:, farthest_points(np.asarray(hand.v_template), 128)]
    assert [note.endswith("is it all of one hand, in metres?") for note in spread_note(points)] == [True] * named
