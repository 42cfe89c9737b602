"""What a denoiser reads and what it answers: a window of frames of one hand on one part of an object."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.field.types import ContactField, FieldEstimate
from toch_jax.sequence.mirror import mirror_points


class Window(struct.PyTreeNode):
    """W frames of a right hand (mirror a left one: `mirror`) in the object's frame; metres."""

    field: ContactField
    """Axes (B, W, N)."""
    points: Float[Array, "B N 3"]
    """The object's samples; they do not move in their own frame."""
    normals: Float[Array, "B N 3"]
    joints: Float[Array, "B W 21 3"]
    """Of the hand whose field it is (16 of the skeleton, then tips thumb to pinky): the tracked one or a smoothed one,
    as the network wants it."""
    tracked: Float[Array, "B W 21 3"]
    """As the tracker gave them."""
    valid: Bool[Array, "B W"]
    """False where the tracker lost the hand and in padding: nothing tracked of such a frame is read."""


class JointEstimate(struct.PyTreeNode):
    """Where the hand's joints are; metres."""

    joints: Float[Array, "*batch 21 3"]
    sigma: Float[Array, "*batch 21"]
    """One standard deviation of each coordinate."""


class Estimate(struct.PyTreeNode):
    """What a denoiser answers: axes as in Window. A network that has no opinion on the joints leaves them None."""

    field: FieldEstimate
    joints: JointEstimate | None = None


class Target(struct.PyTreeNode):
    """What the estimate of a Window should have been; metres."""

    field: ContactField
    """Axes (B, W, N)."""
    joints: Float[Array, "B W 21 3"]
    known: Bool[Array, "B W"]
    """False in padding. A lost frame is known: its target is what was there to be seen."""


@jax.jit
def mirror(window: Window) -> Window:
    """The window of the other hand: x negated, as between a left and a right hand model. Its own inverse."""
    return window.replace(
        field=window.field.replace(correspondence=mirror_points(window.field.correspondence)),
        points=mirror_points(window.points),
        normals=mirror_points(window.normals),
        joints=mirror_points(window.joints),
        tracked=mirror_points(window.tracked),
    )


@jax.jit
def mirror_estimate(estimate: Estimate) -> Estimate:
    """`mirror`, for what comes back."""
    joints = estimate.joints
    return Estimate(
        field=estimate.field.replace(correspondence=mirror_points(estimate.field.correspondence)),
        joints=None if joints is None else joints.replace(joints=mirror_points(joints.joints)),
    )


def blank_lost(window: Window) -> Window:
    """The window with the field of lost frames emptied: a field measured on a lost hand means nothing."""
    seen = window.valid[..., None]
    field = window.field
    mask = field.mask & seen
    return window.replace(
        field=ContactField(
            mask=mask,
            distance=jnp.where(mask, field.distance, 0.0),
            correspondence=jnp.where(mask[..., None], field.correspondence, 0.0),
        )
    )


def rotate(window: Window, rotation: Float[Array, "B 3 3"], centre: Float[Array, "B 3"]) -> Window:
    """The scene turned about `centre` (metres); the field itself knows of no direction in space."""

    def turned(points: Float[Array, "B *axes 3"], about: Float[Array, "B 3"]) -> Float[Array, "B *axes 3"]:
        about = about.reshape(about.shape[0], *(1,) * (points.ndim - 2), 3)
        return jnp.einsum("bij,b...j->b...i", rotation, points - about) + about

    return window.replace(
        points=turned(window.points, centre),
        normals=turned(window.normals, jnp.zeros_like(centre)),
        joints=turned(window.joints, centre),
        tracked=turned(window.tracked, centre),
    )


def scale(window: Window, factor: Float[Array, "B"]) -> Window:
    """The scene grown about its origin. Contact stays contact; the canonical hand keeps its size."""
    return window.replace(
        field=window.field.replace(distance=window.field.distance * factor[:, None, None]),
        points=window.points * factor[:, None, None],
        joints=window.joints * factor[:, None, None, None],
        tracked=window.tracked * factor[:, None, None, None],
    )


def cut_windows(clip: Window, frames: Int[Array, "B W"], inside: Bool[Array, "B W"]) -> Window:
    """Windows of the chosen `frames` of one clip (a Window of B = 1); what is not `inside` the clip is padding."""
    batch = len(frames)
    return Window(
        field=jax.tree.map(lambda leaf: leaf[0, frames], clip.field),
        points=jnp.broadcast_to(clip.points, (batch, *clip.points.shape[1:])),
        normals=jnp.broadcast_to(clip.normals, (batch, *clip.normals.shape[1:])),
        joints=clip.joints[0, frames],
        tracked=clip.tracked[0, frames],
        valid=clip.valid[0, frames] & inside,
    )


def near_samples(
    key: jax.Array,
    points: Float[Array, "N 3"],
    joints: Float[Array, "W 21 3"],
    valid: Bool[Array, "W"],
    count: int,
    radius: float = 0.06,
) -> jax.Array:
    """Indices (count,) of samples drawn without replacement, the likelier the nearer the tracked hand comes to them.

    A sample within `radius` metres of a joint weighs 1, one far off exp(-distance/radius): the network's arithmetic
    goes where the hand is, and a big object costs what a small one does. `count` is at most N. They come in the
    object's own order, so that no part of them is nearer than another.
    """
    path = joints.reshape(-1, 3)
    # about the samples' middle, so that the expanded square loses nothing
    middle = points.mean(axis=0)
    points, path = points - middle, path - middle
    squared = jnp.sum(points**2, axis=-1)[:, None] + jnp.sum(path**2, axis=-1) - 2.0 * points @ path.T
    seen = jnp.repeat(valid, joints.shape[1])
    nearest = jnp.sqrt(jnp.min(jnp.where(seen, jnp.maximum(squared, 0.0), jnp.inf), axis=1))
    nearest = jnp.where(valid.any(), nearest, 0.0)
    log_weight = -jnp.maximum(nearest - radius, 0.0) / radius
    return jnp.sort(jax.lax.top_k(log_weight + jax.random.gumbel(key, log_weight.shape), count)[1])
