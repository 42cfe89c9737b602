import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.object.model import motion_from_axis_angle, motion_to_axis_angle, to_part, to_world

RNG = np.random.default_rng(0)
AXIS_ANGLE = RNG.normal(size=(2, 5, 3))
TRANSLATION = RNG.normal(size=(2, 5, 3))
MOTION = motion_from_axis_angle(AXIS_ANGLE, TRANSLATION)


def test_world_is_rotation_times_point_plus_translation() -> None:
    points = RNG.normal(size=(5, 7, 3)).astype(np.float32)
    world = np.asarray(to_world(MOTION, 1, jnp.asarray(points)))
    for t in range(5):
        expected = Rotation.from_rotvec(AXIS_ANGLE[1, t]).apply(points[t]) + TRANSLATION[1, t]
        np.testing.assert_allclose(world[t], expected, atol=1e-5)
    np.testing.assert_allclose(to_part(MOTION, 1, jnp.asarray(world)), points, atol=1e-5)


def test_leading_axes_and_a_part_for_each_point() -> None:
    points = jnp.asarray(RNG.normal(size=(3, 2, 5, 4, 3)), jnp.float32)
    part = jnp.array([0, 1, 1, 0])
    mixed = to_part(MOTION, part, points)
    for p in (0, 1):
        np.testing.assert_array_equal(mixed[..., part == p, :], to_part(MOTION, p, points)[..., part == p, :])
    np.testing.assert_allclose(to_world(MOTION, part, mixed), points, atol=1e-5)


def test_samples_at_rest_need_one_frame() -> None:
    samples = jnp.asarray(RNG.normal(size=(1, 4, 3)), jnp.float32)
    repeated = jnp.broadcast_to(samples, (5, 4, 3))
    np.testing.assert_array_equal(to_world(MOTION, 0, samples), to_world(MOTION, 0, repeated))


def test_axis_angle_comes_back_up_to_half_a_turn() -> None:
    angles = np.array([0, 1e-6, 1e-3, 1, np.pi - 1e-3, np.pi - 1e-6])
    axis = np.array([1, 2, -2]) / 3
    rotation = (angles[:, None] * axis)[None]
    found, _ = motion_to_axis_angle(motion_from_axis_angle(rotation, np.zeros((1, 6, 3))))
    back = Rotation.from_rotvec(found[0]) * Rotation.from_rotvec(rotation[0]).inv()
    assert back.magnitude().max() < 2e-6
