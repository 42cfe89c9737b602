"""The interface of denoisers, and the denoising of a whole clip."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.spatial.transform import Rotation
from support.plain import plain_jit
from support.windows import FIELD_NET, alone_on_rigid, assert_close, estimated, random_window, untrained

from toch_jax.base.arrays import take
from toch_jax.denoiser.field_net import FieldNet
from toch_jax.denoiser.window import (
    Estimate,
    Window,
    blank_lost,
    cut_windows,
    denoise_clip,
    frame_step,
    map_frames,
    mirror,
    near_samples,
    rotate,
    scale,
)


def test_mirroring_twice_gives_the_window_back() -> None:
    window = random_window(0)
    mirrored = plain_jit(mirror, window)
    assert not np.allclose(mirrored.joints, window.joints)
    np.testing.assert_allclose(mirrored.points[..., 1:], window.points[..., 1:])
    np.testing.assert_allclose(mirrored.other.joints[..., 0], -window.other.joints[..., 0])
    for again, first in zip(jax.tree.leaves(plain_jit(mirror, mirrored)), jax.tree.leaves(window), strict=True):
        np.testing.assert_array_equal(again, first)


def test_lost_frames_are_emptied() -> None:
    window = random_window(0)
    full = window.replace(field=jax.tree.map(lambda leaf: jnp.asarray(np.ones_like(leaf)), window.field))
    field = plain_jit(blank_lost, full).field
    for leaf in jax.tree.leaves(field):
        assert not np.any(leaf[:, 2])
        assert np.all(leaf[:, 3])


def test_scaling_keeps_where_lines_end_on_the_hand() -> None:
    window = random_window(0)
    grown = plain_jit(scale, window, jnp.asarray([1.5, 0.5]))
    ends, new = (
        np.asarray(each.points) + np.asarray(each.field.distance)[..., None] * np.asarray(each.normals)
        for each in (window, grown)
    )
    for b, factor in enumerate((1.5, 0.5)):
        np.testing.assert_allclose(new[b], factor * ends[b], atol=1e-6)
        np.testing.assert_allclose(
            np.asarray(grown.other.joints)[b], factor * np.asarray(window.other.joints)[b], atol=1e-6
        )


def test_turning_keeps_what_lies_between_hands_and_samples() -> None:
    window = random_window(0)
    rotation = Rotation.from_rotvec([[0.3, 2.0, -1.0], [1.0, 0.0, 0.5]]).as_matrix().astype(np.float32)
    rotated = plain_jit(rotate, window, jnp.asarray(rotation), jnp.asarray([[0.1, 0.2, 0.3], [0.0, -0.5, 0.0]]))
    assert not np.allclose(rotated.points, window.points, atol=0.01)

    def between(window: Window) -> np.ndarray:
        """Distances of the other hand's joints to this hand's and to the samples, and components along the normals."""
        other = np.asarray(window.other.joints)[:, :, :, None]
        to_samples = np.asarray(window.points)[:, :, None] - other
        along = (to_samples * np.asarray(window.normals)[:, :, None]).sum(-1)
        to_joints = np.linalg.norm(np.asarray(window.joints)[:, :, None] - other, axis=-1)
        return np.concatenate([np.linalg.norm(to_samples, axis=-1), along, to_joints], axis=-1)

    np.testing.assert_allclose(between(rotated), between(window), atol=1e-5)


N_FRAMES = 12


@pytest.fixture(scope="module")
def clip() -> Window:
    return random_window(0, 1, N_FRAMES)


def denoised(model: FieldNet, clip: Window, window: int, stride: int = 16, step: int = 1) -> Estimate:
    """The clip's estimate by the same network with other windows in its configuration."""
    model = nnx.clone(model)
    model.config = replace(model.config, window=window, stride=stride)
    return plain_jit(lambda model, clip: denoise_clip(model, clip, step), model, clip)


def picked(clip: Window, frames: slice) -> Window:
    return map_frames(lambda leaf: leaf[:, frames], clip)


def test_a_clip_of_one_window_is_that_window(clip: Window) -> None:
    model = untrained(FIELD_NET)
    assert_close(denoised(model, clip, window=N_FRAMES), estimated(model, clip), 1e-5)


def test_the_ends_belong_to_one_window_and_the_middle_to_two(clip: Window) -> None:
    model = untrained(FIELD_NET)
    whole = denoised(model, clip, window=8, stride=4)
    first, last = estimated(model, picked(clip, slice(0, 8))), estimated(model, picked(clip, slice(4, 12)))
    assert_close(jax.tree.map(lambda leaf: leaf[:, :4], whole), jax.tree.map(lambda leaf: leaf[:, :4], first), 1e-5)
    middle = zip(*(jax.tree.leaves(each) for each in (whole, first, last)), strict=True)
    for blend, a, b in middle:
        low, high = np.minimum(a[:, 4:8], b[:, :4]), np.maximum(a[:, 4:8], b[:, :4])
        assert (blend[:, 4:8] >= low - 1e-5).all()
        assert (blend[:, 4:8] <= high + 1e-5).all()


@pytest.mark.slow
def test_a_quick_clip_is_read_in_turns(clip: Window) -> None:
    """At twice the frame rate, even and odd frames are two clips at the usual rate."""
    model = untrained(FIELD_NET)
    whole = denoised(model, clip, step=2, window=N_FRAMES // 2)
    for phase in (0, 1):
        alone = estimated(model, picked(clip, slice(phase, None, 2)))
        assert_close(jax.tree.map(lambda leaf, phase=phase: leaf[:, phase::2], whole), alone, 1e-5)


def test_frame_steps() -> None:
    assert [frame_step(fps, 30.0) for fps in (10.0, 25.0, 30.0, 59.94, 60.0, 120.0)] == [1, 1, 1, 2, 2, 4]
    assert frame_step(60.0, 60.0) == 1
    assert jnp.isfinite(denoised(untrained(FIELD_NET), random_window(1, 1, 5), step=4, window=4).joints.joints).all()


def test_windows_of_a_clip_take_its_frames_and_what_has_none() -> None:
    clip = take(random_window(0), np.s_[:1])
    frames, inside = jnp.asarray([[0, 1, 2], [3, 5, 5]]), jnp.asarray([[True] * 3, [True, True, False]])
    windows = plain_jit(cut_windows, clip, frames, inside)
    np.testing.assert_array_equal(windows.points, np.asarray(clip.points)[0, frames])
    np.testing.assert_array_equal(windows.other.joints, np.asarray(clip.other.joints)[0, frames])
    np.testing.assert_array_equal(windows.other.observed, [[True] * 3, [False, True, False]])
    np.testing.assert_array_equal(windows.own, np.repeat(clip.own, 2, axis=0))
    still = plain_jit(cut_windows, alone_on_rigid(clip), frames, inside)
    np.testing.assert_array_equal(still.points, np.repeat(clip.points[:, :1], 2, axis=0))


def test_near_samples_are_distinct_and_near() -> None:
    """A tenth of the samples are near the hand; the others have weights of exp(-16) and less."""
    rng = np.random.default_rng(0)
    near = rng.permutation(500) < 50
    points = np.where(near[:, None], 4.0, 5.0) + 0.02 * rng.normal(size=(500, 3))
    joints = jnp.full((3, 21, 3), 4.0).at[1].set(5.0)
    observed = jnp.asarray([True, False, True])
    chosen = np.asarray(near_samples(jax.random.key(1), jnp.asarray(points[None], jnp.float32), joints, observed, 60))
    assert len(set(chosen.tolist())) == 60
    assert set(np.flatnonzero(near)) <= set(chosen.tolist())


def test_samples_that_the_hand_meets_only_where_they_have_moved_are_near() -> None:
    """Only the samples' positions in frames with an observed hand count."""
    rng = np.random.default_rng(0)
    moved = np.arange(500) % 10 == 0
    points = 5.0 + 0.02 * rng.normal(size=(2, 500, 3))
    points[1, moved] -= 1.0
    points[0, ~moved] -= 1.0
    joints = jnp.full((2, 21, 3), 4.0)
    args = jnp.asarray(points, jnp.float32), joints, jnp.asarray([False, True])
    assert set(np.flatnonzero(moved)) <= set(np.asarray(near_samples(jax.random.key(1), *args, 60)).tolist())


def test_without_a_hand_samples_are_drawn_evenly() -> None:
    points = jax.random.uniform(jax.random.key(0), (1, 200, 3))
    observed = jnp.zeros(3, bool)
    chosen = near_samples(jax.random.key(1), points, jnp.full((3, 21, 3), jnp.nan), observed, 150)
    assert len(set(np.asarray(chosen).tolist())) == 150
