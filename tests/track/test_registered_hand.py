"""Hands whose tracker estimates the shape afresh in every frame."""

import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.arrays import put, repeat
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.track.registered_hand import of_one_shape

FRAMES = 40
ALL = np.ones(FRAMES, bool)


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand("open", "right")


@pytest.fixture(scope="module")
def true(model: HandModel) -> HandParams:
    rng = np.random.default_rng(0)
    shape = np.zeros(model.shapedirs.shape[-1])
    shape[:3] = 1.5, -1, 0.5
    return HandParams(
        global_orient=put(rng.normal(0, 0.1, (FRAMES, 3)), np.float32),
        pose=put(rng.normal(0, 0.2, (FRAMES, 45)), np.float32),
        transl=put(rng.normal(0, 0.1, (FRAMES, 3)), np.float32),
        betas=put(np.tile(shape, (FRAMES, 1)), np.float32),
    )


def joints(model: HandModel, params: HandParams) -> np.ndarray:
    return np.asarray(skin_frames(model, params.replace(betas=jnp.broadcast_to(params.betas, (FRAMES, 10))))[1])


def seen(model: HandModel, true: HandParams, betas: np.ndarray) -> HandParams:
    """What a tracker gives that takes each frame for a hand of its own shape, with the joints' mean where it is."""
    other = true.replace(betas=put(betas, np.float32))
    off = joints(model, true).mean(axis=1) - joints(model, other).mean(axis=1)
    return other.replace(transl=true.transl + put(off))


def test_one_shape_stays_bit_for_bit(model: HandModel, true: HandParams) -> None:
    found = of_one_shape(model, true, ALL)
    np.testing.assert_array_equal(found.betas, true.betas[0])
    np.testing.assert_array_equal(found.transl, true.transl)


def test_shapes_that_change_are_one_hand_where_it_was(model: HandModel, true: HandParams) -> None:
    """Noise on the shape, three frames of nonsense, and frames without a hand, whose shape does not count."""
    rng = np.random.default_rng(1)
    betas = np.asarray(true.betas) + rng.normal(0, 1, (FRAMES, 10))
    betas[[3, 17, 18]] = 8
    lost = np.arange(FRAMES) >= 30
    betas[lost] = -20
    given = seen(model, true, betas)
    found = of_one_shape(model, given, ~lost)
    off = np.abs(np.asarray(found.betas - true.betas[0]))
    assert off.max() < 1
    kept = ~lost
    np.testing.assert_allclose(
        joints(model, found).mean(axis=1)[kept], joints(model, true).mean(axis=1)[kept], atol=1e-6
    )
    error, naive, before = (
        mpjpe_mm(joints(model, each)[kept], joints(model, true)[kept])
        for each in (found, given.replace(betas=repeat(given.betas.mean(axis=0), FRAMES)), given)
    )
    assert error < 0.5 * before
    assert error < 0.2 * naive
