"""Hands that grasp, in the object's frame: in JAX, reduced to samples (skin, finger pads, soft-tissue balls), for the
search; in NumPy for clips."""

import itertools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import trimesh
from flax import struct
from jaxtyping import Array, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.hand.model import HandModel, forward_kinematics, rest_joints

N_DIGITS = 5
"""Thumb, index, middle, ring, pinky: the order of HandModel.tips."""
N_SKIN = 1100
"""Number of skin samples."""
N_HOLDING = 850
"""Number of skin samples on the surfaces that hold: thin objects pass between sparse points."""
OVERSAMPLING = 5
"""Random candidates for each skin sample."""
PAD_SIZE = 8
"""Points per pad."""
NORMAL_STEP = 0.01
"""Normals are computed from a second skinned point at this distance (m) above the first."""

# Which skin samples are on which surface: cosine between the skin's normal and the palmar direction.
HOLDS_ABOVE = -0.4
"""Holding surfaces: the palmar side and the sides of the digits, not the back of the hand."""
PALM_ABOVE = 0.6
"""Palm and inner side of the digits."""
PAD_ABOVE = 0.75
"""The flat middle of the pads."""
PAD_RANGE = (0.4, 0.95)
"""The pad's part of the last segment, as fractions of its length: without the joint's crease and the very tip."""

PALM_BALLS = (0.4, 0.6, 0.8)
"""Positions of the soft-tissue balls between wrist and knuckle, as fractions of the bone; the carpus has none."""
DIGIT_BALLS = (0.0, 0.25, 0.5, 0.75)
"""The same along the bones of the digits."""
BALL_VERTICES = 12
"""A ball's radius is the mean distance of this many nearest vertices."""
BALL_GAP = 0.92
"""Least distance between two balls as a fraction of the sum of their radii: soft tissue gives way."""


class HandSamples(struct.PyTreeNode):
    """A hand reduced to K points: N_SKIN skin samples, pads, points above the pads, and the tips.

    The points are skinned without pose correctives, so that a search takes little time. L balls along the bones
    approximate the soft tissue.
    """

    template: Float[Array, "K 3"]
    """Points of the mean hand at rest, metres."""
    shapedirs: Float[Array, "K 3 S"]
    """Change of the points with each shape coefficient, metres."""
    weights: Float[Array, "K 16"]
    """Skinning weights."""
    joints: Float[Array, "16 3"]
    """Joints of the mean hand at rest, metres."""
    joint_shapedirs: Float[Array, "16 3 S"]
    """Change of the joints with each shape coefficient, metres."""
    tips: Int[Array, "5"]
    """Indices of the points at the tips, thumb to pinky."""
    pads: Int[Array, "5 8"]
    """Indices of points on the palmar side of each digit's last segment."""
    above_pads: Int[Array, "5 8"]
    """Indices of the pads' points moved by NORMAL_STEP along the normal."""
    axes: Float[Array, "15 3 3"]
    """Flexion, spread and twist axis of each finger joint, in the template's frame."""
    palm_points: Int[Array, "M"]
    """Indices of skin samples with a palmar normal: palm and inner side of the digits."""
    ball_ends: Int[Array, "L 2"]
    """The two joints (of 16 and the tips) between which each ball lies."""
    ball_fraction: Float[Array, "L"]
    """Position of each ball as a fraction of the distance between its joints."""
    ball_gap: Float[Array, "L L"]
    """Least distance (m) allowed between the centres of two balls; 0 for balls of the same digit."""
    ball_radius: Float[Array, "L"]
    """Radius of each ball, metres."""
    parents: tuple[int, ...] = struct.field(pytree_node=False)
    """Parent of each joint; -1 for the wrist."""


def hand_samples(model: HandModel) -> HandSamples:
    """The samples of a right hand model; joint axes are those of its pose prior."""
    flexion = flexion_axes(model, np.asarray(model.prior.mean))
    template, faces = np.asarray(model.v_template, np.float64), np.asarray(model.faces)
    weights, tips = np.asarray(model.weights), np.asarray(model.tips)
    joints = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])))
    mesh = trimesh.Trimesh(template, faces, process=False)
    rng = np.random.default_rng(0)
    points, face = trimesh.sample.sample_surface(mesh, OVERSAMPLING * N_SKIN, seed=rng)
    bary = trimesh.triangles.points_to_barycentric(mesh.triangles[face], points)
    rows = np.zeros((len(points), len(template)))
    np.put_along_axis(rows, faces[face], bary, axis=1)
    normals = mesh.face_normals[face]

    # Palmar direction: that in which a joint's flexion moves the skin; for the wrist, that of the middle knuckle.
    owner = np.argmax(rows @ weights, axis=1)
    bones, palmar = _bones(model, joints), np.zeros((16, 3))
    palmar[1:] = np.cross(flexion, bones)
    palmar[0] = palmar[np.argmax(weights[tips[2]]) - 2]
    inner = np.einsum("nc,nc->n", normals, palmar[owner])

    holds = np.flatnonzero(inner > HOLDS_ABOVE)
    skin = np.concatenate([holds[_spread_out(points[holds], N_HOLDING)], _spread_out(points, N_SKIN - N_HOLDING)])
    balls = _soft_tissue_balls(model, joints)
    pads = []
    for tip in tips:
        last = np.argmax(weights[tip])
        length = (template[tip] - joints[last]) @ bones[last - 1]
        along = (points - joints[last]) @ bones[last - 1] / length
        on_pad = (inner > PAD_ABOVE) & (along > PAD_RANGE[0]) & (along < PAD_RANGE[1])
        candidates = np.flatnonzero((owner == last) & on_pad)
        pads.append(candidates[_spread_out(points[candidates], PAD_SIZE)])
    chosen = np.concatenate([skin, *pads])
    above = np.concatenate(pads)

    regressor = jnp.asarray(model.joint_regressor)
    every = np.concatenate([rows[chosen], rows[above], np.eye(len(template))[tips]])
    lifted = np.zeros((len(every), 3))
    lifted[len(chosen) : len(chosen) + len(above)] = NORMAL_STEP * normals[above]
    pad_index = np.arange(N_DIGITS * PAD_SIZE).reshape(N_DIGITS, PAD_SIZE)
    return HandSamples(
        template=jnp.asarray(every @ template + lifted, jnp.float32),
        shapedirs=jnp.einsum("kv,vcs->kcs", jnp.asarray(every, jnp.float32), model.shapedirs),
        weights=jnp.asarray(every @ weights, jnp.float32),
        joints=jnp.asarray(joints),
        joint_shapedirs=jnp.einsum("jv,vcs->jcs", regressor, model.shapedirs),
        tips=jnp.asarray(len(every) - N_DIGITS + np.arange(N_DIGITS)),
        pads=jnp.asarray(N_SKIN + pad_index),
        above_pads=jnp.asarray(N_SKIN + N_DIGITS * PAD_SIZE + pad_index),
        axes=jnp.asarray(np.stack([flexion, np.cross(bones, flexion), bones], axis=1), jnp.float32),
        palm_points=jnp.asarray(np.flatnonzero(inner[skin] > PALM_ABOVE)),
        ball_ends=jnp.asarray(balls[0]),
        ball_fraction=jnp.asarray(balls[1], jnp.float32),
        ball_gap=jnp.asarray(balls[2], jnp.float32),
        ball_radius=jnp.asarray(balls[3], jnp.float32),
        parents=model.parents,
    )


def flexion_axes(model: HandModel, prior_mean: Float[np.ndarray, "45"]) -> Float[np.ndarray, "15 3"]:
    """Unit flexion axes of the finger joints, perpendicular to their bones, from the prior's mean pose (axis-angle).

    The thumb's joints share the axis of its middle joint, as the mean of its root mixes flexion and opposition.
    """
    joints = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])))
    axes = np.asarray(prior_mean, np.float64).reshape(15, 3).copy()
    thumb = int(np.argmax(np.asarray(model.weights)[int(model.tips[0])]))
    axes[thumb - 3 : thumb] = axes[thumb - 2]
    bones = _bones(model, joints)
    axes -= bones * np.einsum("jc,jc->j", axes, bones)[:, None]
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def finger_rotations(axes: Float[Array, "15 3 3"], bend: Float[Array, "*batch 15 3"]) -> Float[Array, "*batch 15 3 3"]:
    """Joint rotations from flexion, spread and twist (rad); twist is applied first, then flexion, then spread."""
    flexion, spread, twist = (_rotation(axes[:, k], bend[..., k]) for k in range(3))
    return spread @ flexion @ twist


def bend_to_pose(
    axes: Float[Array, "15 3 3"], bend: Float[np.ndarray, "*batch 15 3"]
) -> Float[np.ndarray, "*batch 45"]:
    """Axis-angle pose (rad) of the joint rotations of `finger_rotations`, in NumPy."""
    flexion, spread, twist = (
        Rotation.from_rotvec((np.asarray(axes)[:, k] * bend[..., k, None]).reshape(-1, 3).astype(np.float64))
        for k in range(3)
    )
    return (spread * flexion * twist).as_rotvec().reshape(*bend.shape[:-2], 45)


def _rotation(axis: Float[Array, "15 3"], angle: Float[Array, "*batch 15"]) -> Float[Array, "*batch 15 3 3"]:
    """Rotation matrices from axes and angles (rad) by Rodrigues' formula."""
    x, y, z = axis[:, 0], axis[:, 1], axis[:, 2]
    zero = jnp.zeros_like(x)
    cross = jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    s, c = jnp.sin(angle)[..., None, None], jnp.cos(angle)[..., None, None]
    return jnp.eye(3) + s * cross + (1 - c) * cross @ cross


def _bones(model: HandModel, joints: Float[np.ndarray, "16 3"]) -> Float[np.ndarray, "15 3"]:
    """Unit vectors from each finger joint to the next, or to the tip."""
    ends = np.zeros((16, 3))
    ends[list(model.parents[1:])] = joints[1:]
    for tip in np.asarray(model.tips):
        ends[np.argmax(np.asarray(model.weights)[tip])] = np.asarray(model.v_template)[tip]
    bones = (ends - joints)[1:]
    return bones / np.linalg.norm(bones, axis=1, keepdims=True)


def digit_chains(model: HandModel) -> list[list[int]]:
    """Indices of each digit's joints from root to end, thumb to pinky."""
    chains = []
    for tip in np.asarray(model.tips):
        chain = [int(np.argmax(np.asarray(model.weights)[tip]))]
        while model.parents[chain[0]] > 0:
            chain.insert(0, model.parents[chain[0]])
        chains.append(chain)
    return chains


def _soft_tissue_balls(
    model: HandModel, joints: Float[np.ndarray, "16 3"]
) -> tuple[Int[np.ndarray, "L 2"], Float[np.ndarray, "L"], Float[np.ndarray, "L L"], Float[np.ndarray, "L"]]:
    """Balls along the bones, as wide as the skin around them: ball_ends, ball_fraction, ball_gap, ball_radius."""
    template = np.asarray(model.v_template, np.float64)
    every = np.concatenate([joints, template[np.asarray(model.tips)]])
    ends, fractions, centre, digit = [], [], [], []
    for number, chain in enumerate(digit_chains(model)):
        path = [0, *chain, 16 + number]
        for first, second in itertools.pairwise(path):
            for fraction in PALM_BALLS if first == 0 else DIGIT_BALLS:
                ends.append((first, second))
                fractions.append(fraction)
                centre.append(every[first] + fraction * (every[second] - every[first]))
                digit.append(number)
    centres, digits = np.array(centre), np.array(digit)
    radius = np.sort(np.linalg.norm(template - centres[:, None], axis=-1), axis=1)[:, :BALL_VERTICES].mean(axis=1)
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)
    gap = np.minimum(radius[:, None] + radius, apart) * BALL_GAP
    return np.array(ends), np.array(fractions), np.where(digits[:, None] == digits, 0.0, gap), radius


def _spread_out(points: Float[np.ndarray, "n 3"], count: int) -> Int[np.ndarray, "count"]:
    """Indices of `count` points by farthest-point sampling."""
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


class Grasp(struct.PyTreeNode):
    """A hand in the object's frame, with any leading axes."""

    rotation: Float[Array, "*batch 3 3"]
    """Rotation of the wrist, hand to object."""
    wrist: Float[Array, "*batch 3"]
    """Position of the wrist joint, metres."""
    bend: Float[Array, "*batch 15 3"]
    """Flexion, spread and twist of the finger joints, radians."""
    betas: Float[Array, "*batch S"]


@dataclass(frozen=True)
class Hand:
    """One hand over T frames (or n grasps) in the object's frame, as NumPy arrays; fields as in Grasp."""

    rotation: Float[np.ndarray, "T 3 3"]
    wrist: Float[np.ndarray, "T 3"]
    bend: Float[np.ndarray, "T 15 3"]

    def __getitem__(self, index: slice | np.ndarray) -> "Hand":
        return Hand(self.rotation[index], self.wrist[index], self.bend[index])


def to_grasp(hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Grasp:
    """The hand as a Grasp of JAX arrays. `betas`: one shape for all frames, or one per frame."""
    shapes = np.broadcast_to(betas, (len(hand.wrist), np.shape(betas)[-1]))
    arrays = (np.asarray(part, np.float32) for part in (hand.rotation, hand.wrist, hand.bend, shapes))
    return Grasp(*map(jnp.asarray, arrays))


def hand_of(grasps: Grasp, index: int) -> Hand:
    """The grasp number `index` as a Hand (T = 1)."""
    return Hand(*(np.asarray(part, np.float64)[index][None] for part in (grasps.rotation, grasps.wrist, grasps.bend)))


def join(hands: list[Hand]) -> Hand:
    """The hands concatenated in time."""
    return Hand(*(np.concatenate([getattr(hand, key) for hand in hands]) for key in ("rotation", "wrist", "bend")))


def rotated(hand: Hand, rotation: Float[np.ndarray, "a 3 3"]) -> Hand:
    """The hands in another frame with the same origin; `rotation` leads from the old frame to the new one."""
    return Hand(rotation @ hand.rotation, np.einsum("...ab,...b->...a", rotation, hand.wrist), hand.bend)


def repeated(hand: Hand, frames: int) -> Hand:
    """The hand (T = 1) repeated over `frames` frames."""
    return Hand(*(np.repeat(part, frames, axis=0) for part in (hand.rotation, hand.wrist, hand.bend)))


class ShapedHand(struct.PyTreeNode):
    """The samples of a hand with its shape, at rest, metres: what does not change while it moves."""

    points: Float[Array, "*batch K 3"]
    joints: Float[Array, "*batch 16 3"]


def shape_hand(samples: HandSamples, betas: Float[Array, "*batch S"]) -> ShapedHand:
    """The samples at rest of a hand with the shape coefficients `betas`."""
    return ShapedHand(
        points=samples.template + jnp.einsum("kcs,...s->...kc", samples.shapedirs, betas),
        joints=samples.joints + jnp.einsum("jcs,...s->...jc", samples.joint_shapedirs, betas),
    )


def pose_hand(
    samples: HandSamples, grasp: Grasp, shaped: ShapedHand | None = None
) -> tuple[Float[Array, "*batch K 3"], Float[Array, "*batch 21 3"]]:
    """Points and joints of the samples in the object's frame, metres. `shaped`: `shape_hand` of the grasp's betas."""
    rest = shape_hand(samples, grasp.betas) if shaped is None else shaped
    motion = _joint_motions(samples, grasp, rest)
    points = _skinned(samples.weights, motion, rest.points)
    return points, _joints(samples, motion, rest)


def pose_joints(samples: HandSamples, grasp: Grasp) -> Float[Array, "*batch 21 3"]:
    """The joints alone, as in `pose_hand`."""
    rest = shape_hand(samples, grasp.betas)
    return _joints(samples, _joint_motions(samples, grasp, rest), rest)


def _joint_motions(samples: HandSamples, grasp: Grasp, rest: ShapedHand) -> Float[Array, "*batch 16 3 4"]:
    """Rotation and translation (m) of each joint's bone from rest to the object's frame."""
    turns = jnp.concatenate([grasp.rotation[..., None, :, :], finger_rotations(samples.axes, grasp.bend)], axis=-3)
    rotation, position = forward_kinematics(samples.parents, turns, rest.joints)
    position = position + (grasp.wrist - rest.joints[..., 0, :])[..., None, :]
    offset = position - jnp.einsum("...jab,...jb->...ja", rotation, rest.joints)
    return jnp.concatenate([rotation, offset[..., None]], axis=-1)


def _skinned(
    weights: Float[Array, "k 16"], motion: Float[Array, "*batch 16 3 4"], points: Float[Array, "*batch k 3"]
) -> Float[Array, "*batch k 3"]:
    """Points moved with their bones, metres."""
    blended = jnp.einsum("kj,...jab->...kab", weights, motion)
    return jnp.einsum("...kab,...kb->...ka", blended[..., :3], points) + blended[..., 3]


def _joints(
    samples: HandSamples, motion: Float[Array, "*batch 16 3 4"], rest: ShapedHand
) -> Float[Array, "*batch 21 3"]:
    tips = _skinned(samples.weights[samples.tips], motion, rest.points[..., samples.tips, :])
    joints = jnp.einsum("...jab,...jb->...ja", motion[..., :3], rest.joints) + motion[..., 3]
    return jnp.concatenate([joints, tips], axis=-2)


def ball_centres(samples: HandSamples, joints: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch L 3"]:
    """Centres of the balls that approximate the hand's soft tissue, in the joints' frame."""
    ends = joints[..., samples.ball_ends, :]
    return ends[..., 0, :] + samples.ball_fraction[:, None] * (ends[..., 1, :] - ends[..., 0, :])
