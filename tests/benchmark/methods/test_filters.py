import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods.filters import (
    FILTERS,
    Gaussian,
    Kalman,
    OneEuro,
    SavitzkyGolay,
    Setting,
    filter_points,
)
from toch_jax.object.model import ObjectMotion, to_world

FPS = 30.0
T = 50
RNG = np.random.default_rng(0)
STILL_OBJECT = ObjectMotion(
    rotation=jnp.broadcast_to(jnp.asarray(Rotation.random(random_state=0).as_matrix()), (1, T, 3, 3)),
    translation=jnp.broadcast_to(jnp.asarray([0.1, -0.2, 0.3]), (1, T, 3)),
)
MOVING_OBJECT = ObjectMotion(
    rotation=jnp.asarray(Rotation.from_rotvec(np.linspace(0, 3, T)[:, None] * [0.3, 1.0, 0.2]).as_matrix())[None],
    translation=jnp.asarray(RNG.normal(size=(1, T, 3)).cumsum(axis=1) * 0.02),
)
CONSTANT = np.broadcast_to(RNG.normal(size=(4, 3)), (T, 4, 3)).astype(np.float32)
LINE = (CONSTANT + np.arange(T)[:, None, None] * RNG.normal(size=(1, 4, 3)) * 0.01).astype(np.float32)
SETTINGS = [setting for filter in FILTERS if filter.frame == "world" for setting in filter.settings]
STRAIGHT = [setting for setting in SETTINGS if not isinstance(setting, OneEuro)]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_what_is_still_stays(setting: Setting) -> None:
    np.testing.assert_allclose(filter_points(CONSTANT, setting, FPS), CONSTANT, atol=1e-6)


@pytest.mark.parametrize("setting", STRAIGHT, ids=str)
def test_straight_motion_stays_straight_to_the_ends(setting: Setting) -> None:
    np.testing.assert_allclose(filter_points(LINE, setting, FPS), LINE, atol=2e-6)


@pytest.mark.parametrize("setting", [Gaussian(2.0), SavitzkyGolay(9), OneEuro(1.0, 5.0), Kalman(0.1)], ids=str)
def test_frames_agree_on_a_still_object_and_differ_on_a_moving_one(setting: Setting) -> None:
    """Including One-Euro, whose cutoff depends on the speed, which is the same in any resting frame of reference."""
    noisy = (LINE + RNG.normal(size=LINE.shape) * 0.01).astype(np.float32)
    world = filter_points(noisy, setting, FPS)
    on_still, on_moving = (
        filter_points(noisy, setting, FPS, part_motion=(motion, 0)) for motion in (STILL_OBJECT, MOVING_OBJECT)
    )
    np.testing.assert_allclose(on_still, world, atol=3e-6)
    assert np.abs(on_moving - world).max() > 0.005


def test_a_held_hand_is_untouched_in_the_objects_frame() -> None:
    held = np.asarray(to_world(MOVING_OBJECT, 0, jnp.asarray(CONSTANT)))
    smoothed = filter_points(held, Gaussian(4.0), FPS, part_motion=(MOVING_OBJECT, 0))
    np.testing.assert_allclose(smoothed, held, atol=1e-5)
    assert np.abs(filter_points(held, Gaussian(4.0), FPS) - held).max() > 0.01


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_short_clips(setting: Setting, frames: int) -> None:
    filtered = filter_points(LINE[:frames], setting, FPS)
    assert filtered.shape == (frames, 4, 3)
    assert np.isfinite(filtered).all()


def test_noise_goes_down() -> None:
    noise = RNG.normal(size=(T, 200, 3)).astype(np.float32)
    for setting in (Gaussian(2.0), SavitzkyGolay(13), Kalman(0.1), OneEuro(1.0, 0.0)):
        assert filter_points(noise, setting, FPS).std() < 0.6


def test_missing_frames_are_bridged() -> None:
    broken, observed = LINE.copy(), np.ones(T, dtype=bool)
    observed[[0, 10, 11, 12]] = False
    broken[~observed] = 7.0
    filtered = filter_points(broken, Kalman(1.0), FPS, observed)
    np.testing.assert_allclose(filtered[5:], LINE[5:], atol=2e-3)
    assert np.abs(filtered - LINE).max() < 0.05


def test_kalman_equals_the_textbook_recursions() -> None:
    """Forward filter and Rauch-Tung-Striebel smoother, written out, with a very wide prior."""
    ratio, measured = 0.3, RNG.normal(size=T).cumsum()
    step, noise, see = np.array([[1.0, 1.0], [0.0, 1.0]]), np.diag([0.0, ratio**2]), np.array([[1.0, 0.0]])
    mean, covariance = np.zeros(2), np.eye(2) * 1e7
    means, covariances, predicted = [], [], []
    for t, y in enumerate(measured):
        if t:
            mean, covariance = step @ mean, step @ covariance @ step.T + noise
        predicted.append((mean, covariance))
        gain = covariance @ see.T / (see @ covariance @ see.T + 1)
        mean, covariance = mean + gain[:, 0] * (y - mean[0]), (np.eye(2) - gain @ see) @ covariance
        means.append(mean)
        covariances.append(covariance)
    smooth = [means[-1]]
    for t in range(T - 2, -1, -1):
        gain = covariances[t] @ step.T @ np.linalg.inv(predicted[t + 1][1])
        smooth.insert(0, means[t] + gain @ (smooth[0] - predicted[t + 1][0]))
    mine = filter_points(np.tile(measured[:, None, None], (1, 1, 3)).astype(np.float32), Kalman(ratio), FPS)
    np.testing.assert_allclose(mine[:, 0, 0], np.stack(smooth)[:, 0], atol=1e-4)


def test_filters_by_name() -> None:
    kinds = ("gaussian", "savgol", "oneeuro", "kalman")
    assert [filter.label for filter in FILTERS] == [
        f"{kind}:{frame}" for frame in ("world", "object") for kind in kinds
    ]
    assert all(filter.name == f"filter:{filter.label}" for filter in FILTERS)
    kalman = FILTERS[-1].with_setting("Kalman(ratio=0.1)")
    assert kalman.settings == (Kalman(0.1),)
    with pytest.raises(
        InputError, match=r"filter:kalman:object: setting: expected one of Kalman\(ratio=0.01\), .*0\.15"
    ):
        kalman = FILTERS[-1].with_setting("Kalman(ratio=0.15)")
