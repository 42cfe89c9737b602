from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import EXPERIMENT, HAND
from toy import toy_clips

from toch_jax.denoiser.window import Target, Window
from toch_jax.training.batches import draw_scenes, track, vary
from toch_jax.training.clips import Clips
from toch_jax.training.noise import NoiseConfig

CONFIG = EXPERIMENT.batch


@pytest.fixture(scope="module")
def clips() -> Clips:
    return toy_clips(2, 6, CONFIG.window, 128)


# hands tracked without error; one configuration, so that all tests share compiled code
STILL = NoiseConfig(translation=0.0, rotation=0.0, pose=0.0, shape=0.0, gap=0.0, dropout=0.0)


def tracked(clips: Clips, seed: int = 0) -> tuple[Window, Target]:
    scenes = draw_scenes(jax.random.key(seed), clips, CONFIG)
    return track(jax.random.key(seed), scenes, HAND, CONFIG, STILL, False)


def test_without_noise_the_window_is_its_target(clips: Clips) -> None:
    window, target = tracked(clips)
    # clips of 6 frames in windows of 8: two of padding, in which nothing is known or seen
    np.testing.assert_array_equal(target.known, np.broadcast_to(np.arange(8) < 6, (CONFIG.batch, 8)))
    np.testing.assert_array_equal(window.valid, target.known)
    np.testing.assert_allclose(window.joints, target.joints, atol=1e-5)
    known = np.asarray(target.known)
    assert target.field.mask.any()
    np.testing.assert_array_equal(window.field.mask[known], target.field.mask[known])
    np.testing.assert_allclose(window.field.distance[known], target.field.distance[known], atol=1e-4)


def test_a_step_is_decided_by_its_key(clips: Clips) -> None:
    one, again, other = (tracked(clips, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.field.distance, again.field.distance)
    assert not np.array_equal(one.joints, other.joints)


def test_varied_scenes_are_the_same_scenes(clips: Clips) -> None:
    """Turned, grown and perhaps reversed: where lines end, seen from the joints, is as far as before, times growth."""
    window, target = tracked(clips)
    varied, new_target = vary(jax.random.key(3), window, target, replace(CONFIG, growth=0.1))
    assert not np.allclose(varied.points, window.points)

    def ends_from_joints(window: Window, target: Target) -> np.ndarray:
        ends = window.points + target.field.distance[..., None] * window.normals
        away = jnp.linalg.norm(ends[:, :, :, None] - target.joints[:, :, None], axis=-1)
        return np.asarray(jnp.where(target.known[..., None, None], away, 0.0))

    before, after = ends_from_joints(window, target), ends_from_joints(varied, new_target)
    for b in range(CONFIG.batch):
        options = [before[b], before[b, ::-1]]
        factors = [after[b].sum() / before[b].sum()]
        closest = min(np.abs(after[b] - factors[0] * option).max() for option in options)
        assert closest < 1e-4
        assert 0.9 <= factors[0] <= 1.1
