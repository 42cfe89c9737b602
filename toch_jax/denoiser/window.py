"""What a denoiser reads and what it answers: a window of frames of one hand on an object, seen from one part of it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Shaped

from toch_jax.field.types import ContactField, FieldEstimate
from toch_jax.sequence.mirror import mirror_points


class OtherHand(struct.PyTreeNode):
    """The hand of the other side, as tracked, in the frame of the hand that it is the other one of; metres."""

    joints: Float[Array, "*batch 21 3"]
    """16 of the skeleton, then tips thumb to pinky."""
    observed: Bool[Array, "*batch"]
    """False where the tracker lost it, in padding, and where there is none: such a frame's joints mean nothing."""


class Window(struct.PyTreeNode):
    """W frames of a right hand (mirror a left one: `mirror`) in the frame of the part that it handles; metres."""

    field: ContactField
    """Axes (B, W, N)."""
    points: Float[Array, "B #W N 3"]
    """The object's samples in each frame; of a rigid object, which stands still in its own frame, in one for all."""
    normals: Float[Array, "B #W N 3"]
    own: Bool[Array, "B N"]
    """Whether a sample is of the part that the hand handles. The others' move."""
    joints: Float[Array, "B W 21 3"]
    """Of the hand whose field it is (16 of the skeleton, then tips thumb to pinky): the tracked one or a smoothed one,
    as the network wants it."""
    tracked: Float[Array, "B W 21 3"]
    """As the tracker gave them."""
    observed: Bool[Array, "B W"]
    """False where the tracker lost the hand and in padding: nothing tracked of such a frame is read."""
    left: Bool[Array, "B"]
    """Whether the hand is a left one, which is read mirrored."""
    two_handed: Bool[Array, "B"]
    """Whether there is a hand of the other side."""
    other: OtherHand
    """Axes (B, W)."""


def no_other_hand(batch: int, frames: int) -> OtherHand:
    return OtherHand(joints=jnp.zeros((batch, frames, 21, 3)), observed=jnp.zeros((batch, frames), bool))


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
    frame_mask: Bool[Array, "B W"]
    """False in padding. A lost frame has its target: the true hand."""


def map_frames(function: Callable[[Array], Array], window: Window) -> Window:
    """The window with `function` applied to all that has an axis of frames (of one frame: a rigid object's samples)."""
    names = ("field", "points", "normals", "joints", "tracked", "observed", "other")
    return window.replace(**jax.tree.map(function, {name: getattr(window, name) for name in names}))


@jax.jit
def mirror(window: Window) -> Window:
    """The window of the mirrored scene: x negated, as between a left and a right hand model. Its own inverse.

    What it says of which hand it was stays.
    """
    return window.replace(
        field=window.field.replace(correspondence=mirror_points(window.field.correspondence)),
        points=mirror_points(window.points),
        normals=mirror_points(window.normals),
        joints=mirror_points(window.joints),
        tracked=mirror_points(window.tracked),
        other=window.other.replace(joints=mirror_points(window.other.joints)),
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
    observed = window.observed[..., None]
    field = window.field
    mask = field.mask & observed
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
        other=window.other.replace(joints=turned(window.other.joints, centre)),
    )


def scale(window: Window, factor: Float[Array, "B"]) -> Window:
    """The scene grown about its origin. Contact stays contact; the canonical hand keeps its size."""
    points = factor[:, None, None, None]
    return window.replace(
        field=window.field.replace(distance=window.field.distance * factor[:, None, None]),
        points=window.points * points,
        joints=window.joints * points,
        tracked=window.tracked * points,
        other=window.other.replace(joints=window.other.joints * points),
    )


def cut_windows(clip: Window, frames: Int[Array, "B W"], frame_mask: Bool[Array, "B W"]) -> Window:
    """Windows of the chosen `frames` of one clip (a Window of B = 1); what is not `inside` the clip is padding."""
    batch = len(frames)

    def whole(leaf: Shaped[Array, "1 *axes"]) -> Shaped[Array, "B *axes"]:
        return jnp.broadcast_to(leaf, (batch, *leaf.shape[1:]))

    def samples(leaf: Float[Array, "1 #T N 3"]) -> Float[Array, "B #W N 3"]:
        return whole(leaf) if leaf.shape[1] == 1 else leaf[0, frames]

    return Window(
        field=jax.tree.map(lambda leaf: leaf[0, frames], clip.field),
        points=samples(clip.points),
        normals=samples(clip.normals),
        own=whole(clip.own),
        joints=clip.joints[0, frames],
        tracked=clip.tracked[0, frames],
        observed=clip.observed[0, frames] & frame_mask,
        left=whole(clip.left),
        two_handed=whole(clip.two_handed),
        other=OtherHand(joints=clip.other.joints[0, frames], observed=clip.other.observed[0, frames] & frame_mask),
    )


def near_samples(
    key: jax.Array,
    points: Float[Array, "#W N 3"],
    joints: Float[Array, "W 21 3"],
    observed: Bool[Array, "W"],
    count: int,
    radius: float = 0.06,
) -> jax.Array:
    """Indices (count,) of samples drawn without replacement, the likelier the nearer the tracked hand comes to them.

    A sample within `radius` metres of a joint weighs 1, one far off exp(-distance/radius): the network's arithmetic
    goes where the hand is, and a big object costs what a small one does. `count` is at most N. They come in the
    object's own order, so that no part of them is nearer than another.
    """
    # about the samples' middle, so that the expanded square loses nothing
    middle = points.mean(axis=(0, 1))
    points, joints = points - middle, joints - middle
    squared = (
        jnp.sum(points**2, axis=-1)[..., None]
        + jnp.sum(joints**2, axis=-1)[:, None]
        - 2.0 * jnp.einsum("wnc,wjc->wnj", points, joints)
    )
    squared = jnp.where(observed[:, None, None], jnp.maximum(squared, 0.0), jnp.inf)
    nearest = jnp.where(observed.any(), jnp.sqrt(jnp.min(squared, axis=(0, 2))), 0.0)
    log_weight = -jnp.maximum(nearest - radius, 0.0) / radius
    return jnp.sort(jax.lax.top_k(log_weight + jax.random.gumbel(key, log_weight.shape), count)[1])
