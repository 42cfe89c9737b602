"""The hand model: a skinned mesh with shape and pose, with the parameters of MANO (Romero et al. 2017)."""

from typing import Literal

import jax.numpy as jnp
import jaxlie
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import put, short_repr, take
from toch_jax.base.programs import program

Side = Literal["right", "left"]

# MANO's skeleton. In hand models the tips follow the 16 skeleton joints; see hand/conventions.py for OpenPose's order.
N_SKELETON_JOINTS = 16
PIECE = 512
"""Frames that are posed at once: their temporary arrays are several times as large as the vertices. Chosen by hand."""
LAST_JOINTS = (15, 3, 6, 12, 9)
"""Skeleton joints that bear the tips of thumb, index, middle, ring and pinky."""


class HandParams(struct.PyTreeNode):
    """The state of a hand; leading axes are free (frames, hands, batch).

    Rotations are axis-angle, radians, and absolute: no mean pose is added. The hand rotates about its wrist and is then
    translated by `transl` (metres), so the wrist is at joint 0 of the shaped template + transl.
    """

    global_orient: Float[Array, "*batch 3"]
    pose: Float[Array, "*batch 45"]
    betas: Float[Array, "*#batch S"]
    transl: Float[Array, "*batch 3"]

    def __repr__(self) -> str:
        return short_repr(self)


class PosePrior(struct.PyTreeNode):
    """Gaussian and limits of the axis-angle pose, radians, in MANO's joint order."""

    mean: Float[Array, "45"]
    covariance: Float[Array, "45 45"]
    lower: Float[Array, "45"]
    upper: Float[Array, "45"]


class HandModel(struct.PyTreeNode):
    """The constants of a hand model. Metres. The mesh may be open at the wrist; hand/mesh.py closes it."""

    v_template: Float[Array, "V 3"]
    shapedirs: Float[Array, "V 3 S"]
    posedirs: Float[Array, "V 3 135"]
    joint_regressor: Float[Array, "16 V"]
    weights: Float[Array, "V 16"]
    faces: Int[Array, "F 3"]
    tips: Int[Array, "5"]
    """Vertices at the tips of thumb, index, middle, ring, pinky."""
    wrist_ring: Int[Array, "R"]
    """Vertices of the boundary loop at the wrist, in order; empty if the mesh is closed."""
    pose_mean: Float[Array, "45"]
    pose_components: Float[Array, "45 45"]
    """Rows: orthonormal principal directions of the pose, in decreasing order."""
    prior: PosePrior
    """How people hold their hands (hand/prior.py)."""
    parents: tuple[int, ...] = struct.field(pytree_node=False)
    """Parent of each skeleton joint; -1 for the wrist."""
    side: Side = struct.field(pytree_node=False)
    name: str = struct.field(pytree_node=False)

    def __repr__(self) -> str:
        return short_repr(self, "name", "side", "v_template", "faces", "shapedirs")


def rest_joints(model: HandModel, betas: Float[Array, "*batch S"]) -> Float[Array, "*batch 16 3"]:
    """Skeleton joints of the shaped, unposed hand, metres."""
    template = jnp.einsum("jv,vc->jc", model.joint_regressor, model.v_template)
    directions = jnp.einsum("jv,vcs->jcs", model.joint_regressor, model.shapedirs)
    return template + jnp.einsum("jcs,...s->...jc", directions, betas)


def _depths(parents: tuple[int, ...]) -> list[int]:
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    return depths


def forward_kinematics(
    parents: tuple[int, ...], rotations: Float[Array, "*batch 16 3 3"], rest: Float[Array, "*batch 16 3"]
) -> tuple[Float[Array, "*batch 16 3 3"], Float[Array, "*batch 16 3"]]:
    """World rotation and position of each joint, by one product for each depth of the tree. Metres."""
    depths = jnp.asarray(_depths(parents))
    parent = jnp.asarray((0, *parents[1:]))
    rotation, position = rotations, rest
    for depth in range(1, max(_depths(parents)) + 1):
        of_parent, at_parent = rotation[..., parent, :, :], position[..., parent, :]
        at_depth = depths == depth
        chained = of_parent @ rotations
        moved = at_parent + jnp.einsum("...jab,...jb->...ja", of_parent, rest - rest[..., parent, :])
        rotation = jnp.where(at_depth[:, None, None], chained, rotation)
        position = jnp.where(at_depth[:, None], moved, position)
    return rotation, position


def skin(model: HandModel, params: HandParams) -> tuple[Float[Array, "*batch V 3"], Float[Array, "*batch 21 3"]]:
    """Vertices and joints (16 of the skeleton, then the tips thumb to pinky), metres.

    Linear blend skinning with shape and pose correctives, as in smplx's `lbs` (Loper et al. 2015, eq. 2-7).
    """
    return skin_rotations(model, _rotations(params), params.betas, params.transl)


def skin_rotations(
    model: HandModel,
    rotations: Float[Array, "*batch 16 3 3"],
    betas: Float[Array, "*#batch S"],
    transl: Float[Array, "*batch 3"],
) -> tuple[Float[Array, "*batch V 3"], Float[Array, "*batch 21 3"]]:
    """`skin` from rotation matrices instead of axis-angle: the wrist's first, each relative to its parent."""
    vertices, skeleton = _posed(model, slice(None), rotations, betas, transl)
    return vertices, jnp.concatenate([skeleton, vertices[..., model.tips, :]], axis=-2)


def posed_joints(model: HandModel, params: HandParams) -> Float[Array, "*batch 21 3"]:
    """The joints of `skin`; of the vertices only the tips are computed. Metres."""
    tips, skeleton = _posed(model, model.tips, _rotations(params), params.betas, params.transl)
    return jnp.concatenate([skeleton, tips], axis=-2)


def _rotations(params: HandParams) -> Float[Array, "*batch 16 3 3"]:
    batch = params.pose.shape[:-1]
    angles = jnp.concatenate([params.global_orient[..., None, :], params.pose.reshape(*batch, 15, 3)], axis=-2)
    return jaxlie.SO3.exp(angles).as_matrix()


def _posed(
    model: HandModel,
    chosen: slice | Int[Array, "K"],
    rotations: Float[Array, "*batch 16 3 3"],
    betas: Float[Array, "*#batch S"],
    transl: Float[Array, "*batch 3"],
) -> tuple[Float[Array, "*batch K 3"], Float[Array, "*batch 16 3"]]:
    """The chosen vertices, and the joints of the skeleton."""
    rest = jnp.broadcast_to(rest_joints(model, betas), (*rotations.shape[:-3], N_SKELETON_JOINTS, 3))
    shaped = model.v_template[chosen] + jnp.einsum("vcs,...s->...vc", model.shapedirs[chosen], betas)
    bend = (rotations[..., 1:, :, :] - jnp.eye(3)).reshape(*rotations.shape[:-3], 135)
    shaped = shaped + jnp.einsum("vcq,...q->...vc", model.posedirs[chosen], bend)
    rotation, position = forward_kinematics(model.parents, rotations, rest)
    offset = position - jnp.einsum("...jab,...jb->...ja", rotation, rest)
    blended_rotation = jnp.einsum("vj,...jab->...vab", model.weights[chosen], rotation)
    blended_offset = jnp.einsum("vj,...ja->...va", model.weights[chosen], offset)
    vertices = jnp.einsum("...vab,...vb->...va", blended_rotation, shaped) + blended_offset
    return vertices + transl[..., None, :], position + transl[..., None, :]


_skin = program()(skin)


def skin_frames(model: HandModel, params: HandParams) -> tuple[Float[Array, "*batch V 3"], Float[Array, "*batch 21 3"]]:
    """`skin` compiled, for callers outside a jitted function; more than PIECE frames are posed piece by piece."""
    n_frames = len(params.pose) if params.pose.ndim == 2 else 0
    if n_frames <= PIECE:
        return _skin(model, params)
    vertices, joints = (np.empty((n_frames, count, 3), np.float32) for count in (len(model.v_template), 21))
    for start in range(0, n_frames, PIECE):
        # the last piece goes back into the one before: all have the same length
        frames = slice(min(start, n_frames - PIECE), min(start + PIECE, n_frames))
        vertices[frames], joints[frames] = _skin(model, _cut(params, frames, n_frames))
    return put(vertices), put(joints)


def _cut(params: HandParams, frames: slice, n_frames: int) -> HandParams:
    """Some of `n_frames` frames; betas that are the same in all frames, (S,) or (1, S), stay."""
    timed = take(params.replace(betas=params.transl), frames)
    each = params.betas.ndim == 2 and len(params.betas) == n_frames
    return timed.replace(betas=take(params.betas, frames) if each else params.betas)
