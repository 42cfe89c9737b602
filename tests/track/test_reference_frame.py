"""The frame of reference of a hand that comes to an object, holds it and leaves."""

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.track.reference_frame import FAR, NEAR, Pose, reference_frame

T, FPS = 90, 30.0


def test_the_frame_is_the_objects_near_it_and_the_worlds_far_from_it() -> None:
    rng = np.random.default_rng(0)
    rotation = Rotation.from_rotvec(0.3 * rng.normal(size=(T, 3))).as_matrix()
    translation = 0.1 * rng.normal(size=(T, 3))
    pose = Pose(rotation, translation)
    near = np.full(T, 0.9 * NEAR)
    for found, given in zip(reference_frame(pose, near, FPS), pose, strict=True):
        np.testing.assert_array_equal(found, given)
    far = np.full(T, 1.1 * FAR)
    still = reference_frame(pose, far, FPS)
    assert np.ptp(still.rotation, axis=0).max() < 1e-9
    assert np.ptp(still.translation, axis=0).max() < 1e-9
    # the hand comes, holds and leaves; before and after, it is away
    visit = np.where((np.arange(T) > 30) & (np.arange(T) < 60), 0.0, 0.5)
    turned, moved = reference_frame(pose, visit, FPS)
    np.testing.assert_allclose(turned[35:55], rotation[35:55], atol=1e-9)
    assert np.abs(np.diff(moved[:15], axis=0)).max() < 1e-9
    assert np.abs(np.diff(moved[75:], axis=0)).max() < 1e-9
