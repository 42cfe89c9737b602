"""Parts on a hinge, beside their true poses."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.two_hands import two_handed

from toch_jax.benchmark.run import perturb_clip
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.track.hinge import find_hinge, on_hinge
from toch_jax.track.object_with_hands import with_repaired_object
from toch_jax.track.reference_frame import Pose, part_pose, relative_pose
from toch_jax.track.registered_hand import registered_hands

FRAMES = 60
AXIS = np.array([0.6, 0.0, 0.8])
POINT = np.array([0.05, -0.08, 0.02]), np.array([-0.03, 0.04, 0.06])
ALL = np.ones(FRAMES, bool)


def true_parts(turn: float = 1.0) -> tuple[Pose, Pose]:
    """A part that moves and turns, and one on it that swings by `turn` radians and back."""
    time = np.linspace(0, 1, FRAMES)
    first = Rotation.from_rotvec(np.pi * time[:, None] * np.array([0.0, 0.6, 0.8]))
    swing = Rotation.from_rotvec([0.3, -0.2, 0.5]) * Rotation.from_rotvec(turn * np.sin(np.pi * time)[:, None] * AXIS)
    place = np.stack([time, time**2, 0 * time], axis=1)
    second = first * swing
    at = first.apply(POINT[0]) + place - second.apply(POINT[1])
    return Pose(first.as_matrix(), place), Pose(second.as_matrix(), at)


def noisy(parts: tuple[Pose, Pose], metres: float, radians: float) -> tuple[Pose, Pose]:
    rng = np.random.default_rng(0)
    return tuple(  # type: ignore[return-value]
        Pose(
            part.rotation @ Rotation.from_rotvec(radians * rng.normal(size=(FRAMES, 3))).as_matrix(),
            part.translation + metres * rng.normal(size=(FRAMES, 3)),
        )
        for part in parts
    )


def angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(np.swapaxes(one, 1, 2) @ other).magnitude()


def test_an_exact_hinge_stays() -> None:
    parts = true_parts()
    hinge = find_hinge(parts, ALL, (1e-4, 1e-3))
    assert hinge is not None
    assert abs(hinge.axis @ AXIS) == pytest.approx(1, abs=1e-5)
    for found, true in zip(on_hinge(parts, hinge), parts, strict=True):
        np.testing.assert_allclose(found.translation, true.translation, atol=1e-6)
        assert angles(found.rotation, true.rotation).max() < 1e-5


def test_noise_is_less_and_the_hinge_is_closed() -> None:
    true = true_parts()
    given = noisy(true, 0.004, 0.03)
    hinge = find_hinge(given, ALL, (0.004, 0.03))
    assert hinge is not None
    found = on_hinge(given, hinge)
    for before, after, truth in zip(given, found, true, strict=True):
        assert angles(after.rotation, truth.rotation).mean() < 0.9 * angles(before.rotation, truth.rotation).mean()
        off, was = (np.linalg.norm(each.translation - truth.translation, axis=1).mean() for each in (after, before))
        assert off < 1.1 * was
    again = find_hinge(found, ALL, (1e-5, 1e-4))
    assert again is not None
    relative = relative_pose(found[1], found[0])
    np.testing.assert_allclose(
        relative.rotation @ again.points[1] + relative.translation, np.tile(again.points[0], (FRAMES, 1)), atol=1e-5
    )


def test_parts_that_are_not_on_a_hinge_or_do_not_swing() -> None:
    first, second = true_parts()
    slides = second.translation + 0.05 * np.linspace(0, 1, FRAMES)[:, None]
    assert find_hinge((first, Pose(second.rotation, slides)), ALL, (0.001, 0.01)) is None
    wobble = Rotation.from_rotvec(0.3 * np.sin(np.arange(FRAMES))[:, None] * np.array([0.8, 0.0, -0.6])).as_matrix()
    assert find_hinge((first, Pose(second.rotation @ wobble, second.translation)), ALL, (0.001, 0.01)) is None
    assert find_hinge(true_parts(turn=0.1), ALL, (0.001, 0.01)) is None
    assert find_hinge((first, second), np.arange(FRAMES) < 2, (0.001, 0.01)) is None


def test_a_lid_stays_on_its_box() -> None:
    """The whole repair of two shaking parts: the hinge is closed, and a lid without noise is left alone."""
    clean = two_handed()
    given = perturb_clip("box", clean, parse_perturbation("object(0.003,0.02)"), seed=1)
    found = with_repaired_object(given, registered_hands(given))
    assert "object: its parts are kept on their hinge" in found.notes
    parts = part_pose(found, 0), part_pose(found, 1)
    assert find_hinge(parts, np.ones(clean.n_frames, bool), (1e-5, 1e-4)) is not None
    exact = with_repaired_object(clean, registered_hands(clean))
    for part in range(2):
        np.testing.assert_array_equal(part_pose(exact, part).rotation, part_pose(clean, part).rotation)
