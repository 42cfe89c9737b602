import numpy as np

from toch_jax.hand.conventions import from_openpose, to_openpose

# Parents in MANO's order (Romero et al. 2017): wrist; index, middle, pinky, ring, thumb; then the tips, thumb to pinky.
PARENTS = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14, 15, 3, 6, 12, 9]


def test_openpose_goes_finger_by_finger_from_root_to_tip() -> None:
    order = to_openpose(np.arange(21), 0)
    assert order[0] == 0
    for finger in range(5):
        chain = [0, *order[1 + 4 * finger : 5 + 4 * finger]]
        assert [PARENTS[joint] for joint in chain[1:]] == chain[:-1]
        assert chain[-1] == 16 + finger


def test_back_again() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 3, 21, 3))
    np.testing.assert_array_equal(from_openpose(to_openpose(joints)), joints)
    np.testing.assert_array_equal(to_openpose(from_openpose(joints)), joints)
    np.testing.assert_array_equal(from_openpose(to_openpose(joints[..., 0], -1), -1), joints[..., 0])
