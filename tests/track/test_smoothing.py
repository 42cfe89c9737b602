"""The smoothed trajectory against dense linear algebra, and its properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.grasps import N_FRAMES, grasp, joints_of, shaken

from toch_jax.hand.model import HandModel, HandParams
from toch_jax.track.smoothing import smooth_paths, smooth_track

FPS = 30.0
ALL = jnp.ones(N_FRAMES, bool)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 12])
def test_paths_against_dense_algebra(n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    values = rng.normal(size=(n_frames, 3)).astype(np.float32)
    weight = rng.uniform(0.1, 2, (n_frames, 3)).astype(np.float32)
    weight[3:5] = 0
    inside = np.arange(n_frames) < 9
    velocity, acceleration = np.float32([1, 5, 0.1]), np.float32([10, 50, 3])
    found = np.asarray(smooth_paths(*map(jnp.asarray, (values, weight, inside, velocity, acceleration))))
    kept = int(inside.sum())
    first = np.diff(np.eye(kept), axis=0)
    second = np.diff(np.eye(kept), n=2, axis=0) if kept > 2 else np.zeros((0, kept))
    for k in range(3):
        matrix = np.diag(weight[:kept, k]) + velocity[k] * first.T @ first + acceleration[k] * second.T @ second
        expected = np.linalg.solve(matrix, weight[:kept, k] * values[:kept, k])
        np.testing.assert_allclose(found[:kept, k], expected, atol=1e-3)
    np.testing.assert_allclose(found[kept:], values[kept:], atol=1e-6)


def error(hand: HandModel, found: HandParams, truth: HandParams) -> np.ndarray:
    return np.linalg.norm(joints_of(hand, found) - joints_of(hand, truth), axis=-1).mean(axis=-1)


def test_noise_goes_and_a_clean_track_stays(hand: HandModel) -> None:
    truth = grasp()
    for tracked, at_most in ((shaken(truth, 0.01, 0.1), 0.75), (shaken(truth, 0.0, 0.1), 0.75)):
        found = smooth_track(hand, tracked, ALL, ALL, FPS).params
        assert error(hand, found, truth).mean() < at_most * error(hand, tracked, truth).mean()
    assert error(hand, smooth_track(hand, truth, ALL, ALL, FPS).params, truth).mean() < 0.002


def test_lost_frames_are_filled_and_not_read(hand: HandModel) -> None:
    truth = grasp()
    observed = np.ones(N_FRAMES, bool)
    observed[6:9] = False
    lost = truth.replace(transl=jnp.where(observed[:, None], truth.transl, 7.0), pose=truth.pose.at[7].set(2.0))
    found = smooth_track(hand, lost, jnp.asarray(observed), ALL, FPS).params
    assert error(hand, found, truth).max() < 0.005


def test_the_turn_passes_half_a_turn_smoothly(hand: HandModel) -> None:
    """At half a turn the rotation vector jumps from pi to -pi, and the quaternion may change its sign."""
    truth = grasp()
    angle = np.linspace(2.9, 3.4, N_FRAMES)
    wrapped = Rotation.from_rotvec(np.outer(angle, [0.6, 0.0, 0.8])).as_rotvec()
    assert np.abs(np.diff(wrapped, axis=0)).max() > 3
    turning = truth.replace(global_orient=jnp.asarray(wrapped, jnp.float32))
    found = smooth_track(hand, turning, ALL, ALL, FPS).params.global_orient
    off = Rotation.from_rotvec(wrapped).inv() * Rotation.from_rotvec(np.asarray(found))
    assert off.magnitude().max() < 0.02


def test_padding_changes_nothing(hand: HandModel) -> None:
    tracked = shaken(grasp(), 0.01, 0.1)
    short = 11
    cut = jax.tree.map(lambda leaf: leaf[:short], tracked.replace(betas=tracked.transl)).replace(betas=tracked.betas)
    padded = jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, jnp.repeat(leaf[-1:], N_FRAMES - short, axis=0)]),
        cut.replace(betas=cut.transl),
    ).replace(betas=cut.betas)
    inside = jnp.arange(N_FRAMES) < short
    alone = smooth_track(hand, cut, inside[:short], inside[:short], FPS).params
    among = smooth_track(hand, padded, inside, inside, FPS).params
    np.testing.assert_allclose(np.asarray(among.transl)[:short], np.asarray(alone.transl), atol=1e-5)
    np.testing.assert_allclose(np.asarray(among.pose)[:short], np.asarray(alone.pose), atol=1e-4)
