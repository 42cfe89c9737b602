"""The density of touch against counts made by hand, and the points that stand for bones."""

import jax.numpy as jnp
import numpy as np
from scipy.spatial.distance import cdist

from toch_jax.fit.touch import HIGHEST, LOWEST, WIDTH, Touch, count_touch, least_of_bones, load_touch, log_touch
from toch_jax.hand.mesh import farthest_points
from toch_jax.hand.model import HandModel


def test_each_bone_has_its_own_nearest_point() -> None:
    rng = np.random.default_rng(0)
    distance, bone = rng.normal(size=(5, 64)), rng.permutation(np.repeat(np.arange(16), 4))
    expected = np.stack([distance[:, bone == each].min(axis=1) for each in range(16)], axis=1)
    found = least_of_bones(jnp.asarray(distance, jnp.float32), jnp.asarray(bone))
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


def test_a_place_met_often_is_likely() -> None:
    """Fingers at 0 to 2 mm, a wrist at 30 to 40 mm: the table says so, and every row is a density."""
    rng = np.random.default_rng(1)
    least = np.concatenate([rng.uniform(0.03, 0.04, (4000, 1)), rng.uniform(0, 0.002, (4000, 15))], axis=1)
    table = count_touch(least)
    np.testing.assert_allclose(np.exp(table).sum(axis=1), 1, rtol=1e-4)
    touch = Touch(jnp.zeros(0, jnp.int32), jnp.zeros(0, jnp.int32), jnp.asarray(table))

    def likely(wrist: float, fingers: float) -> float:
        return float(log_touch(touch, jnp.asarray([[wrist, *[fingers] * 15]]))[0])

    there = likely(0.035, 0.001)
    # five sixths of a uniform density over 20 bins, and over 4; the rest is anywhere
    assert abs(there - (np.log(5 / 6 / 20) + 15 * np.log(5 / 6 / 4))) < 1.5  # the edges are blurred
    anywhere = np.log(1 / 6 * WIDTH / (HIGHEST - LOWEST))
    assert abs(likely(0.035, 0.02) - (np.log(5 / 6 / 20) + 15 * anywhere)) < 0.5
    # far off and far inside count like the table's ends
    assert likely(0.035, 1.0) == likely(0.035, HIGHEST)
    assert likely(0.035, -1.0) == likely(0.035, LOWEST)


def test_shipped_table(hand: HandModel) -> None:
    touch = load_touch(hand)
    np.testing.assert_allclose(np.exp(np.asarray(touch.log_density)).sum(axis=1), 1, rtol=1e-3)
    assert np.unique(touch.bone).tolist() == list(range(16))
    assert (np.asarray(hand.weights)[touch.vertices].argmax(axis=1) == np.asarray(touch.bone)).all()
    middle = LOWEST + WIDTH * (0.5 + np.arange(touch.log_density.shape[1]))
    mean = np.exp(np.asarray(touch.log_density)) @ middle
    # the ends of the fingers (MANO's bones 3, 6, ..., 15) are nearer to what is held than the wrist
    assert mean[[3, 6, 12, 15]].max() < mean[0]


def test_far_points_are_far() -> None:
    points = np.random.default_rng(2).normal(size=(200, 3))
    chosen = farthest_points(points, 12)
    among = cdist(points[chosen], points[chosen]) + 1e9 * np.eye(12)
    # no point is farther from all chosen ones than these are from each other
    assert cdist(points, points[chosen]).min(axis=1).max() <= among.min() + 1e-9
    assert len(farthest_points(points[:5], 12)) == 5
