"""The open hand prepared for retargeting: its shape, and points on its skin and bones that are fast to pose.

With linear blend skinning a point is the sum over joints of (rotation @ carried + weight * position), so one matrix
product poses all points in all frames. Pose correctives are left out; the open hand has none.
"""

import igl
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.hand.model import HandModel, forward_kinematics, rest_joints
from toch_jax.object.build import sample_surface

DIGITS = np.array([(1, 2, 3, 17), (4, 5, 6, 18), (7, 8, 9, 20), (10, 11, 12, 19), (13, 14, 15, 16)])
"""Joints of each digit from root to tip, indices into the 21."""
PALM = np.array([(0, 1), (0, 4), (0, 7), (0, 10)])
BONES = np.concatenate([np.stack([DIGITS[:, :-1], DIGITS[:, 1:]], axis=-1).reshape(-1, 2), PALM])
"""Ends of all bones: the digits', then the palm's four."""
FLESH = 0.004
"""Length (m) by which soft tissue extends beyond the tip of a digit's last bone."""
CORE_SHARES = np.linspace(0.0, 0.8, 5)
"""Positions of a bone's core points as fractions of its length; they end before the skin of the tip."""
SHAPE_SIGMA_M = 0.008
"""Standard deviation (m) of the digits' lengths in `fit_shape`."""
SHAPE_STEPS = 10
"""Gauss-Newton steps of `fit_shape`: more than enough."""
N_SKIN = 800
"""Skin samples."""
SOFT_SHARE = 0.8
"""Soft tissue deforms: this part of its thickness keeps the bone clear and still lets the skin touch."""


class HandPoints(struct.PyTreeNode):
    """P points of a hand of one shape: skin samples, then the tips, then joints and bone cores. Metres."""

    betas: Float[Array, "S"]
    rest: Float[Array, "16 3"]
    """Joints of the unposed hand."""
    rest_landmarks: Float[Array, "21 3"]
    """Points of the unposed hand that correspond to the source skeleton's joints and tips."""
    carried: Float[Array, "P 16 3"]
    """Position of each point relative to each joint, times the skinning weight."""
    weights: Float[Array, "P 16"]
    """Skinning weights."""
    landmarks: Int[Array, "21"]
    """Indices of the landmarks among the P points."""
    bone: Int[Array, "P"]
    """Joint with the largest skinning weight."""
    clearance: Float[Array, "P"]
    """Least distance to the object: 0 on the skin, SOFT_SHARE of the depth below the skin for bones."""
    is_skin: Bool[Array, "P"]


def lengths(joints: Float[Array, "21 3"]) -> Float[Array, "10"]:
    """Length of each digit, then the distance from the wrist to each digit's root, metres."""
    bones = jnp.linalg.norm(joints[DIGITS[:, 1:]] - joints[DIGITS[:, :-1]], axis=-1).sum(axis=-1)
    return jnp.concatenate([bones, jnp.linalg.norm(joints[DIGITS[:, 0]] - joints[0], axis=-1)])


def rest_pose(model: HandModel, betas: Float[Array, "S"]) -> Float[Array, "21 3"]:
    """Joints and tips of the unposed hand, metres."""
    tips = model.v_template[model.tips] + model.shapedirs[model.tips] @ betas
    return jnp.concatenate([rest_joints(model, betas), tips])


def fit_shape(
    model: HandModel, joints: Float[np.ndarray, "21 3"], sigma: float = SHAPE_SIGMA_M
) -> Float[np.ndarray, "S"]:
    """Shape whose `lengths` fit those of `joints`: least squares, sigma of the lengths in metres, betas ~ N(0, 1).

    Only whole digits are compared, as the hand model's joints lie elsewhere along a digit than those of a skeleton.
    """
    wanted = lengths(jnp.asarray(joints, jnp.float32))
    betas = jnp.zeros(model.shapedirs.shape[2])

    def lengths_of(b: Float[Array, "S"]) -> Float[Array, "10"]:
        return lengths(rest_pose(model, b))

    for _ in range(SHAPE_STEPS):
        error, slope = lengths_of(betas) - wanted, jax.jacfwd(lengths_of)(betas)
        normal = slope.T @ slope / sigma**2 + jnp.eye(len(betas))
        betas = betas - jnp.linalg.solve(normal, slope.T @ error / sigma**2 + betas)
    return np.asarray(betas)


def bend_along(rest: Float[np.ndarray, "21 3"], bony: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """Joint targets for the hand with joints `rest`: points at the same fraction of each of the skeleton's digits.

    The skeleton's tips are those of the bones; each digit is extended by FLESH.
    """
    wanted = bony.copy()
    for digit in DIGITS:
        ours = np.linalg.norm(np.diff(rest[digit], axis=0), axis=1).cumsum()
        path = bony[:, digit].copy()
        last = path[:, -1] - path[:, -2]
        path[:, -1] += FLESH * last / np.linalg.norm(last, axis=1, keepdims=True)
        steps = np.linalg.norm(np.diff(path, axis=1), axis=2)
        # Bone lengths are constant: those of the first frame serve all frames.
        theirs = np.concatenate([[0.0], steps[0].cumsum()])
        for joint, share in zip(digit[1:], ours / ours[-1], strict=True):
            bone = min(np.searchsorted(theirs, share * theirs[-1], side="right") - 1, 2)
            part = (share * theirs[-1] - theirs[bone]) / (theirs[bone + 1] - theirs[bone])
            wanted[:, joint] = path[:, bone] * (1 - part) + path[:, bone + 1] * part
    return wanted


def hand_points(model: HandModel, betas: Float[np.ndarray, "S"], n_skin: int = N_SKIN) -> HandPoints:
    """The points of one shape: `n_skin` samples uniform in area, the tips, the joints and the bones' core points."""
    joints = np.asarray(rest_pose(model, jnp.asarray(betas)), np.float64)
    vertices = np.asarray(model.v_template + model.shapedirs @ betas, np.float64)
    weights = np.asarray(model.weights, np.float64)
    faces = np.asarray(model.faces, np.int64)

    samples, _ = sample_surface(vertices[faces], n_skin, seed=0)
    # Samples are interpolated from the vertices of their face with barycentric coordinates.
    _, face, foot = igl.point_mesh_squared_distance(np.ascontiguousarray(samples, np.float64), vertices, faces)
    corners = vertices[faces[face]]
    share = igl.barycentric_coordinates(foot, *(np.ascontiguousarray(corners[:, k]) for k in range(3)))
    spread = np.zeros((n_skin + 5, len(vertices)))
    np.add.at(spread, (np.arange(n_skin)[:, None], faces[face]), share)
    spread[n_skin + np.arange(5), np.asarray(model.tips)] = 1.0
    skin_weights = spread @ weights
    skin_carried = np.einsum("pv,vjc->pjc", spread, weights[:, :, None] * (vertices[:, None] - joints[:16]))
    skin_bone = skin_weights.argmax(axis=1)

    middle = joints + _to_middle(joints, samples, skin_bone[:n_skin])
    middle[16:] = joints[16:]
    along = CORE_SHARES[None, :, None]
    core = middle[BONES[:, 0], None] * (1 - along) + middle[BONES[:, 1], None] * along
    core = np.concatenate([middle[:16], core.reshape(-1, 3)])
    owner = np.concatenate([np.arange(16), np.repeat(BONES[:, 0], len(CORE_SHARES))])
    core_weights = np.eye(16)[owner]
    thickness = np.sqrt(igl.point_mesh_squared_distance(core, vertices, faces)[0])
    return HandPoints(
        betas=jnp.asarray(betas),
        rest_landmarks=jnp.asarray(middle, jnp.float32),
        rest=jnp.asarray(joints[:16], jnp.float32),
        carried=jnp.asarray(
            np.concatenate([skin_carried, core_weights[:, :, None] * (core[:, None] - joints[:16])]), jnp.float32
        ),
        weights=jnp.asarray(np.concatenate([skin_weights, core_weights]), jnp.float32),
        landmarks=jnp.asarray(np.concatenate([n_skin + 5 + np.arange(16), n_skin + np.arange(5)]), jnp.int32),
        bone=jnp.asarray(np.concatenate([skin_bone, owner]), jnp.int32),
        clearance=jnp.asarray(np.concatenate([np.zeros(n_skin + 5), SOFT_SHARE * thickness]), jnp.float32),
        is_skin=jnp.asarray(np.arange(n_skin + 5 + len(core)) < n_skin + 5),
    )


def _to_middle(
    joints: Float[np.ndarray, "21 3"], samples: Float[np.ndarray, "N 3"], bone: Int[np.ndarray, "N"]
) -> Float[np.ndarray, "21 3"]:
    """Displacement (m) of each finger joint to the centre line of the skin around its bone.

    The hand model's joints lie nearer to the back of the hand than bones do. The wrist and the thumb's metacarpal,
    whose soft tissue lies to one side of the bone, are not moved.
    """
    shift = np.zeros((21, 3))
    for start, end in BONES[: 3 * len(DIGITS)]:
        if start != DIGITS[-1, 0]:
            axis = (joints[end] - joints[start]) / np.linalg.norm(joints[end] - joints[start])
            away = samples[bone == start].mean(axis=0) - joints[start]
            shift[start] = away - axis * (away @ axis)
    return shift


def pose_points(
    hand: HandPoints, parents: tuple[int, ...], rotations: Float[Array, "T 16 3 3"], wrist: Float[Array, "T 3"]
) -> Float[Array, "T P 3"]:
    """Posed points. `rotations` are relative to the parent joints; `wrist` is the wrist joint's position (m)."""
    rest = jnp.broadcast_to(hand.rest - hand.rest[0], (*wrist.shape[:1], 16, 3))
    rotation, position = forward_kinematics(parents, rotations, rest)
    position = position + wrist[:, None]
    return jnp.einsum("tjab,pjb->tpa", rotation, hand.carried) + jnp.einsum("pj,tja->tpa", hand.weights, position)
