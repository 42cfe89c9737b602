"""Statistics of the perturbations of objects, and their names beside those of hands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.registry import parse_perturbation

T = 2000
KEY = jax.random.key(0)
MIDDLES = np.array([[0.3, 0.1, 0.0], [0.0, 0.0, 0.2]])


@pytest.fixture(scope="module")
def motion() -> ObjectMotion:
    rng = np.random.default_rng(0)
    turn = Rotation.from_rotvec(rng.normal(size=(2 * T, 3))).as_matrix().reshape(2, T, 3, 3)
    return ObjectMotion(put(turn, np.float32), put(rng.normal(size=(2, T, 3)), np.float32))


def middles(motion: ObjectMotion) -> np.ndarray:
    return np.einsum("ptab,pb->pta", motion.rotation, MIDDLES) + np.asarray(motion.translation)


def test_noise_is_about_the_middle(motion: ObjectMotion) -> None:
    found, valid = parse_perturbation("object(0.005,0.05)").of_object(KEY, motion, MIDDLES)
    assert valid.all()
    np.testing.assert_allclose((middles(found) - middles(motion)).std(axis=1), 0.005, rtol=0.08)
    turn = np.swapaxes(motion.rotation, -1, -2) @ np.asarray(found.rotation)
    vectors = Rotation.from_matrix(np.asarray(turn).reshape(-1, 3, 3)).as_rotvec()
    np.testing.assert_allclose(vectors.std(axis=0), 0.05, rtol=0.06)


def test_drift_is_slow(motion: ObjectMotion) -> None:
    found, valid = parse_perturbation("object_drift(0.01)").of_object(KEY, motion, MIDDLES)
    assert valid.all()
    offset = np.asarray(found.translation - motion.translation)
    np.testing.assert_allclose(offset.std(axis=1), 0.01, rtol=0.35)
    np.testing.assert_allclose(np.diff(offset, axis=1).std(axis=1), 0.01 * np.sqrt(2 * 0.05), rtol=0.1)
    assert abs(np.corrcoef(offset[0, :, 0], offset[1, :, 0])[0, 1]) < 0.5
    np.testing.assert_array_equal(found.rotation, motion.rotation)


def test_a_share_of_the_frames_is_lost(motion: ObjectMotion) -> None:
    found, valid = parse_perturbation("object_missing(0.2)").of_object(KEY, motion, MIDDLES)
    np.testing.assert_allclose(1 - np.asarray(valid).mean(axis=1), 0.2, atol=0.06)
    np.testing.assert_array_equal(found.translation, motion.translation)
    short = jax.tree.map(lambda leaf: leaf[:, :3], motion)
    for seed in range(20):
        assert parse_perturbation("object_missing(0.9)").of_object(jax.random.key(seed), short, MIDDLES)[1].any(1).all()


def test_hand_and_object_together(motion: ObjectMotion, random_hand: HandModel) -> None:
    """The hand's noise is what it is without the object's, and the other way round for the first of a sum."""
    both, hand = parse_perturbation("T(0.01)+object(0.005,0.05)"), parse_perturbation("T(0.01)")
    assert both.name == "T(0.01)+object(0.005,0.05)"
    assert both.moves_object
    assert not hand.moves_object
    shapes = {"global_orient": 3, "pose": 45, "betas": 10, "transl": 3}
    params = HandParams(**{name: jnp.zeros((5, n)) for name, n in shapes.items()})
    for found, alone in zip(*(jax.tree.leaves(each(KEY, random_hand, params)) for each in (both, hand)), strict=True):
        np.testing.assert_array_equal(found, alone)
    assert (np.asarray(both.of_object(KEY, motion, MIDDLES)[0].translation) != motion.translation).any()
    np.testing.assert_array_equal(hand.of_object(KEY, motion, MIDDLES)[0].translation, motion.translation)
    same, valid = parse_perturbation("object(0.005)+object_missing(0.3)")(KEY, random_hand, params)
    assert valid.all()
    np.testing.assert_array_equal(same.transl, params.transl)


def test_noise_of_a_camera_is_along_its_rays() -> None:
    """The rays of a clip's errors meet in one point, the camera; jitter along them exceeds that across by 2.5."""
    rng = np.random.default_rng(1)
    place = rng.uniform(-0.4, 0.4, size=(1, T, 3))
    motion = ObjectMotion(put(np.tile(np.eye(3), (1, T, 1, 1)), np.float32), put(place, np.float32))
    middle = place[0].mean(axis=0) + MIDDLES[0]
    distances, depths = [], []
    for seed in range(40):
        key = jax.random.key(seed)
        found, valid = parse_perturbation("object_ray(0.02,0)").of_object(key, motion, MIDDLES[:1])
        assert valid.all()
        error = np.asarray(found.translation - motion.translation, np.float64)[0]
        length = np.linalg.norm(error, axis=1)
        np.testing.assert_allclose(length, length[0], rtol=1e-3)
        # least squares: the point nearest to all lines
        ray = error / length[:, None]
        across = np.eye(3) - ray[:, :, None] * ray[:, None]
        camera = np.linalg.solve(across.sum(axis=0), np.einsum("tab,tb->a", across, place[0] + MIDDLES[0]))
        toward = np.einsum("ta,ta->t", place[0] + MIDDLES[0] - camera, ray)
        assert (toward > 0).all() or (toward < 0).all()
        depths.append(length[0] * np.sign(toward[0]))
        distances.append(np.linalg.norm(camera - middle))
        if seed < 3:
            shaken, _ = parse_perturbation("object_ray(0,0.006)").of_object(key, motion, MIDDLES[:1])
            off = np.asarray(shaken.translation - motion.translation)[0]
            along = np.einsum("ta,ta->t", off, ray)
            np.testing.assert_allclose(along.std(), 0.006, rtol=0.06)
            rest = off - along[:, None] * ray
            np.testing.assert_allclose(np.sqrt((rest**2).sum(axis=1).mean() / 2), 0.006 / 2.5, rtol=0.06)
    assert min(distances) > 0.499
    assert max(distances) < 1.001
    assert np.ptp(distances) > 0.3
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(depths))), 0.02, rtol=0.35)
    assert abs(np.mean(depths)) < 0.01


def test_a_wrong_depth_is_that_of_all_parts(motion: ObjectMotion) -> None:
    found, _ = parse_perturbation("object_ray(0.02,0)").of_object(KEY, motion, MIDDLES)
    length = np.linalg.norm(found.translation - motion.translation, axis=-1)
    np.testing.assert_allclose(length, length[0, 0], rtol=1e-3)
    np.testing.assert_array_equal(found.rotation, motion.rotation)


def test_outliers_are_bursts_of_wrong_poses(motion: ObjectMotion) -> None:
    found, valid = parse_perturbation("object_outliers(0.1,0.05,0.5)").of_object(KEY, motion, MIDDLES)
    assert valid.all()
    moved = middles(found) - middles(motion)
    off = np.linalg.norm(moved, axis=-1) > 1e-5
    np.testing.assert_allclose(off.mean(axis=1), 0.1, atol=0.04)
    assert not np.array_equal(off[0], off[1])
    ends = (off[:, :-1] & ~off[:, 1:]).sum()
    np.testing.assert_allclose(off.sum() / ends, 5, rtol=0.25)
    np.testing.assert_allclose(moved[off].std(axis=0), 0.05, rtol=0.15)
    turn = np.swapaxes(motion.rotation, -1, -2) @ np.asarray(found.rotation)
    vectors = Rotation.from_matrix(np.asarray(turn)[off]).as_rotvec()
    np.testing.assert_allclose(vectors.std(axis=0), 0.5, rtol=0.15)
    np.testing.assert_allclose(np.asarray(found.rotation)[~off], np.asarray(motion.rotation)[~off], atol=1e-6)
