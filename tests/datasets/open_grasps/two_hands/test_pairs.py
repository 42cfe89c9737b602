"""The choice of pairs of grasps."""

import numpy as np

from toch_jax.datasets.open_grasps.two_hands.pairs import longest_run


def test_longest_run_of_angles() -> None:
    good = np.array([[[0, 1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]]], bool)
    begin, end = longest_run(good)
    assert begin.tolist() == [[4, 0, 0]]
    assert end.tolist() == [[7, 0, 7]]
