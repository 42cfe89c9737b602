"""Errors of an object's motion against closed forms."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.metrics import object_pose
from toch_jax.metrics.contact import Part
from toch_jax.object.model import ObjectMotion

T = 6
RING = trimesh.creation.annulus(r_min=0.04, r_max=0.05, height=0.02, sections=36)
PARTS = [Part(np.asarray(RING.vertices), np.asarray(RING.faces), None, None)]


def motion(degrees: float = 0.0, shift: tuple[float, float, float] = (0, 0, 0), bend: float = 0.0) -> ObjectMotion:
    """A ring rotated about its own axis, shifted, and accelerated by `bend` m/frame2 along x."""
    turn = Rotation.from_rotvec([0.2, -0.4, 0.1]) * Rotation.from_euler("z", degrees, degrees=True)
    place = np.array([0.1, 0.2, 0.3]) + shift + 0.5 * bend * np.arange(T)[:, None] ** 2 * [1.0, 0.0, 0.0]
    return ObjectMotion(put(np.tile(turn.as_matrix(), (1, T, 1, 1)), np.float32), put(place[None], np.float32))


def test_a_shift_is_its_length_everywhere() -> None:
    moved, truth = motion(shift=(0.003, 0.0, 0.004)), motion()
    assert object_pose.object_translation_mm(PARTS, moved, truth) == pytest.approx(5, rel=1e-4)
    assert object_pose.add_mm(PARTS, moved, truth) == pytest.approx(5, rel=1e-4)
    assert object_pose.object_rotation_deg(moved, truth) == 0
    assert object_pose.object_acceleration_error_m_s2(PARTS, moved, truth, 30.0) < 1e-3


def test_a_rotation_within_the_symmetry_counts_for_add_but_not_for_add_s() -> None:
    turned, truth = motion(degrees=20), motion()
    assert object_pose.object_rotation_deg(turned, truth) == pytest.approx(20, rel=1e-4)
    assert object_pose.object_translation_mm(PARTS, turned, truth) < 1e-3
    radius = np.linalg.norm(RING.vertices[:, :2], axis=1).mean()
    assert object_pose.add_mm(PARTS, turned, truth) == pytest.approx(2e3 * radius * np.sin(np.radians(10)), rel=1e-3)
    assert object_pose.add_s_mm(PARTS, turned, truth) < 1e-3


def test_acceleration_is_in_metres_per_second_squared() -> None:
    found = object_pose.object_acceleration_error_m_s2(PARTS, motion(bend=0.001), motion(), 30.0)
    assert found == pytest.approx(0.9, rel=1e-3)


def test_acceleration_of_a_rotation_about_the_middle_is_that_of_the_corners() -> None:
    """Corners on a circle at an even angle a frame: |second difference| = 4 radius sin^2(angle / 2)."""
    degrees = 10.0
    turn = Rotation.from_euler("z", degrees * np.arange(T)[:, None], degrees=True).as_matrix()
    spinning = ObjectMotion(put(turn[None], np.float32), put(np.zeros((1, T, 3)), np.float32))
    corner = np.abs(RING.vertices[:, :2]).max(axis=0)
    expected = 4 * np.linalg.norm(corner) * np.sin(np.radians(degrees / 2)) ** 2 * 30.0**2
    assert object_pose.object_acceleration_m_s2(PARTS, spinning, 30.0) == pytest.approx(expected, rel=1e-4)
    accelerated = motion(bend=0.001)
    assert object_pose.object_acceleration_m_s2(PARTS, accelerated, 30.0) == pytest.approx(0.9, rel=1e-3)


def test_only_frames_at_rest_count() -> None:
    """At rest for 20 frames, and then shifted by 1 mm a frame; the estimate shakes by 2 mm to and fro."""
    place = np.concatenate([np.zeros(20), 0.001 * np.arange(1, 21)])
    shake = np.where(np.arange(40) < 20, 0.001 * (-1) ** np.arange(40), 0.01 * (-1) ** np.arange(40))
    still = np.tile(np.eye(3), (1, 40, 1, 1))

    def along(x: np.ndarray) -> ObjectMotion:
        return ObjectMotion(put(still, np.float32), put(x[None, :, None] * [1.0, 0.0, 0.0], np.float32))

    resting = object_pose.resting_frames(PARTS, along(place), 30.0)
    np.testing.assert_array_equal(resting[0], np.arange(40) < 19)
    found = object_pose.object_acceleration_m_s2(PARTS, along(place + shake), 30.0, resting)
    assert found == pytest.approx(0.004 * 900, rel=1e-3)
    assert np.isnan(object_pose.object_acceleration_m_s2(PARTS, along(place), 30.0, ~resting & False))


def test_joints_are_seen_from_the_object() -> None:
    """A hand that moves with the wrong object has no error; one that is right in the world has the object's."""
    joints = np.random.default_rng(0).normal(size=(T, 21, 3)).astype(np.float32)
    moved, truth = motion(shift=(0.003, 0.0, 0.004)), motion()
    along = joints + np.asarray([0.003, 0.0, 0.004], np.float32)
    assert object_pose.mpjpe_in_object_mm(along, joints, moved, truth, 0) < 1e-3
    assert object_pose.mpjpe_in_object_mm(joints, joints, moved, truth, 0) == pytest.approx(5, rel=1e-4)
