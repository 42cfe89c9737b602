"""Input and output of a denoiser: a window of frames of one hand and an object, in the frame of an object part."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Shaped

from toch_jax.field.types import ContactField, FieldEstimate
from toch_jax.sequence.mirror import mirror_points


class OtherHand(struct.PyTreeNode):
    """The hand of the other side, as tracked, in the same frame of reference as the first hand; metres."""

    joints: Float[Array, "*batch 21 3"]
    """16 joints of the skeleton, then the tips, thumb to pinky."""
    observed: Bool[Array, "*batch"]
    """False where the tracker lost the hand, in padding, and without such a hand: the joints are then meaningless."""


class Window(struct.PyTreeNode):
    """W frames of a right hand (a left one is mirrored: `mirror`) in the frame of the part that it handles; metres."""

    field: ContactField
    """Axes (B, W, N)."""
    points: Float[Array, "B #W N 3"]
    """The object's samples in each frame; those of a rigid object, which are at rest, in one frame for all."""
    normals: Float[Array, "B #W N 3"]
    own: Bool[Array, "B N"]
    """Whether a sample is on the part that the hand handles. Samples of other parts may move."""
    joints: Float[Array, "B W 21 3"]
    """Joints of the hand that `field` is measured on (16 of the skeleton, then the tips, thumb to pinky): the tracked
    or the smoothed hand, as the network requires."""
    tracked: Float[Array, "B W 21 3"]
    """Joints of the tracked hand."""
    observed: Bool[Array, "B W"]
    """False where the tracker lost the hand and in padding: tracked values of such a frame are not used."""
    left: Bool[Array, "B"]
    """Whether the hand is a left one, which is mirrored for the network."""
    two_handed: Bool[Array, "B"]
    """Whether there is a hand of the other side."""
    other: OtherHand
    """Axes (B, W)."""


def no_other_hand(batch: int, frames: int) -> OtherHand:
    """Placeholder for a window without a hand of the other side."""
    return OtherHand(joints=jnp.zeros((batch, frames, 21, 3)), observed=jnp.zeros((batch, frames), bool))


class JointEstimate(struct.PyTreeNode):
    """Estimated joints of the hand (16 of the skeleton, then the tips); metres."""

    joints: Float[Array, "*batch 21 3"]
    sigma: Float[Array, "*batch 21"]
    """One standard deviation of each coordinate."""


class Estimate(struct.PyTreeNode):
    """Output of a denoiser, axes as in Window. `joints` is None if the network does not estimate them."""

    field: FieldEstimate
    joints: JointEstimate | None = None


class Target(struct.PyTreeNode):
    """Ground truth for the estimate of a Window; metres."""

    field: ContactField
    """Axes (B, W, N)."""
    joints: Float[Array, "B W 21 3"]
    frame_mask: Bool[Array, "B W"]
    """False in padding. Lost frames have a target too: the true hand."""


def map_frames(function: Callable[[Array], Array], window: Window) -> Window:
    """The window with `function` applied to all arrays with an axis of frames (of length 1 for a rigid object)."""
    names = ("field", "points", "normals", "joints", "tracked", "observed", "other")
    return window.replace(**jax.tree.map(function, {name: getattr(window, name) for name in names}))


@jax.jit
def mirror(window: Window) -> Window:
    """The window of the mirrored scene: x is negated, as between left and right hand models. Its own inverse.

    `left` and `two_handed` are not changed.
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
    """The estimate in the mirrored scene (see `mirror`). Its own inverse."""
    joints = estimate.joints
    return Estimate(
        field=estimate.field.replace(correspondence=mirror_points(estimate.field.correspondence)),
        joints=None if joints is None else joints.replace(joints=mirror_points(joints.joints)),
    )


def blank_lost(window: Window) -> Window:
    """The window with the field of lost frames emptied: a field measured on a lost hand is meaningless."""
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
    """The scene rotated about `centre` (metres); the field itself does not depend on directions in space."""

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
    """The scene scaled about its origin. Contact stays contact; correspondences on the canonical hand do not change."""
    points = factor[:, None, None, None]
    return window.replace(
        field=window.field.replace(distance=window.field.distance * factor[:, None, None]),
        points=window.points * points,
        joints=window.joints * points,
        tracked=window.tracked * points,
        other=window.other.replace(joints=window.other.joints * points),
    )


def cut_windows(clip: Window, frames: Int[Array, "B W"], frame_mask: Bool[Array, "B W"]) -> Window:
    """Windows of the chosen `frames` of one clip (a Window of B = 1); frames not in `frame_mask` are padding."""
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
    """Indices (count,) of samples near the tracked hand, drawn at random without replacement; `count` is at most N.

    A sample whose least distance from the joints in all observed frames is d (metres) has the weight
    exp(-max(d - radius, 0) / radius): the network computes mostly near the hand, at the same cost for large and small
    objects. Indices are in ascending order, so that no part of them is nearer than another.
    """
    # relative to the samples' mean, so that the expanded square loses no precision
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
