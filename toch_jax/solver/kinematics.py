"""The unknowns of the fit (joint rotations, wrist position, shape), how a step changes them, and the positions of skin
points and joints with their derivatives with respect to each unknown, in closed form.

A small rotation w of joint k (vector in the reference frame) moves a skin point by w x lever_k, with lever_k = sum over
k and its descendants j of weight_j (x_j - position_k), where x_j is the point as bone j alone would move it. Pose
correctives are part of the positions but not of the derivatives: for models that have them steps are approximate, and
the solver takes a step only if the cost falls.
"""

import jax.numpy as jnp
import jaxlie
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.programs import program
from toch_jax.hand.model import HandModel, HandParams, forward_kinematics, rest_joints

WRIST_SCALE = 0.05
"""Metres per unit of the wrist's unknowns: about what a finger moves per radian, so that one damping suits all.
Chosen by hand."""
N_UNKNOWNS = 51
"""Unknowns of a frame: 16 rotations of 3, then the wrist position."""


class HandState(struct.PyTreeNode):
    """Trajectory of one hand. The wrist position replaces `transl`, so that changes of shape do not move the wrist."""

    rotations: Float[Array, "T 16 3 3"]
    """The wrist's rotation in the reference frame, then each joint's relative to its parent."""
    wrist: Float[Array, "T 3"]
    """Position in the reference frame, metres."""
    betas: Float[Array, "S"]
    """Shape coefficients, the same in all frames."""


@program()
def state_from_params(model: HandModel, params: HandParams) -> HandState:
    """State from parameters with (T, ...) axes and betas (S,)."""
    n_frames = params.pose.shape[0]
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(n_frames, 15, 3)], axis=1)
    wrist = params.transl + rest_joints(model, params.betas)[0]
    return HandState(jaxlie.SO3.exp(angles).as_matrix(), wrist, params.betas)


@program()
def params_from_state(model: HandModel, state: HandState) -> HandParams:
    """Parameters from a state: global_orient (T,3), pose (T,45), betas (S,), transl (T,3)."""
    angles = jaxlie.SO3.from_matrix(state.rotations).log()
    return HandParams(
        global_orient=angles[:, 0],
        pose=angles[:, 1:].reshape(-1, 45),
        betas=state.betas,
        transl=state.wrist - rest_joints(model, state.betas)[0],
    )


def step_state(state: HandState, frame_step: Float[Array, "T 51"], shape_step: Float[Array, "S"]) -> HandState:
    """The state after a step: each rotation R becomes R exp(d); the steps of wrist and shape are added.

    `frame_step` has 16 rotation vectors d (rad), each in the joint's own frame, then the wrist in WRIST_SCALE metres.
    """
    rotation_steps = jaxlie.SO3.exp(frame_step[:, :48].reshape(-1, 16, 3)).as_matrix()
    return HandState(
        rotations=state.rotations @ rotation_steps,
        wrist=state.wrist + WRIST_SCALE * frame_step[:, 48:],
        betas=state.betas + shape_step,
    )


class Bones(struct.PyTreeNode):
    """Posed skeleton, with all that positions and derivatives of points of the hand need. Metres, reference frame."""

    rotation: Float[Array, "T 16 3 3"]
    position: Float[Array, "T 16 3"]
    rest: Float[Array, "16 3"]
    shape_motion: Float[Array, "T 16 3 S"]
    """Derivative of each joint's position with respect to the shape coefficients, the wrist fixed."""
    shaped: Float[Array, "T V 3"]
    """Template with shape and pose correctives added, before skinning."""


class Points(struct.PyTreeNode):
    """M points of the hand in each frame: positions, levers to each joint (metres), shape derivatives."""

    position: Float[Array, "T M 3"]
    lever: Float[Array, "T M 16 3"]
    shape_motion: Float[Array, "T M 3 S"]


def joint_directions(model: HandModel) -> Float[Array, "16 3 S"]:
    """Derivatives of the rest joints with respect to the shape coefficients."""
    return jnp.einsum("jv,vcs->jcs", model.joint_regressor, model.shapedirs)


def below(parents: tuple[int, ...]) -> Float[np.ndarray, "16 16"]:
    """Matrix with 1 at [k, j] if joint j is k or a descendant of k, else 0."""
    matrix = np.eye(len(parents), dtype=np.float32)
    for joint in range(len(parents) - 1, 0, -1):
        matrix[parents[joint]] += matrix[joint]
    return matrix


def pose_bones(model: HandModel, state: HandState) -> Bones:
    """Pose the skeleton."""
    n_frames = state.wrist.shape[0]
    rest = rest_joints(model, state.betas)
    relative = jnp.broadcast_to(rest - rest[0], (n_frames, 16, 3))
    rotation, position = forward_kinematics(model.parents, state.rotations, relative)
    # Positions are linear in the rest joints: forward kinematics of the shape directions gives their derivatives.
    directions = joint_directions(model)
    directions = jnp.moveaxis(directions - directions[0], -1, 0)
    n_shape = directions.shape[0]
    _, motion = forward_kinematics(
        model.parents,
        jnp.broadcast_to(state.rotations[:, None], (n_frames, n_shape, 16, 3, 3)),
        jnp.broadcast_to(directions, (n_frames, n_shape, 16, 3)),
    )
    bend = (state.rotations[:, 1:] - jnp.eye(3)).reshape(-1, 135)
    shaped = model.v_template + model.shapedirs @ state.betas
    return Bones(
        rotation=rotation,
        position=position + state.wrist[:, None],
        rest=rest,
        shape_motion=jnp.moveaxis(motion, 1, -1),
        shaped=shaped + jnp.einsum("vcq,tq->tvc", model.posedirs, bend),
    )


def all_vertices(model: HandModel, bones: Bones) -> Float[Array, "T V 3"]:
    """Positions of every vertex, without derivatives."""
    offset = bones.position - jnp.einsum("tjab,jb->tja", bones.rotation, bones.rest)
    rotation = jnp.einsum("vj,tjab->tvab", model.weights, bones.rotation)
    return jnp.einsum("tvab,tvb->tva", rotation, bones.shaped) + jnp.einsum("vj,tja->tva", model.weights, offset)


def skin_points(model: HandModel, bones: Bones, vertices: Int[Array, "T M"]) -> Points:
    """Chosen vertices of each frame, with derivatives."""
    return _mixed_points(model, bones, vertices[..., None], jnp.ones((*vertices.shape, 1)))


def surface_points(
    model: HandModel, bones: Bones, face: Int[Array, "T M"], barycentric: Float[Array, "T M 3"]
) -> Points:
    """Points within chosen faces of each frame, with derivatives."""
    return _mixed_points(model, bones, model.faces[face], barycentric)


def _mixed_points(
    model: HandModel, bones: Bones, vertices: Int[Array, "T M C"], shares: Float[Array, "T M C"]
) -> Points:
    """Means of C vertices each, weighted by `shares`, with derivatives; averaged for each bone before posing."""
    by_corner = shares[..., None] * model.weights[vertices]
    n_frames = len(vertices)
    shaped = jnp.take_along_axis(bones.shaped, vertices.reshape(n_frames, -1, 1), axis=1).reshape(*vertices.shape, 3)
    weights = by_corner.sum(axis=2)
    resting = jnp.sum(by_corner[..., None] * shaped[..., None, :], axis=2) - weights[..., None] * bones.rest
    turn = bones.rotation[:, None]
    turned = [sum(turn[..., a, b] * resting[..., b] for b in range(3)) for a in range(3)]
    weighted = jnp.stack(turned, axis=-1) + weights[..., None] * bones.position[:, None]
    tree = jnp.asarray(below(model.parents))
    lever = jnp.einsum("kj,tmja->tmka", tree, weighted)
    lever = lever - jnp.einsum("kj,tmj->tmk", tree, weights)[..., None] * bones.position[:, None]
    bone_motion = bones.shape_motion - jnp.einsum("tjab,jbs->tjas", bones.rotation, joint_directions(model))
    rotation = jnp.einsum("tmcj,tjab->tmcab", by_corner, bones.rotation)
    directions = model.shapedirs[vertices]
    corner_motion = [
        rotation[:, :, corner, :, axis, None] * directions[:, :, corner, None, axis]
        for corner in range(vertices.shape[2])
        for axis in range(3)
    ]
    shape_motion = sum(corner_motion) + jnp.einsum("tmj,tjas->tmas", weights, bone_motion)
    return Points(weighted.sum(axis=2), lever, shape_motion)


def joint_points(model: HandModel, bones: Bones) -> Points:
    """The 21 joints (16 of the skeleton, then the tips), with derivatives."""
    n_frames = bones.position.shape[0]
    # A joint's own rotation does not move it: its lever to itself is zero.
    tree = jnp.asarray(below(model.parents)).T
    lever = tree[None, :, :, None] * (bones.position[:, :, None] - bones.position[:, None])
    skeleton = Points(bones.position, lever, bones.shape_motion)
    tips = skin_points(model, bones, jnp.broadcast_to(model.tips, (n_frames, 5)))
    return Points(
        jnp.concatenate([skeleton.position, tips.position], axis=1),
        jnp.concatenate([skeleton.lever, tips.lever], axis=1),
        jnp.concatenate([skeleton.shape_motion, tips.shape_motion], axis=1),
    )


def project(
    bones: Bones, points: Points, directions: Float[Array, "T M R 3"]
) -> tuple[Float[Array, "T MR 51"], Float[Array, "T MR S"]]:
    """Derivatives of each point's coordinates along R directions with respect to the frame's unknowns and the shape."""
    n_frames, n_points, n_rows, _ = directions.shape
    # coordinates as arrays of their own: four times as fast in XLA on a CPU as products of matrices with 3 rows
    x, y, z = (points.lever[:, :, None, :, axis] for axis in range(3))
    u, v, w = (directions[..., None, axis] for axis in range(3))
    moment = y * w - z * v, z * u - x * w, x * v - y * u
    columns = [bones.rotation[:, None, None, :, :, axis] for axis in range(3)]
    by_rotation = [sum(moment[axis] * column[..., axis] for axis in range(3)) for column in columns]
    by_angle = jnp.stack(by_rotation, axis=-1).reshape(n_frames, n_points, n_rows, 48)
    by_frame = jnp.concatenate([by_angle, WRIST_SCALE * directions], axis=-1)
    shape = [points.shape_motion[:, :, None, axis] for axis in range(3)]
    by_shape = u * shape[0] + v * shape[1] + w * shape[2]
    rows = n_points * n_rows
    return by_frame.reshape(n_frames, rows, 51), by_shape.reshape(n_frames, rows, -1)
