"""Objects whose tracked pose is noisy: smoothing, exact motions that are kept, and the effect on the hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.pipeline import refine, refine_many
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.track.object_pose import track_object
from toch_jax.track.reference_frame import FAR, NEAR, Pose, reference_frame

T, FPS = 90, 30.0
MIDDLE = np.array([[0.05, 0.02, 0.1]])


def rests_then_moves() -> tuple[Rotation, np.ndarray]:
    """Rotation and position of an object that rests for 1.5 s and is then carried along an arc and rotated."""
    time = np.maximum(np.arange(T) / FPS - 1.5, 0)[:, None]
    return Rotation.from_rotvec(time * [[0.3, 0.8, 0.2]]), np.sin(time) * [[0.2, 0.0, 0.3]]


def shaken(metres: float, radians: float, seed: int = 0) -> tuple[ObjectMotion, ObjectMotion]:
    """The true motion, and the motion with white noise on the centre's position and on the rotation."""
    rng = np.random.default_rng(seed)
    turn, place = rests_then_moves()
    noisy = turn * Rotation.from_rotvec(radians * rng.normal(size=(T, 3)))
    moved = place + metres * rng.normal(size=(T, 3))
    return tuple(
        ObjectMotion(put(r.as_matrix()[None], np.float32), put((p - r.apply(MIDDLE[0]))[None], np.float32))
        for r, p in ((turn, place), (noisy, moved))
    )


def errors(found: ObjectMotion, truth: ObjectMotion) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the centre (metres) and of the rotation (radians) in each frame."""
    middles = [np.asarray(m.rotation[0]) @ MIDDLE[0] + np.asarray(m.translation[0]) for m in (found, truth)]
    between = np.swapaxes(np.asarray(truth.rotation[0]), 1, 2) @ np.asarray(found.rotation[0])
    return np.linalg.norm(middles[0] - middles[1], axis=1), Rotation.from_matrix(between).magnitude()


def test_an_exact_motion_stays_bit_for_bit() -> None:
    truth, _ = shaken(0.0, 0.0)
    tracked = track_object(truth, MIDDLE, FPS)
    np.testing.assert_array_equal(tracked.motion.rotation, truth.rotation)
    np.testing.assert_array_equal(tracked.motion.translation, truth.translation)
    assert not tracked.is_smoothed.any()


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_measured_and_halved_and_rest_is_rest(seed: int) -> None:
    truth, noisy = shaken(0.005, 0.05, seed)
    tracked = track_object(noisy, MIDDLE, FPS)
    assert tracked.position_noise[0] == pytest.approx(0.005, rel=0.35)
    assert tracked.rotation_noise[0] == pytest.approx(0.05, rel=0.35)
    before, after = errors(noisy, truth), errors(tracked.motion, truth)
    for given, found in zip(before, after, strict=True):
        assert found.mean() < 0.5 * given.mean()
    places = [np.asarray(m.rotation[0]) @ MIDDLE[0] + np.asarray(m.translation[0]) for m in (noisy, tracked.motion)]
    given, found = (np.linalg.norm(np.diff(each[:40], axis=0), axis=1).mean() for each in places)
    assert found < 0.1 * given


def test_a_pose_that_is_lost_for_a_frame_is_bridged() -> None:
    truth, noisy = shaken(0.002, 0.02)
    astray = np.array(noisy.translation)
    astray[0, [20, 60]] += 0.3
    found = track_object(noisy.replace(translation=put(astray)), MIDDLE, FPS).motion
    assert errors(found, truth)[0][[20, 60]].max() < 0.01


def test_the_frame_is_the_objects_near_it_and_the_worlds_far_from_it() -> None:
    rng = np.random.default_rng(0)
    rotation = Rotation.from_rotvec(0.3 * rng.normal(size=(T, 3))).as_matrix()
    given = Pose(rotation, 0.1 * rng.normal(size=(T, 3)))
    for found, wanted in zip(reference_frame(given, np.full(T, 0.9 * NEAR), FPS), given, strict=True):
        np.testing.assert_array_equal(found, wanted)
    still = reference_frame(given, np.full(T, 1.1 * FAR), FPS)
    assert np.ptp(still[0], axis=0).max() < 1e-9
    assert np.ptp(still[1], axis=0).max() < 1e-9
    # the hand comes, holds and leaves; before and after, it is away
    visit = np.where((np.arange(T) > 30) & (np.arange(T) < 60), 0.0, 0.5)
    turned, moved = reference_frame(given, visit, FPS)
    np.testing.assert_allclose(turned[35:55], rotation[35:55], atol=1e-9)
    assert np.abs(np.diff(moved[:15], axis=0)).max() < 1e-9
    assert np.abs(np.diff(moved[75:], axis=0)).max() < 1e-9


@pytest.fixture(scope="module")
def held(example_file) -> Sequence:
    clip = load_sequence(example_file).frames(28, 44)
    return clip.replace(hands=clip.truth, truth=None, hand_valid=jnp.ones_like(clip.hand_valid))


def test_a_shaking_object_does_not_shake_the_hand(held: Sequence, tmp_path) -> None:
    """An exact hand on an object with noise of 3 degrees and 5 mm: the hand's acceleration, and the written file."""
    rng = np.random.default_rng(1)
    motion = held.object_motion
    turn = Rotation.from_rotvec(0.05 * rng.normal(size=(16, 3))).as_matrix()
    shaky = motion.replace(
        rotation=put(np.asarray(motion.rotation) @ turn, np.float32),
        translation=put(np.asarray(motion.translation) + 0.005 * rng.normal(size=(1, 16, 3)), np.float32),
    )
    given = held.replace(object_motion=shaky)
    clean = refine(given, None)
    assert any("shakes" in note for note in clean.notes)

    def roughness(sequence: Sequence) -> float:
        middle = np.asarray(sequence.object_motion.translation[0])
        return float(np.linalg.norm(np.diff(middle, n=2, axis=0), axis=1).mean())

    assert roughness(clean) < 0.3 * roughness(given)
    save_sequence(tmp_path / "given.npz", given)
    save_sequence(tmp_path / "clean.npz", clean, keep=tmp_path / "given.npz")
    written = load_sequence(tmp_path / "clean.npz")
    np.testing.assert_allclose(written.object_motion.translation, clean.object_motion.translation, atol=1e-6)
    (kept,) = refine_many([given], None, keep_object=True)
    np.testing.assert_array_equal(kept.object_motion.translation, shaky.translation)
    joints = np.asarray(clean.hands.joints[0])
    assert np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).mean() < 0.004
