"""Retargeting of MyoDM's skeleton to the open hand model, with contact and without penetration.

One clip at a time is optimised with Adam, in the object's frame. Every few steps the exact distances of the hand's
points to the object are computed (libigl); in between they are linearised about those points.
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
from toch_jax.datasets.myodm.hand_points import DIGITS, HandPoints, bend_along, pose_points
from toch_jax.datasets.myodm.object_distance import Surface, bone_distances, box_surface, freed_surface, surface_about
from toch_jax.datasets.myodm.source import Motion
from toch_jax.hand.model import HandModel, HandParams, PosePrior

MAX_FRAMES = 64
"""Clips are padded to this many frames: the longest has 60 at 30 frames a second."""
ROUNDS, STEPS = 30, 25
"""Rounds with exact distances; steps of Adam in each."""
ADAM = optax.scale_by_adam(b2=0.98)
DECIMETRE = 0.1
"""Metres per unit of the wrist's position, so that one step size suits it and the angles."""
FOLLOW_STEP, SETTLE_STEP, FOLLOW_ROUNDS = 0.05, 0.01, 6
"""Step sizes before the object counts: coarse, then fine, in as many rounds each."""
FOLLOW_LOOSER, FOLLOW_POSE_ACCELERATION = 10, 0.3
"""In the coarse rounds, for large errors: factor of `joint_acceleration`, value of `pose_acceleration`."""
LAST_STEP, FIRST_STEP = 0.0005, 0.008
"""Step sizes in the rounds with the object; between, they fall as a cosine."""
FREED_FROM = 0.3
"""Fraction of the rounds at the beginning in which a pierced finger is left to the object's distances alone; after it
the distances of pierced points are replaced (`freed_surface`)."""
REACH_M = 0.006
"""The distance of a point farther from the object than its clearance plus this (m) is not computed."""
DIGIT_NEAR_M, PALM_NEAR_M, NEAR_WIDTH_M = 0.009, 0.013, 0.001
"""Distance (m) below which the skin around a bone must touch (soft tissue: 6-8 mm on a finger, about 12 on the palm);
width of the transition."""

# A number, or a traced scalar inside jit.
Scalar = float | Float[Array, ""]


class Scales(struct.PyTreeNode):
    """Standard deviation of each cost term: metres or radians; accelerations per frame squared."""

    joint: Scalar = 0.006
    """Landmark error relative to the mean error of the frame; the cost is linear beyond twice this."""
    position: Scalar = 0.012
    """Mean landmark error of a frame."""
    joint_acceleration: Scalar = 0.0007
    """Second difference of the landmark errors, so that the source's own accelerations are not penalised."""
    pose_acceleration: Scalar = 0.03
    """Second difference of the pose angles."""
    pose: Scalar = 10.0
    """Pose angle, as a multiple of the pose prior's own deviation: decides only what no other term does."""
    limit: Scalar = 0.05
    """Pose angle beyond its limit."""
    bone: Scalar = 0.0002
    """Violation of a bone's clearance; stiffer than skin, as bones decide on which side of thin objects a finger is."""
    depth: Scalar = 0.0003
    """Penetration of a skin point."""
    gap: Scalar = 0.0012
    """Gap between the object and the nearest skin point of a bone that must touch."""


class Target(struct.PyTreeNode):
    """Targets of one clip in the object's frame, padded to T frames."""

    landmarks: Float[Array, "T 21 3"]
    """Metres."""
    near: Float[Array, "T 16"]
    """Weight from 0 to 1 of skin contact for the bone that begins at each joint: 1 if the source's bone is near."""
    frame_mask: Float[Array, "T"]
    """1 in the clip's frames, 0 in the padding."""
    rotation: Float[Array, "T 3 3"]
    """Initial rotation of the wrist."""


class Unknowns(struct.PyTreeNode):
    """The hand's motion in the object's frame, in units that suit Adam's step size."""

    rotation: Float[Array, "T 3"]
    """Rotation vector of the wrist relative to `Target.rotation`, radians."""
    wrist: Float[Array, "T 3"]
    """Position of the wrist, decimetres."""
    pose: Float[Array, "T 45"]
    """Axis-angle, radians."""


def rotations(target: Target, unknowns: Unknowns) -> Float[Array, "T 16 3 3"]:
    """Rotations of the wrist (in the object's frame) and of the finger joints (relative to their parents)."""
    wrist = target.rotation @ jaxlie.SO3.exp(unknowns.rotation).as_matrix()
    fingers = jaxlie.SO3.exp(unknowns.pose.reshape(-1, 15, 3)).as_matrix()
    return jnp.concatenate([wrist[:, None], fingers], axis=1)


def _robust(squared: Array) -> Array:
    """Huber cost of a squared normalised residual: quadratic up to two standard deviations, then linear."""
    return jnp.where(squared <= 4.0, squared, 4.0 * jnp.sqrt(jnp.maximum(squared, 4.0)) - 4.0)


def _acceleration(values: Float[Array, "T *rest"], frame_mask: Float[Array, "T"]) -> Array:
    """Sum of squared second differences over the clip's frames."""
    second = values[2:] - 2 * values[1:-1] + values[:-2]
    return jnp.sum(frame_mask[2:, None] * second.reshape(len(second), -1) ** 2)


def cost(
    unknowns: Unknowns,
    hand: HandPoints,
    parents: tuple[int, ...],
    target: Target,
    prior: PosePrior,
    surface: Surface,
    weights: Float[Array | np.ndarray, "2"],
    scales: Scales,
) -> Float[Array, ""]:
    """Half the sum of squares of all terms. `weights` (0 to 1) scale the object terms of the bones and of the skin."""
    points = pose_points(hand, parents, rotations(target, unknowns), DECIMETRE * unknowns.wrist)
    off = points[:, hand.landmarks] - target.landmarks
    middle = off.mean(axis=1)
    relative = off - middle[:, None]
    mask = target.frame_mask[:, None]
    total = jnp.sum(mask * _robust(jnp.sum(relative**2, axis=-1) / scales.joint**2))
    total += 21 * jnp.sum(target.frame_mask * _robust(jnp.sum(middle**2, axis=-1) / scales.position**2))
    total += _acceleration(off, target.frame_mask) / scales.joint_acceleration**2
    total += _acceleration(unknowns.pose, target.frame_mask) / scales.pose_acceleration**2
    spread = jnp.diagonal(prior.covariance) + jnp.square(scales.limit)
    total += jnp.sum(mask * (unknowns.pose - prior.mean) ** 2 / spread) / scales.pose**2
    beyond = jax.nn.relu(unknowns.pose - prior.upper) + jax.nn.relu(prior.lower - unknowns.pose)
    total += jnp.sum(mask * beyond**2) / scales.limit**2

    distance = surface.value + jnp.sum(surface.slope * (points - surface.at), axis=-1)
    depth = jax.nn.relu(hand.clearance - distance)
    gap = jax.ops.segment_min(jnp.where(hand.is_skin, distance, 1.0).T, hand.bone, num_segments=16).T
    bone, skin = weights
    firmness = jnp.where(hand.is_skin, skin / scales.depth**2, bone / scales.bone**2)
    total += jnp.sum(mask * firmness * depth**2)
    total += skin * jnp.sum(mask * target.near * _robust(jax.nn.relu(gap) ** 2 / scales.gap**2))
    return 0.5 * total


@functools.partial(jax.jit, static_argnames="parents")
def _descend(
    unknowns: Unknowns,
    hand: HandPoints,
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
def _points(hand: HandPoints, parents: tuple[int, ...], target: Target, unknowns: Unknowns) -> Float[Array, "T P 3"]:
    return pose_points(hand, parents, rotations(target, unknowns), DECIMETRE * unknowns.wrist)


def make_target(hand: HandPoints, mesh: trimesh.Trimesh, motion: Motion) -> Target:
    """The clip's targets for the hand. Raises InputError for a clip of more than MAX_FRAMES frames."""
    frames = len(motion.joints)
    if frames > MAX_FRAMES:
        raise bad_input("clip", "frames", f"at most {MAX_FRAMES}", str(frames))
    joints = np.einsum("tba,tjb->tja", motion.rotation, motion.joints - motion.translation[:, None])
    rest = np.asarray(hand.rest_landmarks, np.float64)
    landmarks = bend_along(rest, joints)
    palm = [0, *DIGITS[:, 0]]
    rotation = np.stack([_kabsch(rest[palm], frame[palm]) for frame in landmarks])
    distance = bone_distances(mesh, joints, reach=2 * PALM_NEAR_M)
    near_m = np.where(np.arange(16) == 0, PALM_NEAR_M, DIGIT_NEAR_M)
    near = 1 / (1 + np.exp(np.clip((distance - near_m) / NEAR_WIDTH_M, -30, 30)))

    def pad(values: np.ndarray) -> Array:
        return jnp.asarray(np.concatenate([values, np.repeat(values[-1:], MAX_FRAMES - frames, axis=0)]), jnp.float32)

    return Target(pad(landmarks), pad(near), jnp.asarray(np.arange(MAX_FRAMES) < frames, jnp.float32), pad(rotation))


def _kabsch(source: Float[np.ndarray, "K 3"], target: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation that best aligns `source` with `target`, both centred (Kabsch)."""
    return Rotation.align_vectors(target - target.mean(axis=0), source - source.mean(axis=0))[0].as_matrix()


def retarget(model: HandModel, hand: HandPoints, mesh: trimesh.Trimesh, motion: Motion) -> HandParams:
    """Parameters of the open hand in the world frame, T frames. `mesh` is in the object's frame."""
    target, scales = make_target(hand, mesh, motion), Scales()
    unknowns = Unknowns(
        rotation=jnp.zeros((MAX_FRAMES, 3)),
        wrist=10 * target.landmarks[:, 0],
        pose=jnp.broadcast_to(model.prior.mean, (MAX_FRAMES, 45)),
    )
    fixed = (hand, model.parents, target, model.prior)
    loose = dataclasses.replace(
        scales,
        joint_acceleration=FOLLOW_LOOSER * scales.joint_acceleration,
        pose_acceleration=FOLLOW_POSE_ACCELERATION,
    )
    memory = ADAM.init(unknowns)
    far = _pad(box_surface(mesh, np.zeros((1, len(hand.bone), 3), np.float32)))
    for rate, some in FOLLOW_ROUNDS * [(FOLLOW_STEP, loose)] + FOLLOW_ROUNDS * [(SETTLE_STEP, scales)]:
        unknowns, memory = _descend(unknowns, *fixed, far, np.zeros(2, np.float32), rate, some, memory)

    surface = None
    for part in range(ROUNDS):
        share = part / (ROUNDS - 1)
        points = np.asarray(_points(hand, model.parents, target, unknowns))[: len(motion.joints)]
        surface = surface_about(
            mesh, points, surface or box_surface(mesh, points), np.asarray(hand.clearance) + REACH_M
        )
        freed = freed_surface(mesh, hand, points, surface) if share > FREED_FROM else surface
        # Bones first: skin points repelled from both sides of a thin object would keep the finger pierced.
        weights = np.clip([0.1 + 5 * share, 2.5 * share - 0.5], 0.0, 1.0).astype(np.float32)
        rate = LAST_STEP + (FIRST_STEP - LAST_STEP) * 0.5 * (1 + math.cos(math.pi * share))
        unknowns, memory = _descend(unknowns, *fixed, _pad(freed), weights, rate, scales, memory)
    return to_world(model, hand, target, unknowns, motion)


def _pad(surface: Surface) -> Surface:
    """The surface padded to MAX_FRAMES frames with zeros; padded frames have no weight in the cost."""

    def longer(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.zeros((MAX_FRAMES - len(values), *values.shape[1:]), values.dtype)])

    return jax.tree.map(longer, surface)


def to_world(model: HandModel, hand: HandPoints, target: Target, unknowns: Unknowns, motion: Motion) -> HandParams:
    """Hand parameters in the world frame from the unknowns in the object's frame."""
    frames = len(motion.joints)
    wrist_rotation = np.asarray(rotations(target, unknowns)[:frames, 0], np.float64)
    wrist = DECIMETRE * np.asarray(unknowns.wrist[:frames], np.float64)
    rotation = Rotation.from_matrix(motion.rotation @ wrist_rotation)
    moved = np.einsum("tab,tb->ta", motion.rotation, wrist) + motion.translation
    return HandParams(
        global_orient=jnp.asarray(rotation.as_rotvec(), jnp.float32),
        pose=unknowns.pose[:frames],
        betas=jnp.broadcast_to(hand.betas, (frames, len(hand.betas))),
        transl=jnp.asarray(moved, jnp.float32) - hand.rest[0],
    )
