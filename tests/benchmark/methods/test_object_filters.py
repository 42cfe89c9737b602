"""Filters of object poses: against recursions and frequency responses in closed form, on rotations and gaps."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.benchmark.methods import registry
from toch_jax.benchmark.methods.filters import Kalman, SavitzkyGolay
from toch_jax.benchmark.methods.method import predict
from toch_jax.benchmark.methods.object_filters import (
    OBJECT_ALONE,
    OBJECT_FILTERS,
    PUBLISHED,
    V2D,
    Butterworth,
    ObjectFilter,
    RandomWalk,
    Settings,
    with_filtered_object,
)
from toch_jax.benchmark.run import perturb_clip
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence

FPS = 30.0
T = 400
RNG = np.random.default_rng(0)
NOTHING = Kalman(1e4)
"""A filter that leaves what it gets."""


def with_motion(clean: Sequence, rotation: np.ndarray, translation: np.ndarray) -> Sequence:
    """The clip's object with another motion (T frames), without its hands' frames."""
    return clean.replace(
        object_motion=ObjectMotion(put(rotation[None], np.float32), put(translation[None], np.float32))
    )


def kalman_rts(measured: np.ndarray, ratio: float) -> np.ndarray:
    """Random walk with unit measurement noise: the recursion from the first measurement forward, and that back."""
    mean, variance = measured[0], 1.0
    means, variances = [mean], [variance]
    for y in measured[1:]:
        predicted = variance + ratio**2
        gain = predicted / (predicted + 1)
        mean, variance = mean + gain * (y - mean), (1 - gain) * predicted
        means.append(mean)
        variances.append(variance)
    smooth = [means[-1]]
    for mean, variance in zip(means[-2::-1], variances[-2::-1], strict=True):
        smooth.insert(0, mean + variance / (variance + ratio**2) * (smooth[0] - mean))
    return np.array(smooth)


@pytest.mark.parametrize("ratio", [0.2, 0.25, 3.0])
def test_random_walk_equals_the_textbook_recursions(ratio: float) -> None:
    measured = RNG.normal(size=50).cumsum()
    mine = RandomWalk(ratio)(np.tile(measured[:, None, None], (1, 2, 3)), FPS)
    np.testing.assert_allclose(mine[:, 1, 2], kalman_rts(measured, ratio), atol=1e-9)


def test_butterworth_halves_the_power_at_its_cutoff() -> None:
    """Amplitude 1 / sqrt(1 + (tan(pi f) / tan(pi c))^4), once forward, twice both ways; what is still stays."""
    time = np.arange(4000)
    for both_ways, power in ((False, 1), (True, 2)):
        smooth = Butterworth(0.05, both_ways)
        for frequency in (0.01, 0.05, 0.1):
            wave = np.sin(2 * np.pi * frequency * time)[:, None, None] * np.ones((1, 1, 3))
            found = smooth(wave, FPS)[1000:3000, 0, 0]
            gain = 1 / np.sqrt(1 + (np.tan(np.pi * frequency) / np.tan(np.pi * 0.05)) ** 4)
            assert np.sqrt(2) * found.std() == pytest.approx(gain**power, rel=0.01)
        still = np.full((40, 2, 3), 3.7)
        np.testing.assert_allclose(smooth(still, FPS), still, atol=1e-9)
    # forward only: a ramp lags by the filter's delay at rest, sqrt(2) / (2 pi c) frames and a little less
    ramp = time[:, None, None] * np.ones((1, 1, 3))
    assert (ramp - Butterworth(0.05, both_ways=False)(ramp, FPS))[-1, 0, 0] == pytest.approx(4.5, abs=0.1)
    assert (ramp - Butterworth(0.05, both_ways=True)(ramp, FPS))[2000, 0, 0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("setting", [SavitzkyGolay(5), Kalman(0.3), RandomWalk(0.2)], ids=str)
def test_even_rotation_is_kept(clean: Sequence, setting: RandomWalk) -> None:
    """Also through half a turn and more, where rotation vectors and quaternions jump."""
    turn = Rotation.from_rotvec(0.1 * np.arange(100)[:, None] * [0.6, 0.0, 0.8]) * Rotation.from_rotvec(
        [0.4, -2.0, 1.0]
    )
    still = with_motion(clean, turn.as_matrix(), np.tile([0.2, 0.1, 0.4], (100, 1)))
    found = with_filtered_object(still, NOTHING, setting).object_motion
    off = (Rotation.from_matrix(found.rotation[0]).inv() * turn).magnitude()
    # at the ends a random walk rests
    assert off[40:60].max() < 5e-4
    np.testing.assert_allclose(np.linalg.det(np.asarray(found.rotation[0])), 1, atol=1e-5)


def test_white_noise_falls_as_the_frequency_response_says(clean: Sequence) -> None:
    """|H|^2 over all frequencies, H = r^2 / (r^2 + 2 - 2 cos w), for positions about the middle and for rotations."""
    vertices = np.asarray(clean.object_vertices, np.float64)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    errors = RNG.normal(size=(2, T, 3)) * np.array([0.005, 0.05])[:, None, None]
    base = Rotation.from_rotvec([0.3, 1.0, -0.5])
    turn = (base * Rotation.from_rotvec(errors[1])).as_matrix()
    noisy = with_motion(clean, turn, np.array([0.2, 0.1, 0.4]) + errors[0] - turn @ middle)
    found = with_filtered_object(noisy, *V2D).object_motion
    rotation, translation = (np.asarray(each[0], np.float64) for each in (found.rotation, found.translation))
    place = rotation @ middle + translation - [0.2, 0.1, 0.4]
    turned = (base.inv() * Rotation.from_matrix(rotation)).as_rotvec()
    w = np.linspace(0, np.pi, 20001)
    for left, ratio, level in ((place, 0.25, 0.005), (turned, 0.2, 0.05)):
        share = np.sqrt(np.mean((ratio**2 / (ratio**2 + 2 - 2 * np.cos(w))) ** 2))
        assert left.std() == pytest.approx(level * share, rel=0.12)


def test_hand_and_object_are_filtered_alike(clean: Sequence) -> None:
    """An error that hand and object share moves them as one, by every filter that takes the same for all points."""
    shift = RNG.normal(size=(clean.n_frames, 3)) * 0.005
    assert clean.hands.params is not None
    params = clean.hands.params.replace(transl=clean.hands.params.transl + put(shift[None], np.float32))
    moved = clean.replace(
        hands=clean.hands.replace(params=params, joints=None, vertices=None),
        object_motion=clean.object_motion.replace(
            translation=clean.object_motion.translation + put(shift[None], np.float32)
        ),
    )
    for filter in OBJECT_FILTERS[:5]:
        (exact,), (shaken,) = (filter.filter_hands(each, predict(each).hands) for each in (clean, moved))
        objects = [filter.load()(each, sequence_object(each)).object_motion for each in (clean, moved)]
        assert exact.joints is not None
        assert shaken.joints is not None
        of_object = np.asarray(objects[1].translation - objects[0].translation)[0]
        of_hand = np.asarray(shaken.joints - exact.joints)
        np.testing.assert_allclose(of_hand, np.broadcast_to(of_object[:, None], of_hand.shape), atol=1e-5)
        assert np.abs(of_object).max() > 0.0005


def test_the_frame_is_that_of_the_filtered_object(clean: Sequence) -> None:
    """A hand that is left where it is in the frame of the object moves with the object's repair."""
    noisy = perturb_clip("a", clean, parse_perturbation("object(0.005,0.05)"), 0)
    still = ObjectFilter((Settings(Kalman(1e-3), Kalman(1e-3), Kalman(1e-3)),), "object", name="f")
    found = still.load()(noisy, sequence_object(noisy))
    motion = found.object_motion
    local = np.einsum(
        "tba,tjb->tja", motion.rotation[0], found.hands[0].joints - np.asarray(motion.translation[0])[:, None]
    )
    # at even speed there, while the clip's own hand rests on its bar
    assert np.abs(np.diff(local, n=2, axis=0)).max() < 1e-5
    (error,) = still.errors_mm(noisy, clean, predict(noisy).hands, predict(clean).hands)
    assert 0 < error < 10


def test_lost_poses_are_bridged(clean: Sequence) -> None:
    noisy = perturb_clip("b", clean, parse_perturbation("object_missing(0.4)"), 1)
    assert noisy.object_valid is not None
    found = with_filtered_object(noisy, NOTHING, NOTHING)
    assert found.object_valid is None
    # the bar moves at even speed, so that only gaps at the ends are not bridged exactly
    kept = np.flatnonzero(np.asarray(noisy.object_valid[0]))
    inside = slice(kept[0], kept[-1] + 1)
    np.testing.assert_allclose(
        found.object_motion.translation[0, inside], clean.object_motion.translation[0, inside], atol=1e-4
    )


def test_short_clips(clean: Sequence) -> None:
    for frames in (1, 3):
        short = clean.frames(0, frames)
        for filter in OBJECT_FILTERS:
            one = filter.with_setting(str(filter.settings[0]))
            prediction = one.load()(short, sequence_object(clean))
            assert np.isfinite(prediction.object_motion.rotation).all()
            assert np.isfinite(prediction.hands[0].joints).all()  # type: ignore[arg-type]


def test_names() -> None:
    names = [filter.name for filter in OBJECT_FILTERS]
    assert names[:5] == [f"filter:{kind}:both" for kind in PUBLISHED]
    assert names[5:] == ["filter:kalman:both:world", "filter:kalman:both:object"]


def test_ours_after_a_filter_gets_and_keeps_the_filtered_object(
    clean: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = perturb_clip("a", clean, parse_perturbation("object(0.005,0.05)+object_missing(0.3)"), 0)

    def refine(clip: Sequence, denoiser: object, *, object: object, keep_object: bool) -> Sequence:
        assert keep_object
        assert clip.object_valid is None
        return clip

    monkeypatch.setattr(registry, "refine", refine)
    found = registry.FilterThenOurs().load()(noisy, sequence_object(noisy)).object_motion
    expected = with_filtered_object(noisy, OBJECT_ALONE, OBJECT_ALONE).object_motion
    np.testing.assert_array_equal(found.translation, expected.translation)
    assert np.abs(np.asarray(found.translation - noisy.object_motion.translation)).max() > 1e-3
