"""From a bony hand to a hand with skin: the open hand's motion that follows MyoDM's, with contact resolved.

Everything happens in the object's frame, a clip at a time. The hand's points are posed in JAX and moved by Adam; every
few steps the exact distances of the points to the object's surface are taken anew (libigl), and in between distance is
taken as linear about the nearest point of the surface.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
import optax
import trimesh
from flax import struct
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.datasets.myodm.skeleton import Motion
from toch_jax.datasets.myodm.surface import Surface, bone_distances, outside, surface_about
from toch_jax.datasets.myodm.surrogate import DIGITS, Surrogate, bend_along, pose_points
from toch_jax.datasets.myodm.walls import turn_back
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.hand.prior import PosePrior

# Clips are padded to this many frames: the longest has 60 at 30 frames a second.
BUCKET = 64
ROUNDS, STEPS = 30, 25
ADAM = optax.scale_by_adam(b2=0.98)
# The first share of the rounds, in which a finger pierced by something thin may slip off it sideways.
SIDEWAYS = 0.3
# Beyond its clearance and this, a point doesn't feel the object; metres.
FELT = 0.006
# A bone nearer than this has flesh that must touch (a finger's flesh is 6-8 mm thick, the palm's some 12), metres.
DIGIT_NEAR, PALM_NEAR = 0.009, 0.013

# A number, or what jit makes of one.
Scalar = float | Float[Array, ""]


class Scales(struct.PyTreeNode):
    """One standard deviation of each term: metres, radians, per frame squared where it says acceleration."""

    joint: Scalar = 0.006
    """A landmark relative to the hand's middle; beyond twice this it pulls no harder."""
    place: Scalar = 0.012
    """The hand's middle."""
    joint_acceleration: Scalar = 0.0007
    """Of the way from target to landmark, so that the source's own quickness costs nothing."""
    pose_acceleration: Scalar = 0.03
    pose: Scalar = 10.0
    """In standard deviations of the pose prior, each angle by itself: only what nothing else decides."""
    limit: Scalar = 0.05
    bone: Scalar = 0.0002
    """A bone's clearance: firmer than skin, as the bones decide on which side of a thin thing a finger is."""
    depth: Scalar = 0.0003
    gap: Scalar = 0.0012


class Target(struct.PyTreeNode):
    """What one clip asks for, in the object's frame, padded to T frames."""

    landmarks: Float[Array, "T 21 3"]
    near: Float[Array, "T 16"]
    """0 to 1: whether the bone that hangs from each joint is so near the object that its skin must touch."""
    real: Float[Array, "T"]
    """0 in the padding."""
    rotation: Float[Array, "T 3 3"]
    """Where the wrist's rotation starts."""


class Unknowns(struct.PyTreeNode):
    """The hand's motion in the object's frame, in units in which Adam's steps suit."""

    turn: Float[Array, "T 3"]
    """Of the wrist, from the target's start, radians."""
    wrist: Float[Array, "T 3"]
    """Decimetres."""
    pose: Float[Array, "T 45"]


def rotations(target: Target, unknowns: Unknowns) -> Float[Array, "T 16 3 3"]:
    wrist = target.rotation @ jaxlie.SO3.exp(unknowns.turn).as_matrix()
    fingers = jaxlie.SO3.exp(unknowns.pose.reshape(-1, 15, 3)).as_matrix()
    return jnp.concatenate([wrist[:, None], fingers], axis=1)


def _robust(squared: Array) -> Array:
    """Quadratic up to 4 (two deviations), then linear in the deviation."""
    return jnp.where(squared <= 4.0, squared, 4.0 * jnp.sqrt(jnp.maximum(squared, 4.0)) - 4.0)


def _acceleration(values: Float[Array, "T *rest"], real: Float[Array, "T"]) -> Array:
    """Sum of squared second differences over the real frames."""
    second = values[2:] - 2 * values[1:-1] + values[:-2]
    return jnp.sum(real[2:, None] * second.reshape(len(second), -1) ** 2)


def cost(
    unknowns: Unknowns,
    hand: Surrogate,
    parents: tuple[int, ...],
    target: Target,
    prior: PosePrior,
    surface: Surface,
    weights: Float[Array | np.ndarray, "2"],
    scales: Scales,
) -> Float[Array, ""]:
    """Half the sum of squares of all terms; `weights` (0 to 1) are for the object against the bones, and the skin."""
    points = pose_points(hand, parents, rotations(target, unknowns), 0.1 * unknowns.wrist)
    off = points[:, hand.landmarks] - target.landmarks
    middle = off.mean(axis=1)
    relative = off - middle[:, None]
    real = target.real[:, None]
    total = jnp.sum(real * _robust(jnp.sum(relative**2, axis=-1) / scales.joint**2))
    total += 21 * jnp.sum(target.real * _robust(jnp.sum(middle**2, axis=-1) / scales.place**2))
    total += _acceleration(off, target.real) / scales.joint_acceleration**2
    total += _acceleration(unknowns.pose, target.real) / scales.pose_acceleration**2
    spread = jnp.diagonal(prior.covariance) + jnp.square(scales.limit)
    total += jnp.sum(real * (unknowns.pose - prior.mean) ** 2 / spread) / scales.pose**2
    beyond = jax.nn.relu(unknowns.pose - prior.upper) + jax.nn.relu(prior.lower - unknowns.pose)
    total += jnp.sum(real * beyond**2) / scales.limit**2

    distance = surface.value + jnp.sum(surface.slope * (points - surface.at), axis=-1)
    depth = jax.nn.relu(hand.clearance - distance)
    gap = jax.ops.segment_min(jnp.where(hand.is_skin, distance, 1.0).T, hand.bone, num_segments=16).T
    bone, skin = weights
    firmness = jnp.where(hand.is_skin, skin / scales.depth**2, bone / scales.bone**2)
    total += jnp.sum(real * firmness * depth**2)
    total += skin * jnp.sum(real * target.near * _robust(jax.nn.relu(gap) ** 2 / scales.gap**2))
    return 0.5 * total


@functools.partial(jax.jit, static_argnames="parents")
def _descend(
    unknowns: Unknowns,
    hand: Surrogate,
    parents: tuple[int, ...],
    target: Target,
    prior: PosePrior,
    surface: Surface,
    weights: Float[Array | np.ndarray, "2"],
    rate: Scalar,
    scales: Scales,
    memory: optax.OptState,
) -> tuple[Unknowns, optax.OptState]:
    """`STEPS` steps of Adam."""

    def step(state: tuple[Unknowns, optax.OptState], _: None) -> tuple[tuple[Unknowns, optax.OptState], None]:
        here, memory = state
        slope = jax.grad(cost)(here, hand, parents, target, prior, surface, weights, scales)
        change, memory = ADAM.update(slope, memory)
        return (jax.tree.map(lambda x, d: x - rate * d, here, change), memory), None

    return jax.lax.scan(step, (unknowns, memory), None, length=STEPS)[0]


@functools.partial(jax.jit, static_argnames="parents")
def _points(hand: Surrogate, parents: tuple[int, ...], target: Target, unknowns: Unknowns) -> Float[Array, "T P 3"]:
    return pose_points(hand, parents, rotations(target, unknowns), 0.1 * unknowns.wrist)


def aim(hand: Surrogate, mesh: trimesh.Trimesh, motion: Motion) -> Target:
    """What the clip asks of the hand; raises InputError for a clip longer than the bucket."""
    frames = len(motion.joints)
    if frames > BUCKET:
        raise bad_input("clip", "frames", f"at most {BUCKET}", str(frames))
    joints = np.einsum("tba,tjb->tja", motion.rotation, motion.joints - motion.translation[:, None])
    rest = np.asarray(hand.rest_landmarks, np.float64)
    landmarks = bend_along(rest, joints)
    palm = [0, *DIGITS[:, 0]]
    rotation = np.stack([_kabsch(rest[palm], frame[palm]) for frame in landmarks])
    distance = bone_distances(mesh, joints, reach=2 * PALM_NEAR)
    near_m = np.where(np.arange(16) == 0, PALM_NEAR, DIGIT_NEAR)
    near = 1 / (1 + np.exp(np.clip((distance - near_m) / 0.001, -30, 30)))

    def pad(values: np.ndarray) -> Array:
        return jnp.asarray(np.concatenate([values, np.repeat(values[-1:], BUCKET - frames, axis=0)]), jnp.float32)

    return Target(pad(landmarks), pad(near), jnp.asarray(np.arange(BUCKET) < frames, jnp.float32), pad(rotation))


def _kabsch(source: Float[np.ndarray, "K 3"], target: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that best turns `source` onto `target`, both about their middles."""
    return Rotation.align_vectors(target - target.mean(axis=0), source - source.mean(axis=0))[0].as_matrix()


def retarget(
    model: HandModel,
    hand: Surrogate,
    prior: PosePrior,
    mesh: trimesh.Trimesh,
    motion: Motion,
    scales: Scales = Scales(),  # noqa: B008
) -> HandParams:
    """The open hand's motion in the room (T frames)."""
    target = aim(hand, mesh, motion)
    unknowns = Unknowns(
        turn=jnp.zeros((BUCKET, 3)),
        wrist=10 * target.landmarks[:, 0],
        pose=jnp.broadcast_to(prior.mean, (BUCKET, 45)),
    )
    fixed = (hand, model.parents, target, prior)
    alone = dataclasses.replace(scales, joint_acceleration=10 * scales.joint_acceleration, pose_acceleration=0.3)
    memory = ADAM.init(unknowns)
    free = _pad(outside(mesh, np.zeros((1, len(hand.bone), 3), np.float32)))
    for rate, soft in 6 * [(0.05, alone)] + 6 * [(0.01, scales)]:
        unknowns, memory = _descend(unknowns, *fixed, free, np.zeros(2, np.float32), rate, soft, memory)

    surface = None
    for part in range(ROUNDS):
        share = part / (ROUNDS - 1)
        points = np.asarray(_points(hand, model.parents, target, unknowns))[: len(motion.joints)]
        surface = surface_about(mesh, points, surface or outside(mesh, points), np.asarray(hand.clearance) + FELT)
        felt = turn_back(mesh, hand, points, surface) if share > SIDEWAYS else surface
        # Bones first: skin on both sides of a thin thing would hold it where it is.
        weights = np.clip([0.1 + 5 * share, 2.5 * share - 0.5], 0.0, 1.0).astype(np.float32)
        rate = 0.0005 + 0.0075 * 0.5 * (1 + math.cos(math.pi * share))
        unknowns, memory = _descend(unknowns, *fixed, _pad(felt), weights, rate, scales, memory)
    return to_room(model, hand, target, unknowns, motion)


def _pad(surface: Surface) -> Surface:
    """To the bucket's length, with frames in which nothing is felt."""

    def longer(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.zeros((BUCKET - len(values), *values.shape[1:]), values.dtype)])

    return jax.tree.map(longer, surface)


def to_room(model: HandModel, hand: Surrogate, target: Target, unknowns: Unknowns, motion: Motion) -> HandParams:
    """The hand that moves with the object."""
    frames = len(motion.joints)
    wrist_rotation = np.asarray(rotations(target, unknowns)[:frames, 0], np.float64)
    wrist = 0.1 * np.asarray(unknowns.wrist[:frames], np.float64)
    turned = Rotation.from_matrix(motion.rotation @ wrist_rotation)
    moved = np.einsum("tab,tb->ta", motion.rotation, wrist) + motion.translation
    return HandParams(
        global_orient=jnp.asarray(turned.as_rotvec(), jnp.float32),
        pose=unknowns.pose[:frames],
        betas=jnp.broadcast_to(hand.betas, (frames, len(hand.betas))),
        transl=jnp.asarray(moved, jnp.float32) - hand.rest[0],
    )
