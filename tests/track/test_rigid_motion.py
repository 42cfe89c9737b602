"""A tracked part and the hand that holds it, against the motion that noise was put on."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.track.rigid_motion import NearHand, PartMotion, RigidTrack, move_together

T, FPS = 90, 30.0
METRES, RADIANS = 0.005, 0.05
ALL = np.ones(T, bool)
GRASP = np.array([0.02, 0.03, 0.09])


def carried() -> tuple[np.ndarray, np.ndarray]:
    """Position and rotation of an object that rests for 1.5 s and is then carried along an arc and rotated."""
    time = np.maximum(np.arange(T) / FPS - 1.5, 0)[:, None]
    return np.sin(time) * [[0.2, 0.0, 0.3]], Rotation.from_rotvec(time * [[0.3, 0.8, 0.2]]).as_matrix()


def noisy(position: np.ndarray, rotation: np.ndarray, seed: int, observed: np.ndarray = ALL) -> RigidTrack:
    """The track of a body with the noise METRES, RADIANS."""
    rng = np.random.default_rng(seed)
    turned = rotation @ Rotation.from_rotvec(RADIANS * rng.normal(size=(T, 3))).as_matrix()
    moved = position + METRES * rng.normal(size=(T, 3))
    return RigidTrack(moved, turned, observed, np.eye(3) / METRES**2, np.eye(3) / RADIANS**2)


def holding(seed: int, share: np.ndarray) -> NearHand:
    """A hand that holds the carried object, tracked more exactly than the object."""
    position, rotation = carried()
    track = noisy(position + rotation @ GRASP, rotation, seed)
    track = track._replace(position_precision=9 * track.position_precision)
    exact = position + rotation @ GRASP
    return NearHand(track._replace(position=exact + (track.position - exact) / 3), share)


def off(found: PartMotion | RigidTrack) -> np.ndarray:
    """Errors of position (m) and of the rotation vector (rad) in each frame."""
    position, rotation = carried()
    turn = Rotation.from_matrix(np.swapaxes(found.rotation, 1, 2) @ rotation).as_rotvec()
    return np.concatenate([found.position - position, -turn], axis=1)


def jitter(path: np.ndarray) -> float:
    """Root mean square second difference."""
    return float(np.sqrt((np.diff(path, n=2, axis=0) ** 2).mean()))


@pytest.mark.parametrize("seed", range(3))
def test_a_resting_object_rests_and_a_held_one_jitters_less(seed: int) -> None:
    given = noisy(*carried(), seed)
    found = move_together(given, [holding(seed + 10, np.ones(T))], FPS)
    before, after = off(given), off(found)
    for frames, most in ((slice(0, 40), 0.1), (slice(50, T), 0.5)):
        for axes in (slice(0, 3), slice(3, 6)):
            assert jitter(after[frames, axes]) < most * jitter(before[frames, axes])
    assert np.abs(after).mean() < 0.5 * np.abs(before).mean()


def test_a_hand_that_holds_the_object_helps_and_one_that_is_far_does_not() -> None:
    errors = np.zeros((4, 2))
    for seed in range(4):
        given = noisy(*carried(), seed)
        alone = move_together(given, [], FPS)
        held = move_together(given, [holding(seed + 10, np.ones(T))], FPS)
        if seed == 0:
            far = move_together(given, [holding(seed + 10, np.zeros(T))], FPS)
            np.testing.assert_allclose(far.position, alone.position, atol=1e-9)
        errors[seed] = np.linalg.norm(off(alone)[:, :3], axis=1).mean(), np.linalg.norm(off(held)[:, :3], axis=1).mean()
    assert errors[:, 1].mean() < 0.8 * errors[:, 0].mean()


def test_lost_frames_are_filled_and_their_sigma_grows_with_the_gap() -> None:
    observed = ALL.copy()
    observed[60:72] = False
    given = noisy(*carried(), 0, observed)
    astray = given.position.copy()
    astray[60:72] += 0.2
    found = move_together(given._replace(position=astray), [holding(1, np.ones(T))], FPS)
    alone = move_together(given, [], FPS)
    assert np.linalg.norm(off(found)[60:72, :3], axis=1).max() < 0.015
    sigma = np.sqrt(np.diagonal(alone.covariance, axis1=1, axis2=2))[:, :3].mean(axis=1)
    assert sigma[64:68].min() > sigma[[60, 71]].max() > sigma[50]
    assert np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))[66, :3].mean() < sigma[66]


def test_sigma_is_of_the_size_of_the_errors() -> None:
    scores = []
    for seed in range(6):
        found = move_together(noisy(*carried(), seed), [holding(seed + 10, np.ones(T))], FPS)
        scores.append(off(found)[50:] / np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))[50:])
    spread = np.sqrt((np.stack(scores) ** 2).mean(axis=(0, 1)))
    assert (spread > 0.4).all()
    assert (spread < 2).all()


@pytest.mark.parametrize("reflect", [False, True])
def test_the_world_may_be_moved_or_mirrored(reflect: bool) -> None:
    """The motion found in another world is the motion moved there; a mirrored body frame is mirrored too."""
    part, hand = noisy(*carried(), 0), holding(1, np.linspace(0, 1, T))
    own = np.diag([-1.0, 1.0, 1.0]) if reflect else np.eye(3)
    world = own @ Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()

    def elsewhere(track: RigidTrack) -> RigidTrack:
        moved = track.position @ world.T + [1.0, 2.0, 3.0]
        return track._replace(position=moved, rotation=world @ track.rotation @ own)

    here = move_together(part, [hand], FPS)
    there = move_together(elsewhere(part), [hand._replace(track=elsewhere(hand.track))], FPS)
    np.testing.assert_allclose(there.position, here.position @ world.T + [1.0, 2.0, 3.0], atol=1e-8)
    np.testing.assert_allclose(there.rotation, world @ here.rotation @ own, atol=1e-8)


def test_nothing_is_known_of_a_body_seen_once() -> None:
    """One observed frame, and clips of one and two frames, have a motion: the pose that was seen."""
    position, rotation = carried()
    once = np.arange(T) == 20
    given = noisy(np.tile(position[:1], (T, 1)), np.tile(rotation[:1], (T, 1, 1)), 0, once)
    start = given._replace(position=given.position[[20] * T], rotation=given.rotation[[20] * T])
    for frames in (slice(0, T), slice(20, 21), slice(20, 22)):
        found = move_together(RigidTrack(*(each[frames] for each in start[:3]), *start[3:]), [], FPS)
        np.testing.assert_allclose(found.position, start.position[frames], atol=1e-9)
        assert np.isfinite(found.covariance).all()
