"""Random windows for tests of the networks, and the networks, compiled once for all tests."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.spatial.transform import Rotation

from support.plain import plain, plain_jit
from toch_jax.denoiser.checkpoints import create_denoiser
from toch_jax.denoiser.coordinates import MANO_OFFSET, MANO_SCALE
from toch_jax.denoiser.field_net import FieldNet, FieldNetConfig
from toch_jax.denoiser.toch import TochConfig, TochDenoiser
from toch_jax.denoiser.window import DenoiserConfig, Estimate, OtherHand, Target, Window, no_other_hand
from toch_jax.field.contact_field import ContactField
from toch_jax.hand.files import load_hand

HAND = load_hand("open")
CORNERS = np.asarray(HAND.v_template)
JOINTS = np.concatenate([np.asarray(HAND.joint_regressor) @ CORNERS, CORNERS[np.asarray(HAND.tips)]])


FIELD_NET = FieldNetConfig(
    canonical_scale=5.0, canonical_offset=(0.1, 0.0, 0.0), point_width=8, frame_width=16, dilations=(1, 2)
)
TOCH = TochConfig(
    canonical_scale=MANO_SCALE,
    canonical_offset=MANO_OFFSET,
    latent=4,
    encoder_widths=(4, 4, 4, 4),
    decoder_widths=(4, 4, 4, 4),
    encoder_state=4,
    decoder_state=4,
)


@functools.cache
def untrained(config: DenoiserConfig, seed: int = 0) -> FieldNet | TochDenoiser:
    """An untrained network, shared by tests, which must not change it.

    TOCH's many weights are drawn with NumPy, as the random functions of JAX take seconds to compile.
    """
    if isinstance(config, FieldNetConfig):
        return plain_jit(lambda: create_denoiser(config, seed))
    graph, state = nnx.split(nnx.eval_shape(lambda: create_denoiser(config, seed)))
    rng = np.random.default_rng(seed)
    state = jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(-0.4, 0.4, leaf.shape), jnp.float32), state)
    return nnx.merge(graph, state)


@plain
def estimated(model, window):  # type: ignore[no-untyped-def]
    """`model(window)`, compiled, for either network."""
    return model(window)


@plain
def learnt(model, window, target):  # type: ignore[no-untyped-def]
    """The loss with its terms, the gradient, and the network after a small step of gradient descent."""
    (loss, terms), gradient = jax.value_and_grad(lambda m: m.loss(window, target), has_aux=True)(model)
    size = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradient)))
    return (loss, terms), gradient, jax.tree.map(lambda w, g: w - 0.05 * g / (size + 1e-9), model, gradient)


def random_window(seed: int, batch: int = 2, frames: int = 6, samples: int = 20) -> Window:
    """A window with noisy joints of a hand, random samples of two parts in relative rotation, and a random field.

    There is another hand beside it; the third frame of the hand and the fourth of the other one are lost.
    """
    rng = np.random.default_rng(seed)
    axes = (batch, frames)
    normals = rng.normal(size=(batch, samples, 3))
    observed = np.arange(frames) != 2
    mask = (rng.random((*axes, samples)) < 0.5) & observed[:, None]
    hits = CORNERS[rng.integers(len(CORNERS), size=mask.shape)]
    own = rng.random((batch, samples)) < 0.5
    points = CORNERS[rng.integers(len(CORNERS), size=(batch, samples))] + 0.02 * normals
    turn = Rotation.from_rotvec(0.1 * np.arange(frames)[:, None] * [1.0, 0.0, 0.5]).as_matrix()

    def placed(vectors: np.ndarray) -> np.ndarray:
        turned = np.einsum("wij,bnj->bwni", turn, vectors)
        return np.where(own[:, None, :, None], vectors[:, None], turned)

    other_seen = (np.arange(frames) != 3) & np.ones((batch, 1), bool)
    return Window(
        field=ContactField(
            mask=jnp.asarray(mask),
            distance=jnp.asarray(np.where(mask, rng.uniform(-0.02, 0.1, mask.shape), 0), jnp.float32),
            correspondence=jnp.asarray(np.where(mask[..., None], hits, 0), jnp.float32),
        ),
        points=jnp.asarray(placed(points), jnp.float32),
        normals=jnp.asarray(placed(normals / np.linalg.norm(normals, axis=-1, keepdims=True)), jnp.float32),
        own=jnp.asarray(own),
        joints=jnp.asarray(JOINTS + 0.005 * rng.normal(size=(*axes, 21, 3)), jnp.float32),
        tracked=jnp.asarray(JOINTS + 0.01 * rng.normal(size=(*axes, 21, 3)), jnp.float32),
        observed=jnp.asarray(np.broadcast_to(observed, axes)),
        left=jnp.arange(batch) % 2 == 1,
        two_handed=jnp.ones(batch, bool),
        other=OtherHand(
            joints=jnp.asarray([-1.0, 1, 1] * JOINTS + 0.1 + 0.01 * rng.normal(size=(*axes, 21, 3)), jnp.float32),
            observed=jnp.asarray(other_seen),
        ),
    )


def alone_on_rigid(window: Window) -> Window:
    """The window with all samples at rest as in its first frame, and without another hand."""
    nobody = jnp.zeros_like(window.two_handed)
    return window.replace(
        points=window.points[:, :1],
        normals=window.normals[:, :1],
        own=jnp.ones_like(window.own),
        left=nobody,
        two_handed=nobody,
        other=no_other_hand(*window.observed.shape),
    )


def random_target(seed: int, window: Window) -> Target:
    other = random_window(seed, *window.field.mask.shape)
    return Target(field=other.field, joints=other.joints, frame_mask=jnp.ones(window.observed.shape, bool))


def assert_close(one: Estimate, other: Estimate, atol: float) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def losses_on_one_batch(model: FieldNet | TochDenoiser, steps: int = 40) -> list[float]:
    """The losses of steps of gradient descent on one random batch."""
    window = random_window(0)
    target = random_target(1, window)
    losses = []
    for _ in range(steps):
        (loss, _), _, model = learnt(model, window, target)
        losses.append(float(loss))
    return losses
