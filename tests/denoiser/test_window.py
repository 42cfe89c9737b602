import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation
from support.plain import plain_jit
from support.windows import random_window

from toch_jax.denoiser.window import Window, blank_lost, mirror, rotate, scale


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
