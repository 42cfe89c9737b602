from pathlib import Path

import numpy as np
import pytest
from support.mano_files import mano_arrays, write_mano

from toch_jax.hand.conventions import from_openpose, to_openpose, with_left_fault, without_left_fault
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel

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


@pytest.fixture
def left(tmp_path: Path) -> HandModel:
    return load_hand(write_mano(tmp_path), "left")


def test_the_left_fault_is_that_of_the_file(left: HandModel) -> None:
    arrays = mano_arrays("left")
    np.testing.assert_array_equal(with_left_fault(left).shapedirs, arrays["shapedirs"])
    assert np.abs(np.asarray(left.shapedirs) - arrays["shapedirs"]).max() > 1e-3


def test_betas_without_the_left_fault_are_the_nearest(left: HandModel) -> None:
    """Posed flat by NumPy from the file's arrays: no step away from them is nearer to the hand with the fault."""
    arrays, rng = mano_arrays("left"), np.random.default_rng(0)
    mended = arrays["shapedirs"] * np.array([-1, 1, 1])[:, None]

    def from_wrist(directions: np.ndarray, betas: np.ndarray) -> np.ndarray:
        vertices = arrays["v_template"] + directions[..., : len(betas)] @ betas
        return vertices - arrays["J_regressor"][0] @ vertices

    for count in (10, 4):
        betas = rng.normal(size=(2, 3, count))
        found = without_left_fault(left, betas)
        assert found.shape == betas.shape
        given = from_wrist(arrays["shapedirs"], betas[1, 2])
        off = [np.linalg.norm(from_wrist(mended, each) - given) for each in (found[1, 2], betas[1, 2])]
        assert off[0] < off[1]
        for step in rng.normal(0, 0.1, (10, count)):
            assert np.linalg.norm(from_wrist(mended, found[1, 2] + step) - given) > off[0]
