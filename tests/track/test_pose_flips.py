"""A symmetric object whose pose jumps between equal ones does not move."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.track.pose_flips import without_flips

FRAMES = 60
BOX = trimesh.creation.box((0.1, 0.06, 0.03))
OFF = np.array([0.02, -0.01, 0.03])
"""The box's middle in the object's frame."""


def path(seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Poses of a box that turns by half a turn and moves, with noise (radians)."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, FRAMES)
    turn = Rotation.from_rotvec(np.pi * time[:, None] * np.array([0.6, 0.0, 0.8]))
    shake = Rotation.from_rotvec(noise * rng.normal(size=(FRAMES, 3)))
    return (turn * shake).as_matrix(), np.stack([time, time**2, 0 * time], axis=1)


def flipped(
    rotation: np.ndarray, translation: np.ndarray, frames: np.ndarray, axis: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The poses with the box half a turn on about its middle in these frames."""
    new = rotation.copy()
    new[frames] = rotation[frames] @ Rotation.from_rotvec(np.pi * np.array(axis)).as_matrix()
    return new, translation + (rotation - new) @ OFF


def found(rotation: np.ndarray, translation: np.ndarray, mesh: trimesh.Trimesh = BOX, lost: tuple[int, ...] = ()):
    observed = ~np.isin(np.arange(FRAMES), lost)
    return without_flips(mesh.vertices + OFF, mesh.faces, rotation, translation, observed)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_flips_are_undone(noise: float) -> None:
    true = path(noise=noise)
    where = np.isin(np.arange(FRAMES), [5, 6, 7, 30, *range(40, 52)])
    given = flipped(*flipped(*true, where, (1, 0, 0)), np.arange(FRAMES) == 20, (0, 0, 1))
    rotation, translation, changed = found(*given)
    np.testing.assert_array_equal(np.flatnonzero(changed), np.flatnonzero(where | (np.arange(FRAMES) == 20)))
    np.testing.assert_allclose(rotation, true[0], atol=2e-3)
    np.testing.assert_allclose(translation, true[1], atol=2e-4)
    np.testing.assert_array_equal(rotation[~changed], true[0][~changed])


def test_nothing_changes_without_flips_or_symmetry_or_with_much_noise() -> None:
    true = path()
    half = np.arange(FRAMES) % 20 < 7
    pebble = trimesh.convex.convex_hull(np.random.default_rng(0).normal(0, 0.04, (12, 3)))
    noisy = path(noise=0.6)
    for given, mesh in (
        (true, BOX),
        (flipped(*true, half, (1, 0, 0)), pebble),
        (flipped(*noisy, half, (1, 0, 0)), BOX),
    ):
        rotation, translation, changed = found(*given, mesh=mesh)
        assert not changed.any()
        np.testing.assert_array_equal(rotation, given[0])
        np.testing.assert_array_equal(translation, given[1])


def test_lost_frames_are_passed_over() -> None:
    true = path()
    given = flipped(*true, np.arange(FRAMES) > 45, (0, 1, 0))
    given[0][10] = Rotation.from_rotvec([0, 3, 0]).as_matrix()
    rotation, _, changed = found(*given, lost=(10,))
    np.testing.assert_array_equal(rotation[10], given[0][10])
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(46, FRAMES))
    np.testing.assert_allclose(np.delete(rotation, 10, 0), np.delete(true[0], 10, 0), atol=2e-3)
