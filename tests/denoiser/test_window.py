import jax
import jax.numpy as jnp
import numpy as np
from windows import random_window

from toch_jax.denoiser.window import blank_lost, mirror, near_samples, scale


def test_mirroring_twice_gives_the_window_back() -> None:
    window = random_window(0)
    mirrored = mirror(window)
    assert not np.allclose(mirrored.joints, window.joints)
    np.testing.assert_allclose(mirrored.points[..., 1:], window.points[..., 1:])
    for again, first in zip(jax.tree.leaves(mirror(mirrored)), jax.tree.leaves(window), strict=True):
        np.testing.assert_array_equal(again, first)


def test_lost_frames_are_emptied() -> None:
    window = random_window(0)
    full = window.replace(field=jax.tree.map(jnp.ones_like, window.field))
    field = blank_lost(full).field
    for leaf in jax.tree.leaves(field):
        assert not np.any(leaf[:, 2])
        assert np.all(leaf[:, 3])


def test_scaling_keeps_where_lines_end_on_the_hand() -> None:
    window = random_window(0)
    grown = scale(window, jnp.asarray([1.5, 0.5]))
    ends = window.points[:, None] + window.field.distance[..., None] * window.normals[:, None]
    new = grown.points[:, None] + grown.field.distance[..., None] * grown.normals[:, None]
    np.testing.assert_allclose(new[0], 1.5 * ends[0], atol=1e-6)
    np.testing.assert_allclose(new[1], 0.5 * ends[1], atol=1e-6)


def test_near_samples_are_distinct_and_near() -> None:
    """A tenth of the samples lies by the hand; the others weigh exp(-16) and less."""
    rng = np.random.default_rng(0)
    near = rng.permutation(500) < 50
    points = np.where(near[:, None], 4.0, 5.0) + 0.02 * rng.normal(size=(500, 3))
    joints = jnp.full((3, 21, 3), 4.0).at[1].set(5.0)
    valid = jnp.asarray([True, False, True])
    chosen = np.asarray(near_samples(jax.random.key(1), jnp.asarray(points, jnp.float32), joints, valid, 60))
    assert len(set(chosen.tolist())) == 60
    assert set(np.flatnonzero(near)) <= set(chosen.tolist())


def test_without_a_hand_samples_are_drawn_evenly() -> None:
    points = jax.random.uniform(jax.random.key(0), (200, 3))
    valid = jnp.zeros(3, bool)
    chosen = near_samples(jax.random.key(1), points, jnp.full((3, 21, 3), jnp.nan), valid, 150)
    assert len(set(np.asarray(chosen).tolist())) == 150
