"""The posterior on the grid against closed forms of Gaussian processes."""

import numpy as np
import pytest

from toch_jax.critic.posterior import Posterior, Process, grid_offsets, posterior

STEP = 0.0015
NODES = tuple(np.arange(-n, n + 1) * STEP for n in (16, 15, 14))
SIGMA = (0.006, 0.005, 0.004)
F = 5
GAPS = np.array([0.1, 0.1, 0.2, 0.1])
WIDTH = 0.004


def scores_of(observed: np.ndarray) -> np.ndarray:
    """Gaussian log likelihoods of an observed offset in each frame."""
    places = grid_offsets(NODES)
    values = [-0.5 * np.sum((places - each) ** 2, axis=1) / WIDTH**2 for each in observed]
    return np.stack(values).reshape(len(observed), *(len(axis) for axis in NODES))


def gaussian(observed: np.ndarray, memory: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, variances and log evidence of the same process without a grid: a regression on Gaussian processes."""
    times = np.concatenate([[0], np.cumsum(GAPS)])[: len(observed)]
    apart = np.abs(times[:, None] - times)
    mean, variance, evidence = np.empty_like(observed), np.empty_like(observed), 0.0
    for axis, sigma in enumerate(SIGMA):
        prior = sigma**2 * np.exp(-apart / memory)
        total = prior + WIDTH**2 * np.eye(len(observed))
        gain = prior @ np.linalg.inv(total)
        mean[:, axis] = gain @ observed[:, axis]
        variance[:, axis] = np.diag(prior - gain @ prior)
        fit = observed[:, axis] @ np.linalg.solve(total, observed[:, axis])
        evidence += -0.5 * fit - 0.5 * np.linalg.slogdet(total / WIDTH**2)[1]
    return mean, variance, evidence


@pytest.mark.parametrize("memory", [0.3, np.inf])
def test_gaussian_scores_give_the_regression_of_a_gaussian_process(memory: float) -> None:
    observed = np.random.default_rng(0).normal(size=(F, 3)) * 0.004
    if memory == np.inf:
        observed[:] = observed[0] + 0.0003 * np.arange(F)[:, None]
    found = posterior(scores_of(observed), NODES, GAPS, Process(SIGMA, memory))
    mean, variance, evidence = gaussian(observed, memory)
    np.testing.assert_allclose(found.mean, mean, atol=1e-4)
    np.testing.assert_allclose(np.diagonal(found.covariance, axis1=1, axis2=2), variance, rtol=0.05)
    assert abs(found.log_evidence - evidence) < 0.05


def test_without_information_the_posterior_is_the_prior() -> None:
    found = posterior(scores_of(np.zeros((F, 3))) * 0.0, NODES, GAPS, Process((0.003,) * 3, 0.3))
    np.testing.assert_allclose(found.mean, 0, atol=1e-9)
    np.testing.assert_allclose(found.covariance, np.tile(0.003**2 * np.eye(3), (F, 1, 1)), atol=2e-7)
    assert abs(found.log_evidence) < 1e-9


def test_one_frame_is_enough() -> None:
    found = posterior(scores_of(np.full((1, 3), 0.003)), NODES, np.zeros(0), Process(SIGMA, 0.3))
    np.testing.assert_allclose(found.mean, gaussian(np.full((1, 3), 0.003), 0.3)[0], atol=1e-4)


def test_a_constant_error_is_likelier_as_a_constant_one() -> None:
    scores = scores_of(np.full((F, 3), 0.006))
    constant, wandering = (posterior(scores, NODES, GAPS, Process(SIGMA, memory)) for memory in (np.inf, 0.1))
    assert isinstance(constant, Posterior)
    assert constant.log_evidence > wandering.log_evidence + 1
