"""Transitions and the motion of objects, in closed form and against SciPy."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.motion.paths import between, object_path, smooth
from toch_jax.datasets.open_grasps.search.hands import Hand


def test_smooth_is_the_least_jerk_curve() -> None:
    u = np.linspace(0, 1, 1001)
    curve = smooth(u)
    assert curve[[0, 500, 1000]] == pytest.approx([0, 0.5, 1])
    assert np.gradient(curve, u).max() == pytest.approx(1.875, abs=1e-3)
    assert smooth(np.array([-1.0, 2.0])) == pytest.approx([0, 1])


def test_between_goes_straight_and_turns_evenly() -> None:
    rng = np.random.default_rng(1)
    first, second = (
        Hand(Rotation.random(1, rng=rng).as_matrix(), rng.normal(size=(1, 3)), rng.normal(size=(1, 15, 3)))
        for _ in range(2)
    )
    path = between(first, second, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(path.rotation[[0, 2]], np.concatenate([first.rotation, second.rotation]), atol=1e-9)
    np.testing.assert_allclose(path.wrist[1], (first.wrist[0] + second.wrist[0]) / 2, atol=1e-12)
    turns = Rotation.from_matrix(path.rotation)
    steps = (turns[1:] * turns[:-1].inv()).magnitude()
    assert steps[0] == pytest.approx(steps[1])


@pytest.mark.parametrize("seed", range(6))
def test_objects_start_and_end_at_rest(seed: int) -> None:
    start = Rotation.random(rng=np.random.default_rng(seed))
    rotation, translation = object_path(60, 30.0, start, np.random.default_rng(seed))
    np.testing.assert_allclose(rotation[0], start.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-9)
    speed = np.linalg.norm(np.diff(translation, axis=0), axis=1) * 30
    assert max(speed[0], speed[-1]) < 0.02
    assert 0.05 < speed.max() < 1.5
