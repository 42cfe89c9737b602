"""Random windows for tests of the networks, and the networks compiled once for all tests."""

import jax
import jax.numpy as jnp
import numpy as np

from toch_jax.denoiser.window import Estimate, Target, Window
from toch_jax.field.types import ContactField
from toch_jax.hand.files import load_hand

HAND = load_hand("open")
CORNERS = np.asarray(HAND.v_template)
JOINTS = np.concatenate([np.asarray(HAND.joint_regressor) @ CORNERS, CORNERS[np.asarray(HAND.tips)]])


@jax.jit
def estimated(model, window):  # type: ignore[no-untyped-def]
    """`model(window)`; either network."""
    return model(window)


def random_window(seed: int, batch: int = 2, frames: int = 6, samples: int = 20) -> Window:
    """A real hand's joints, shaken; samples and field about it at random; the third frame lost."""
    rng = np.random.default_rng(seed)
    axes = (batch, frames)
    normals = rng.normal(size=(batch, samples, 3))
    valid = np.arange(frames) != 2
    mask = (rng.random((*axes, samples)) < 0.5) & valid[:, None]
    hits = CORNERS[rng.integers(len(CORNERS), size=mask.shape)]
    return Window(
        field=ContactField(
            mask=jnp.asarray(mask),
            distance=jnp.asarray(np.where(mask, rng.uniform(-0.02, 0.1, mask.shape), 0), jnp.float32),
            correspondence=jnp.asarray(np.where(mask[..., None], hits, 0), jnp.float32),
        ),
        points=jnp.asarray(CORNERS[rng.integers(len(CORNERS), size=(batch, samples))] + 0.02 * normals, jnp.float32),
        normals=jnp.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), jnp.float32),
        joints=jnp.asarray(JOINTS + 0.005 * rng.normal(size=(*axes, 21, 3)), jnp.float32),
        valid=jnp.asarray(np.broadcast_to(valid, axes)),
    )


def random_target(seed: int, window: Window) -> Target:
    other = random_window(seed, *window.field.mask.shape)
    return Target(field=other.field, joints=other.joints, known=jnp.ones(window.valid.shape, bool))


def assert_close(one: Estimate, other: Estimate, atol: float) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)
