"""Detection of MANO's vertex order, on a tube as wrist ring and 762 points about it."""

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.track.mano_points import N_VERTICES, RING, check_mano_order


def _points() -> np.ndarray:
    """Points (1, 778, 3): a cloud of the size of a hand, with a ring of the circumference of a wrist."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (1, N_VERTICES, 3)) * [0.09, 0.015, 0.04]
    angle = np.arange(len(RING)) / len(RING) * 2 * np.pi
    points[0, RING] = np.stack([0 * angle - 0.09, 0.017 * np.cos(angle), 0.026 * np.sin(angle)], axis=-1)
    return points


def test_a_ring_passes_also_with_noise() -> None:
    check_mano_order("clip.npz", _points())
    check_mano_order("clip.npz", _points() + 0.01 * np.random.default_rng(1).normal(size=(9, N_VERTICES, 3)))


@pytest.mark.parametrize("order", ["shuffled", "reversed", "shifted"])
def test_other_orders_are_refused(order: str) -> None:
    points = _points()
    shuffled = points[:, np.random.default_rng(1).permutation(N_VERTICES)]
    other = {"shuffled": shuffled, "reversed": points[:, ::-1], "shifted": np.roll(points, 1, axis=1)}[order]
    with pytest.raises(InputError, match=r'points in MANO\'s order, found .* give hand_vertex_order "unordered"'):
        check_mano_order("clip.npz", other)


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(InputError, match='expected 778 points, which the order "mano" has, found 777'):
        check_mano_order("clip.npz", _points()[:, 1:])
