"""Settings of training runs, and what the loop needs of a network."""

import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.denoiser.window import Denoiser, Estimate, JointEstimate, Target, Window, no_other_hand
from toch_jax.field.contact_field import ContactField, FieldEstimate
from toch_jax.training.experiment import OptimiserConfig, errors, learning_rate


def test_one_cosine_falls_to_the_lowest_rate() -> None:
    rate = learning_rate(OptimiserConfig(learning_rate=1e-3, lowest_rate=1e-5, warmup=10), 100)
    np.testing.assert_allclose([rate(0), rate(4)], [1e-4, 5e-4 * (0.5 + 0.5 * np.cos(np.pi * 0.04))], rtol=1e-2)
    np.testing.assert_allclose(rate(99), 1e-5, rtol=0.1)


def test_restarted_cosines_come_back_to_the_full_rate() -> None:
    """TOCH's schedule: torch's CosineAnnealingWarmRestarts, low + (high - low)(1 + cos(pi t / T)) / 2."""
    rate = learning_rate(OptimiserConfig(learning_rate=8e-4, lowest_rate=1e-4, warmup=0, period=50), 200)
    steps = np.arange(200)
    expected = 1e-4 + 7e-4 * (1 + np.cos(np.pi * (steps % 50) / 50)) / 2
    np.testing.assert_allclose([rate(step) for step in steps], expected, rtol=1e-5)


FRAMES, SAMPLES = 2, 3


def field(mask: list[bool], distance: float, x: float) -> ContactField:
    masks = jnp.broadcast_to(jnp.asarray(mask), (1, FRAMES, SAMPLES))
    return ContactField(
        mask=masks,
        distance=jnp.where(masks, distance, 0.0),
        correspondence=jnp.where(masks[..., None], jnp.asarray([x, 0.0, 0.0]), 0.0),
    )


class Constant(Denoiser):
    """Denoiser that always returns a distance of 1 mm, correspondences at (2 mm, 0, 0) and joints at 3 mm along x."""

    def __call__(self, window: Window) -> Estimate:
        axes = window.field.mask.shape
        ones = jnp.ones(axes)
        return Estimate(
            FieldEstimate(
                mask_logit=ones,
                distance=0.001 * ones,
                correspondence=ones[..., None] * jnp.asarray([0.002, 0.0, 0.0]),
                distance_sigma=0.0005 * ones,
                correspondence_sigma=ones,
            ),
            JointEstimate(
                jnp.broadcast_to(jnp.asarray([0.003, 0.0, 0.0]), (1, FRAMES, 21, 3)), jnp.full((1, FRAMES, 21), 0.001)
            ),
        )


def test_errors_of_a_constant_answer() -> None:
    """One sample is in contact and in both masks, one in the noisy mask only, one in the clean mask only."""
    window = Window(
        field=field([True, True, False], 0.004, 0.0),
        points=jnp.zeros((1, 1, SAMPLES, 3)),
        normals=jnp.zeros((1, 1, SAMPLES, 3)),
        own=jnp.ones((1, SAMPLES), bool),
        joints=jnp.full((1, FRAMES, 21, 3), 0.01),
        tracked=jnp.full((1, FRAMES, 21, 3), 0.02),
        observed=jnp.asarray([[True, False]]),
        left=jnp.zeros(1, bool),
        two_handed=jnp.zeros(1, bool),
        other=no_other_hand(1, FRAMES),
    )
    target = Target(field([True, False, True], 0.0, 0.005), jnp.zeros((1, FRAMES, 21, 3)), jnp.ones((1, FRAMES), bool))
    found = {
        name: float(total / weight) for name, (total, weight) in errors.__wrapped__(Constant(), window, target).items()
    }
    assert found == pytest.approx(
        {
            "distance_before_mm": 4.0,
            "distance_mm": 1.0,
            "correspondence_before_mm": 5.0,
            "correspondence_mm": 3.0,
            "hand_point_before_mm": np.hypot(4, 5),
            "hand_point_mm": np.hypot(1, 3),
            "mask_overlap_before": 1 / 3,
            "mask_overlap": 2 / 3,
            "distance_within_sigma": 0.0,
            "joints_before_mm": 10 * 3**0.5,
            "joints_tracked_mm": 20 * 3**0.5,
            "joints_mm": 3.0,
            "lost_joints_mm": 3.0,
            "joints_within_sigma": 2 / 3,
        },
        rel=1e-5,
    )
