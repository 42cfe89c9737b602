import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.solver.kinematics import WRIST_SCALE, HandState, step_state
from toch_jax.solver.settings import DEFAULT, Levels
from toch_jax.track.noise_level import denoiser_share, estimate_noise

T = 400


def moving_hand(noise: Levels, seed: int = 0) -> HandState:
    """A hand at 30 frames a second that moves with up to 0.5 cycles a second, with white noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(T)[:, None] / 30
    amplitude = np.array([0.5] * 48 + [0.1 / WRIST_SCALE] * 3)
    sway = amplitude * np.sin(2 * np.pi * rng.uniform(0.1, 0.5, 51) * time + rng.uniform(0, 6, 51))
    levels = np.concatenate([[noise.orient] * 3, [noise.fingers] * 45, [noise.wrist / WRIST_SCALE] * 3])
    rest = HandState(jnp.broadcast_to(jnp.eye(3), (T, 16, 3, 3)), jnp.zeros((T, 3)), jnp.zeros(1))
    swayed = step_state(rest, jnp.asarray(sway, jnp.float32), jnp.zeros(1))
    return step_state(swayed, jnp.asarray(levels * rng.normal(size=(T, 51)), jnp.float32), jnp.zeros(1))


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_levels_are_recovered(scale: float) -> None:
    wanted = Levels(wrist=0.004 * scale, orient=0.03 * scale, fingers=0.05 * scale)
    found = estimate_noise(moving_hand(wanted), jnp.ones(T, bool), DEFAULT.tracked_assumed)
    for name in ("wrist", "orient", "fingers"):
        assert float(getattr(found, name)) == pytest.approx(getattr(wanted, name), rel=0.15), name


def test_motion_alone_is_no_noise() -> None:
    found = estimate_noise(moving_hand(Levels(0.0, 0.0, 0.0)), jnp.ones(T, bool), DEFAULT.tracked_assumed)
    assert float(found.wrist) < 0.0005
    assert float(found.orient) < 0.005
    assert float(found.fingers) < 0.005


def test_gross_errors_and_lost_frames_count_little() -> None:
    wanted = Levels(wrist=0.005, orient=0.05, fingers=0.1)
    state = moving_hand(wanted)
    lost = np.arange(T) % 40 < 5
    far = jnp.where(jnp.asarray(np.arange(T) % 50 == 20)[:, None], 0.3, 0.0)
    state = state.replace(wrist=state.wrist + far + jnp.where(jnp.asarray(lost)[:, None], 5.0, 0.0))
    found = estimate_noise(state, jnp.asarray(~lost), DEFAULT.tracked_assumed)
    assert float(found.wrist) == pytest.approx(0.005, rel=0.3)


def test_too_little_to_tell_leaves_what_was_assumed() -> None:
    state = moving_hand(Levels(0.01, 0.1, 0.1))
    observed = jnp.asarray(np.arange(T) % 4 != 0)  # never five frames in a row
    assumed = Levels(wrist=0.123, orient=0.456, fingers=0.789)
    found = estimate_noise(state, observed, assumed)
    assert (float(found.wrist), float(found.orient), float(found.fingers)) == pytest.approx((0.123, 0.456, 0.789))


def test_a_steady_track_is_believed_and_a_noisy_one_is_not() -> None:
    """The denoiser's share is 0 for a clean track, and 1 for a noisy one and in frames without observation."""
    observed = np.arange(T) % 40 >= 5
    steady = 0.002

    def share(noise: float) -> np.ndarray:
        state = moving_hand(Levels(wrist=noise, orient=noise / 0.1, fingers=noise / 0.05))
        found = estimate_noise(state, jnp.asarray(observed), DEFAULT.tracked_assumed)
        return np.asarray(denoiser_share(found, jnp.asarray(observed), steady))

    for noise, low, high in ((0.0, 0.0, 0.1), (steady / np.sqrt(3), 0.4, 0.6), (0.01, 0.95, 1.0)):
        found = share(noise)
        assert (found[~observed] == 1).all()
        assert low <= found[observed].min()
        assert found[observed].max() <= high
