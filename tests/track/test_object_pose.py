"""Noise of tracked poses: its level and its directions, against the noise that was put in."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.track.object_pose import pose_noise

T, FPS = 120, 30.0
ALL = np.ones(T, bool)


def carried() -> tuple[np.ndarray, Rotation]:
    """Position and rotation of an object that rests for 1.5 s and is then carried along an arc and rotated."""
    time = np.maximum(np.arange(T) / FPS - 1.5, 0)[:, None]
    return np.sin(time) * [[0.2, 0.0, 0.3]], Rotation.from_rotvec(time * [[0.3, 0.8, 0.2]])


def test_an_exact_motion_is_exact() -> None:
    position, rotation = carried()
    assert pose_noise(position, rotation.as_matrix(), ALL).is_exact
    few = np.arange(T) < 6
    rng = np.random.default_rng(0)
    assert pose_noise(rng.normal(size=(T, 3)), rotation.as_matrix(), few).is_exact


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lost", [0.0, 0.2])
def test_noise_is_measured(seed: int, lost: float) -> None:
    rng = np.random.default_rng(seed)
    position, rotation = carried()
    turned = (rotation * Rotation.from_rotvec(0.05 * rng.normal(size=(T, 3)))).as_matrix()
    observed = (np.arange(T) // 5 % 5 > 0) if lost else ALL
    noise = pose_noise(position + 0.005 * rng.normal(size=(T, 3)), turned, observed)
    assert not noise.is_exact
    assert noise.position == pytest.approx(0.005, rel=0.35)
    assert noise.rotation == pytest.approx(0.05, rel=0.35)
    for shape in noise[2:]:
        assert np.trace(shape) == pytest.approx(3, rel=1e-4)
        assert np.linalg.eigvalsh(shape).max() < 2


def test_noise_along_a_ray_has_its_direction() -> None:
    """Five times the noise along a ray: of the covariance's trace it is 25 in 27, estimated with some shrinkage."""
    rng = np.random.default_rng(0)
    position, rotation = carried()
    ray = np.array([0.3, 0.2, 0.93]) / np.linalg.norm([0.3, 0.2, 0.93])
    off = 0.002 * rng.normal(size=(T, 3)) + 0.01 * rng.normal(size=(T, 1)) * ray
    noise = pose_noise(position + off, rotation.as_matrix(), ALL)
    values, vectors = np.linalg.eigh(noise.position_shape)
    assert abs(vectors[:, 2] @ ray) > 0.98
    assert 0.6 < values[2] / 3 < 25 / 27
    # a line of exact noise is no error
    assert np.isfinite(pose_noise(off @ np.outer(ray, ray), rotation.as_matrix(), ALL).position_shape).all()
