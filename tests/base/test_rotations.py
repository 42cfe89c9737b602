import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.base.rotations import nearest_rotation


def test_it_takes_points_where_scipy_does() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 20, 6, 3))
    found = nearest_rotation(np.einsum("tka,tkb->tab", after, before))
    expected = [Rotation.align_vectors(y, x)[0].as_matrix() for x, y in zip(before, after, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_rotation_is_its_own_and_a_reflection_is_none() -> None:
    rotations = Rotation.random(5, random_state=0).as_matrix()
    np.testing.assert_allclose(nearest_rotation(rotations), rotations, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(nearest_rotation(-rotations)), 1)
