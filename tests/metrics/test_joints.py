import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from toch_jax.metrics import joints
from toch_jax.metrics.joints import LEVELS, inside_interval

RNG = np.random.default_rng(0)
HAND = RNG.normal(size=(7, 21, 3)) * 0.05


def test_a_shift_is_its_length_and_vanishes_relative_to_the_root() -> None:
    moved = HAND + np.array([0.003, 0.0, 0.004])
    assert joints.mpjpe_mm(moved, HAND) == pytest.approx(5.0)
    assert joints.mpjpe_root_mm(moved, HAND) == pytest.approx(0.0, abs=1e-9)


def test_object_alignment_forgives_what_the_object_shares() -> None:
    shift = RNG.normal(size=(7, 3))
    centroid = RNG.normal(size=(7, 3))
    moved = HAND + shift[:, None]
    assert joints.mpjpe_object_mm(moved, HAND, centroid + shift, centroid) == pytest.approx(0.0, abs=1e-9)
    assert joints.mpjpe_object_mm(moved, HAND, centroid, centroid) == pytest.approx(
        np.linalg.norm(shift, axis=-1).mean() * 1e3
    )


def test_procrustes_undoes_a_known_rigid_motion_and_scale() -> None:
    rotation = Rotation.random(7, random_state=1).as_matrix()
    moved = np.einsum("tab,tkb->tka", rotation, HAND) + RNG.normal(size=(7, 1, 3))
    np.testing.assert_allclose(joints.procrustes(moved, HAND), HAND, atol=1e-12)
    np.testing.assert_allclose(joints.procrustes(1.7 * moved, HAND, scale=True), HAND, atol=1e-12)
    assert joints.mpjpe_pa_mm(1.7 * moved, HAND) > 10


def test_procrustes_does_not_reflect() -> None:
    mirrored = HAND * np.array([-1.0, 1.0, 1.0])
    rotation, _ = Rotation.align_vectors(HAND[0] - HAND[0].mean(0), mirrored[0] - mirrored[0].mean(0))
    expected = rotation.apply(mirrored[0] - mirrored[0].mean(0)) + HAND[0].mean(0)
    np.testing.assert_allclose(joints.procrustes(mirrored, HAND)[0], expected, atol=1e-9)


def test_procrustes_residual_equals_scipys() -> None:
    noisy = HAND + RNG.normal(size=HAND.shape) * 0.01
    for mine, true in zip(noisy, HAND, strict=True):
        _, _, disparity = scipy_procrustes(true, mine)
        aligned = joints.procrustes(mine, true, scale=True)
        share = ((aligned - true) ** 2).sum() / ((true - true.mean(0)) ** 2).sum()
        assert share == pytest.approx(disparity, rel=1e-9)


def test_auc_is_the_integral_of_pck() -> None:
    noisy = HAND + RNG.normal(size=HAND.shape) * 0.02
    thresholds = np.linspace(0, 0.05, 4001)
    curve = [joints.pck(noisy, HAND, t) for t in thresholds]
    assert joints.auc(noisy, HAND) == pytest.approx(np.trapezoid(curve, thresholds) / 0.05, abs=1e-3)
    assert joints.auc(HAND, HAND) == 1.0


RNG = np.random.default_rng(0)
SIGMA = RNG.uniform(0.001, 0.02, size=(400, 21))
ERROR = RNG.normal(size=(400, 21, 3)) * SIGMA[..., None]


@pytest.mark.parametrize("level", LEVELS)
def test_an_honest_sigma_holds_its_level(level: int) -> None:
    assert inside_interval(ERROR, SIGMA, level) == pytest.approx(level / 100, abs=0.012)


def test_a_sigma_half_as_large_holds_less() -> None:
    """The fraction of one coordinate within x sigma is P(chi2 with one degree of freedom <= x^2)."""
    reach_90 = chi2.ppf(0.9, 1)
    assert inside_interval(ERROR, 0.5 * SIGMA, 90) == pytest.approx(chi2.cdf(reach_90 / 4, 1), abs=0.012)
    assert inside_interval(ERROR, 100 * SIGMA, 50) == 1.0
