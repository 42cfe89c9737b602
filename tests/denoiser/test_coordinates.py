import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist
from scipy.special import softmax
from support.plain import plain_jit

from toch_jax.denoiser.coordinates import (
    MANO_OFFSET,
    MANO_SCALE,
    canonical_scale_offset,
    filter_paths,
    from_canonical,
    nearness,
    palm_frame,
    to_canonical,
)
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, skin_frames


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def smoothed(joints: jax.Array, observed: jax.Array, widths: tuple[float, ...]) -> list[np.ndarray]:
    found = plain_jit(lambda joints, observed: filter_paths(joints, observed, widths), joints, observed)
    return [np.asarray(each) for each in found]


def test_palm_frame_of_the_flat_hand_is_manos() -> None:
    hand = load_hand("open")
    flat = HandParams(jnp.zeros(3), jnp.zeros(45), jnp.zeros(hand.shapedirs.shape[-1]), jnp.zeros(3))
    joints = skin_frames(hand, flat)[1]
    rotation, origin = plain_jit(palm_frame, joints)
    np.testing.assert_allclose(rotation, np.eye(3), atol=0.05)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(origin, joints[0])


def test_palm_frame_of_nothing_is_the_identity() -> None:
    np.testing.assert_allclose(plain_jit(palm_frame, jnp.zeros((21, 3)))[0], np.eye(3))


def test_smoothing_is_scipys_away_from_the_ends() -> None:
    joints = normal(1, 60, 21, 3)
    smooth = smoothed(joints, jnp.ones((1, 60), bool), (1.0, 2.0))
    for index, width in enumerate((1.0, 2.0)):
        expected = gaussian_filter1d(np.asarray(joints), width, axis=1, truncate=8)
        np.testing.assert_allclose(smooth[index][:, 20:40], expected[:, 20:40], atol=1e-5)


def test_smoothing_reads_valid_frames_only() -> None:
    joints = normal(1, 40, 21, 3)
    observed = jnp.asarray(np.isin(np.arange(40), [0, 30])[None])
    smooth = smoothed(jnp.asarray(np.where(observed[..., None, None], joints, np.nan)), observed, (1.0, float("inf")))
    # inside the gap only the nearest valid frame has weight
    np.testing.assert_allclose(smooth[0][0, 10], joints[0, 0], atol=1e-6)
    np.testing.assert_allclose(smooth[0][0, 25], joints[0, 30], atol=1e-6)
    np.testing.assert_allclose(smooth[1][0, 7], (joints[0, 0] + joints[0, 30]) / 2, atol=1e-6)


def test_nearness_is_a_softmax_of_squared_distances() -> None:
    points = normal(2, 3, 9)
    joints = normal(2, 21, 3, seed=1)
    weights, least = plain_jit(lambda points, joints: nearness(points, joints, 0.5), points, joints)
    for frame in range(2):
        squared = cdist(np.asarray(joints[frame]), np.asarray(points[frame]).T) ** 2
        expected = softmax(-squared / (2 * 0.5**2), axis=0)
        np.testing.assert_allclose(weights[frame], expected, atol=1e-5)
        np.testing.assert_allclose(least[frame, 0], np.sqrt((expected * squared).sum(axis=0)), atol=1e-5)


def test_canonical_box_of_another_hand() -> None:
    hand = load_hand("open")
    scale, offset = canonical_scale_offset(hand)
    unit = np.asarray(hand.v_template) * scale + np.asarray(offset)
    np.testing.assert_allclose(np.ptp(unit, axis=0).max(), 1.0, atol=1e-5)
    np.testing.assert_allclose(unit.max(axis=0) + unit.min(axis=0), 0.0, atol=1e-5)


def test_canonical_coordinates_of_manos_template_are_tochs() -> None:
    points, mask = normal(4, 3), jnp.asarray([True, True, False, True])
    found = to_canonical(points, mask, MANO_SCALE, MANO_OFFSET)
    expected = np.asarray(points) * 5.1807 + [-0.0908, -0.0202, -0.0584]
    np.testing.assert_allclose(found, np.where(np.asarray(mask)[:, None], expected, 0), rtol=1e-6)
    np.testing.assert_allclose(from_canonical(found, MANO_SCALE, MANO_OFFSET)[mask], points[mask], atol=1e-6)
