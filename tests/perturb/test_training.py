from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, rest_joints
from toch_jax.object.model import ObjectMotion
from toch_jax.perturb.training import NoiseConfig, lose_frames, perturb, shake_object, sway

HAND = load_hand("open")
BATCH, FRAMES = 300, 8
NOTHING = NoiseConfig(translation=0.0, rotation=0.0, pose=0.0, shape=0.0, absent=0.0, slow=0.0, sway=(0.0, 0.0, 0.0))


def hands() -> HandParams:
    rng = np.random.default_rng(0)
    sizes = {"global_orient": (3, 0.5), "pose": (45, 0.2), "betas": (HAND.shapedirs.shape[-1], 0.0), "transl": (3, 0.1)}
    drawn = {name: rng.normal(scale=scale, size=(BATCH, FRAMES, size)) for name, (size, scale) in sizes.items()}
    return HandParams(**{name: jnp.asarray(values, jnp.float32) for name, values in drawn.items()})


def translations(config: NoiseConfig) -> np.ndarray:
    clean = hands()
    return np.asarray(perturb(jax.random.key(1), config, HAND, clean).transl - clean.transl)


@pytest.mark.parametrize("change", [perturb, sway])
def test_no_noise_changes_nothing(change) -> None:  # type: ignore[no-untyped-def]
    clean = hands()
    for ours, theirs in zip(
        jax.tree.leaves(change(jax.random.key(1), NOTHING, HAND, clean)), jax.tree.leaves(clean), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_levels_are_uniform_below_the_largest() -> None:
    """Normal noise whose sigma is uniform in (0, s) has the mean square s^2 / 3."""
    moved = translations(replace(NOTHING, translation=0.02))
    np.testing.assert_allclose((moved**2).mean(), 0.02**2 / 3, rtol=0.1)
    absent = translations(replace(NOTHING, translation=0.02, absent=0.5))
    still = (absent == 0).all(axis=(1, 2))
    np.testing.assert_allclose(still.mean(), 0.5, atol=0.1)


def test_correlation_between_frames() -> None:
    """Frames are independent without slow noise; with it, its correlation counts by its share (1/2 on average)."""
    for slow, expected in ((0.0, 0.0), (1.0, 0.5 * 0.9)):
        config = replace(NOTHING, translation=0.02, slow=slow, correlation=(0.9, 0.9))
        moved = translations(config)
        found = (moved[:, 1:] * moved[:, :-1]).mean() / (moved**2).mean()
        np.testing.assert_allclose(found, expected, atol=0.07)


def test_rotation_noise_is_of_that_size_whatever_the_rotation() -> None:
    clean = hands()
    noisy = perturb(jax.random.key(1), replace(NOTHING, rotation=0.1), HAND, clean)
    turns = [Rotation.from_rotvec(np.asarray(each.global_orient).reshape(-1, 3)) for each in (noisy, clean)]
    angles = (turns[0] * turns[1].inv()).magnitude()
    # each of the three coordinates has the mean square s^2 / 3
    np.testing.assert_allclose((angles**2).mean(), 0.1**2, rtol=0.15)


def test_a_wrong_shape_keeps_the_wrist() -> None:
    clean = hands()
    noisy = perturb(jax.random.key(1), replace(NOTHING, shape=1.0), HAND, clean)
    changed = np.asarray((noisy.betas != clean.betas).any(axis=(1, 2)))
    assert changed.any()
    assert not changed.all()
    wrists = [rest_joints(HAND, each.betas)[..., 0, :] + each.transl for each in (noisy, clean)]
    np.testing.assert_allclose(*wrists, atol=1e-5)
    # one shape for the whole window
    np.testing.assert_array_equal(noisy.betas, np.broadcast_to(noisy.betas[:, :1], noisy.betas.shape))


def test_swaying_is_smooth() -> None:
    clean = hands()
    swayed = sway(jax.random.key(1), replace(NOTHING, sway=(0.003, 0.0, 0.0), sway_frames=(4.0, 4.0)), HAND, clean)
    moved = np.asarray(swayed.transl - clean.transl)
    np.testing.assert_allclose((moved**2).mean(), 0.003**2 / 3, rtol=0.15)
    # the process has a Gaussian covariance of width 4
    found = (moved[:, 1:] * moved[:, :-1]).mean() / (moved**2).mean()
    np.testing.assert_allclose(found, np.exp(-0.5 / 16), atol=0.02)


def test_an_object_shakes_about_the_middles_of_its_parts() -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(scale=0.1, size=(BATCH, 2, 3))
    turn = Rotation.from_rotvec(rng.normal(size=(BATCH * 2 * FRAMES, 3))).as_matrix().reshape(BATCH, 2, FRAMES, 3, 3)
    place = rng.normal(size=(BATCH, 2, FRAMES, 3))
    motion = ObjectMotion(jnp.asarray(turn, jnp.float32), jnp.asarray(place, jnp.float32))
    config = replace(NOTHING, object_share=0.4, object_pose=(0.004, 0.03), object_frames=(1.5, 1.5))
    found = shake_object(jax.random.key(1), config, motion, jnp.asarray(middles, jnp.float32))
    rotation, translation = (np.asarray(each, np.float64) for each in (found.rotation, found.translation))
    moved = np.einsum("bptij,bpj->bpti", rotation - turn, middles) + translation - place
    turned = Rotation.from_matrix((np.swapaxes(turn, -1, -2) @ rotation).reshape(-1, 3, 3)).as_rotvec()
    turned = turned.reshape(moved.shape)
    shaken = np.abs(moved).max(axis=(1, 2, 3)) > 1e-5
    np.testing.assert_allclose(shaken.mean(), 0.4, atol=0.08)
    for error, most in ((moved, 0.004), (turned, 0.03)):
        kept = error[shaken]
        # a standard deviation that is uniform in (0, s) has the mean square s^2 / 3
        np.testing.assert_allclose((kept**2).mean(), most**2 / 3, rtol=0.2)
        correlation = (kept[:, :, 1:] * kept[:, :, :-1]).mean() / (kept**2).mean()
        np.testing.assert_allclose(correlation, np.exp(-0.5 / 1.5**2), atol=0.04)
        np.testing.assert_allclose(error[~shaken], 0, atol=1e-5)
        parts = (kept[:, 0] * kept[:, 1]).mean() / (kept**2).mean()
        assert abs(parts) < 0.1


def test_lost_frames() -> None:
    valid = jnp.ones((2000, 20), bool).at[:, 15:].set(False)
    config = NoiseConfig(gap=0.5, longest_gap=4, dropout=0.1)
    kept = np.asarray(lose_frames(jax.random.key(0), config, valid))
    assert not kept[:, 15:].any()
    assert kept.any(axis=1).all()
    # single frames: 5 % on average; half of the windows lose a run of 2.5 of 20 frames, part of it beyond the end
    share = 1 - kept[:, :15].mean()
    assert 0.08 < share < 0.13
    only = jnp.zeros((2000, 20), bool).at[:, 3].set(True)
    assert np.asarray(lose_frames(jax.random.key(0), config, only))[:, 3].all()
