"""Errors of trackers that see the hand through a camera, estimate its shape, or take the other hand for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain_jit

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, rest_joints, skin_frames
from toch_jax.perturb.camera_noise import random_camera
from toch_jax.perturb.object_noise import ALONG_OVER_ACROSS
from toch_jax.perturb.registry import parse_perturbation

T = 3000
KEY = jax.random.key(0)
CAMERA = np.array([0.1, -0.6, 0.4])


@pytest.fixture(scope="module")
def params() -> HandParams:
    rng = np.random.default_rng(0)
    shapes = {"global_orient": 3, "pose": 45, "betas": 10, "transl": 3}
    return HandParams(**{name: jnp.asarray(0.1 * rng.normal(size=(T, n)), jnp.float32) for name, n in shapes.items()})


def wrist(params: HandParams) -> np.ndarray:
    return np.asarray(rest_joints(load_hand("open"), params.betas)[:, 0] + params.transl, np.float64)


def perturbed(text: str, params: HandParams, key: jax.Array = KEY) -> HandParams:
    camera = jnp.broadcast_to(jnp.asarray(CAMERA, jnp.float32), (T, 3))
    found, valid = plain_jit(parse_perturbation(text), key, load_hand("open"), params, camera)
    assert valid.all()
    return found


def along_and_across(before: HandParams, after: HandParams) -> tuple[np.ndarray, np.ndarray]:
    ray = wrist(before) - CAMERA
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    moved = wrist(after) - wrist(before)
    along = (moved * ray).sum(axis=1)
    return along, moved - along[:, None] * ray


def test_a_ray_has_one_distance_for_the_clip_and_more_noise_along_than_across(params: HandParams) -> None:
    along, across = along_and_across(params, perturbed("ray(0.04,0.005)", params))
    np.testing.assert_allclose(along.std(), 0.005, rtol=0.06)
    np.testing.assert_allclose(np.sqrt((across**2).sum(axis=1).mean() / 2), 0.005 / ALONG_OVER_ACROSS, rtol=0.06)
    assert np.abs(across.mean(axis=0)).max() < 4 * 0.002 / np.sqrt(T)
    means = [along_and_across(params, perturbed("ray(0.04,0)", params, jax.random.key(i)))[0].mean() for i in range(60)]
    assert 0.025 < np.std(means) < 0.055


def test_a_wrong_focal_length_multiplies_the_distance(params: HandParams) -> None:
    found = perturbed("focal(1.1)", params)
    np.testing.assert_allclose(wrist(found) - CAMERA, 1.1 * (wrist(params) - CAMERA), atol=1e-5)


def test_a_hand_of_another_size_keeps_its_wrist(params: HandParams) -> None:
    few = jax.tree.map(lambda leaf: leaf[:4], params)
    found, _ = plain_jit(parse_perturbation("scale(1.15)"), KEY, load_hand("open"), few)
    np.testing.assert_allclose(wrist(found), wrist(few), atol=1e-6)
    sizes = [np.ptp(np.asarray(skin_frames(load_hand("open"), each)[0]), axis=1).max(axis=1) for each in (few, found)]
    assert (sizes[1] / sizes[0] > 1.05).all()
    assert (sizes[1] / sizes[0] < 1.25).all()


def test_an_unsteady_shape_keeps_the_wrist(params: HandParams) -> None:
    found, _ = plain_jit(parse_perturbation("shape(0.5)"), KEY, load_hand("open"), params)
    np.testing.assert_allclose(wrist(found), wrist(params), atol=1e-6)
    np.testing.assert_allclose(np.asarray(found.betas - params.betas).std(axis=0), 0.5, rtol=0.06)


def test_the_other_hand_is_taken_in_runs(params: HandParams) -> None:
    found, _ = plain_jit(parse_perturbation("flip(0.1)"), KEY, load_hand("open"), params)
    away = np.asarray(found.transl - params.transl)
    wrong = (away != 0).any(axis=1)
    assert abs(wrong.mean() - 0.1) < 0.04
    runs = np.count_nonzero(wrong[1:] & ~wrong[:-1]) + wrong[0]
    assert abs(wrong.sum() / runs - 5) < 1.5
    np.testing.assert_allclose(np.linalg.norm(away[wrong], axis=1), 0.2, rtol=1e-4)
    np.testing.assert_allclose(away[wrong], np.broadcast_to(away[wrong][0], away[wrong].shape), atol=1e-5)
    np.testing.assert_array_equal(found.global_orient[~wrong], params.global_orient[~wrong])


def test_a_tracker_does_all_of_it(params: HandParams) -> None:
    found = perturbed("tracker(0.04,0.005)", params)
    np.testing.assert_allclose(np.asarray(found.betas - params.betas).std(axis=0), 0.1, rtol=0.06)
    along, across = along_and_across(params, found)
    tracked = np.linalg.norm(across, axis=1) < 0.02
    assert 0.95 < tracked.mean() < 1
    np.testing.assert_allclose(along[tracked].std(), 0.005, rtol=0.15)


def test_a_random_camera_is_as_far_as_over_a_table() -> None:
    points = jnp.asarray(np.random.default_rng(1).normal(size=(2, 5, 3)), jnp.float32)
    places = np.stack([random_camera(key, points) for key in jax.random.split(KEY, 20)])
    distance = np.linalg.norm(places - np.asarray(points).reshape(-1, 3).mean(axis=0), axis=1)
    assert ((distance > 0.5 - 1e-5) & (distance < 1 + 1e-5)).all()
