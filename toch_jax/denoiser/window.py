"""Interface of denoisers: input (a window of frames in the frame of an object part), output, target, configuration; and
the denoising of a whole clip: samples near the hand, overlapping windows, blended estimates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx, struct
from jaxtyping import Array, Bool, Float, Int, Shaped

from toch_jax.base.arrays import short_repr
from toch_jax.base.errors import bad_input
from toch_jax.base.programs import program
from toch_jax.denoiser.coordinates import Offset, canonical_scale_offset
from toch_jax.field.contact_field import ContactField, FieldEstimate, masked
from toch_jax.hand.model import HandModel
from toch_jax.sequence.mirror import mirror_points

Config = TypeVar("Config", bound="DenoiserConfig")
_LOST = 1e6
"""Squared distance (m2) of joints that were not observed: larger than any other."""


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


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """How a denoiser's input is made, so that inference makes it as training did. Saved with the weights."""

    canonical_scale: float | None = None
    """Scale (1/m) of canonical coordinates; None: that of the hand model, which training puts here (`for_hand`)."""
    canonical_offset: Offset | None = None
    """Offset of canonical coordinates; None: that of the hand model."""
    smoothed: bool = True
    """Whether the network reads, and corrects, the hand smoothed by track/smoothing.py; if false, the tracked hand."""
    frame_rate: float = 30.0
    """Frame rate of the training clips, Hz. Of faster clips frames further apart are read (`frame_step`)."""
    window: int = 32
    """Length of a window at inference, frames; as in training (BatchConfig.window)."""
    stride: int = 16
    """Frames from the start of one window to that of the next at inference: half a window, as in training."""
    samples: int = 512
    """Number of samples of the object's surface read at inference, near the hand (`near_samples`). The shipped network
    was trained on 256 (BatchConfig.samples)."""

    @property
    def canonical(self) -> tuple[float, Offset]:
        """Scale and offset of canonical coordinates. Raises InputError if they are not set."""
        if self.canonical_scale is None or self.canonical_offset is None:
            raise bad_input("denoiser", "canonical_scale, canonical_offset", "numbers, as from `for_hand`", "None")
        return self.canonical_scale, self.canonical_offset

    def for_hand(self: Config, hand: HandModel) -> Config:
        """The configuration with canonical coordinates of this hand, unless it has its own; `hand` is not decimated."""
        if self.canonical_scale is not None and self.canonical_offset is not None:
            return self
        scale, offset = canonical_scale_offset(hand)
        return replace(self, canonical_scale=scale, canonical_offset=offset)


class Network(nnx.Module):
    """A network that has a file (checkpoints.py): `kind(config, rngs)` is an untrained one."""

    ARCHITECTURE: ClassVar[str]
    """The name that files state."""
    CONFIG: ClassVar[type]
    """A frozen dataclass of numbers, tuples and truth values. Fields that an older file lacks have their defaults."""
    config: Any

    def __init__(self, config: Any, rngs: nnx.Rngs) -> None:
        self.config = config

    def __repr__(self) -> str:
        return short_repr(self, "config")

    __str__ = __repr__


@runtime_checkable
class Denoiser(Protocol):
    """Interface of all denoisers: a pytree (it can be passed through jax.jit) with a call and a training loss."""

    config: Any
    """A DenoiserConfig."""

    def __call__(self, window: Window) -> Estimate: ...

    def loss(self, window: Window, target: Target) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Training loss, and its terms by name."""
        ...


def map_frames(function: Callable[[Array], Array], window: Window) -> Window:
    """The window with `function` applied to all arrays with an axis of frames (of length 1 for a rigid object)."""
    names = ("field", "points", "normals", "joints", "tracked", "observed", "other")
    return window.replace(**jax.tree.map(function, {name: getattr(window, name) for name in names}))


@program()
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


@program()
def mirror_estimate(estimate: Estimate) -> Estimate:
    """The estimate in the mirrored scene (see `mirror`). Its own inverse."""
    joints = estimate.joints
    return Estimate(
        field=estimate.field.replace(correspondence=mirror_points(estimate.field.correspondence)),
        joints=None if joints is None else joints.replace(joints=mirror_points(joints.joints)),
    )


def blank_lost(window: Window) -> Window:
    """The window with the field of lost frames emptied: a field measured on a lost hand is meaningless."""
    return window.replace(field=masked(window.field, window.observed[..., None]))


def rotate(window: Window, rotation: Float[Array, "B 3 3"], centre: Float[Array, "B 3"]) -> Window:
    """The scene rotated about `centre` (metres); the field itself does not depend on directions in space."""

    def rotated(points: Float[Array, "B *axes 3"], about: Float[Array, "B 3"]) -> Float[Array, "B *axes 3"]:
        about = about.reshape(about.shape[0], *(1,) * (points.ndim - 2), 3)
        return jnp.einsum("bij,b...j->b...i", rotation, points - about) + about

    return window.replace(
        points=rotated(window.points, centre),
        normals=rotated(window.normals, jnp.zeros_like(centre)),
        joints=rotated(window.joints, centre),
        tracked=rotated(window.tracked, centre),
        other=window.other.replace(joints=rotated(window.other.joints, centre)),
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


def weighted_mean(values: Float[Array, "*batch"], weights: Float[Array, "*batch"]) -> Float[Array, ""]:
    """Mean of `values`, for losses; their sum where the weights add up to less than 1."""
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1.0)


@program("step")
def denoise_clip(denoiser: Denoiser, clip: Window, step: int = 1) -> Estimate:
    """Estimate for each frame of one clip; clip and estimate are one long window (B = 1, W = T).

    The network reads windows as its configuration states, of frames `step` apart (`frame_step`). A frame's estimate is
    the mean over the windows that hold it; a window's weight is largest in its middle.
    """
    window, stride = denoiser.config.window, denoiser.config.stride
    n_frames = clip.observed.shape[1]
    n_windows = max(0, -(-(-(-n_frames // step) - window) // stride)) + 1
    within = jnp.arange(n_windows)[:, None] * stride + jnp.arange(window)
    frames = (jnp.arange(step)[:, None, None] + step * within).reshape(-1, window)
    frame_mask = frames < n_frames
    frames = jnp.minimum(frames, n_frames - 1)
    estimate = denoiser(cut_windows(clip, frames, frame_mask))
    middle = 1 - jnp.abs(jnp.arange(window) - (window - 1) / 2) / (window / 2 + 0.5)
    weight = jnp.where(frame_mask, middle, 0.0)
    total = jnp.zeros(n_frames).at[frames].add(weight)

    def blend(leaf: Float[Array, "B W *rest"]) -> Float[Array, "1 T *rest"]:
        rest = (1,) * (leaf.ndim - 2)
        summed = jnp.zeros((n_frames, *leaf.shape[2:])).at[frames].add(leaf * weight.reshape(*weight.shape, *rest))
        return (summed / total.reshape(-1, *rest))[None]

    return jax.tree.map(blend, estimate)


def frame_step(fps: float, frame_rate: float) -> int:
    """Frame stride that brings `fps` to about the network's `frame_rate` (both Hz); at least 1."""
    return max(1, round(fps / frame_rate))


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
    length = jnp.where(observed[:, None], jnp.sum(joints**2, axis=-1), _LOST)
    if len(points) == 1:
        # samples at rest: the joints of all frames are points like any others
        joints, length = joints.reshape(1, -1, 3), length.reshape(1, -1)
    # samples last, so that vector instructions run over them
    squared = length[..., None] - 2.0 * jnp.einsum("wjc,wnc->wjn", joints, points)
    squared = jnp.min(jnp.min(squared, axis=1) + jnp.sum(points**2, axis=-1), axis=0)
    nearest = jnp.where(observed.any(), jnp.sqrt(jnp.maximum(squared, 0.0)), 0.0)
    log_weight = -jnp.maximum(nearest - radius, 0.0) / radius
    return jnp.sort(jax.lax.top_k(log_weight + jax.random.gumbel(key, log_weight.shape), count)[1])
