"""Binding of a tracker's points and joints to the hand model that was fitted to them, so that they move with it.

A point is given by a position on the skin (face, barycentric) and an offset in the frame of the posed face, a joint by
an offset in the frame of its bone; all are constant in time. This removes the tracker's jitter and keeps the shape of
its hand, which differs from the model's by millimetres.
"""

from collections.abc import Sequence
from typing import Any

import igl
import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import put
from toch_jax.base.programs import program
from toch_jax.hand.model import LAST_JOINTS, HandModel, HandParams, forward_kinematics, rest_joints, skin, skin_frames

MOST_FRAMES = 32
"""Maximum number of frames over which `bind` takes the median of the nearest positions on the skin; chosen by hand,
for speed."""

AnyArray = np.ndarray | Array


class Binding(struct.PyTreeNode):
    """K points on or near the skin of the model."""

    face: Int[AnyArray, "K"]
    barycentric: Float[AnyArray, "K 3"]
    offset: Float[AnyArray, "K 3"]
    """Along the face's first edge, in the face across that edge, and along the normal; metres."""


class SkinPlace(struct.PyTreeNode):
    """The point of the posed skin nearest to each of K points, frame by frame. Metres."""

    face: Int[np.ndarray, "T K"]
    barycentric: Float[np.ndarray, "T K 3"]
    normal: Float[np.ndarray, "T K 3"]
    """Outward unit normal of the face."""
    point: Float[np.ndarray, "T K 3"]
    distance: Float[np.ndarray, "T K"]
    """Unsigned distance to the point."""


def posed_skin(model: HandModel, params: HandParams) -> Float[np.ndarray, "T V 3"]:
    """Vertices in each frame, metres; betas are (S,) or (T, S)."""
    betas = jnp.broadcast_to(params.betas, (len(params.pose), params.betas.shape[-1]))
    return np.asarray(skin_frames(model, params.replace(betas=betas))[0])


def nearest_on_skin(
    model: HandModel, skin: Float[np.ndarray, "T V 3"], points: Float[np.ndarray, "T K 3"]
) -> SkinPlace:
    """The position on the skin nearest to each point, frame by frame."""
    faces = np.asarray(model.faces, np.int64)
    found = [_nearest(faces, *frame) for frame in zip(skin, points, strict=True)]
    return SkinPlace(*(np.stack(each) for each in zip(*found, strict=True)))


def _nearest(
    faces: Int[np.ndarray, "F 3"], skin: Float[np.ndarray, "V 3"], points: Float[np.ndarray, "K 3"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    squared, face, nearest = igl.point_mesh_squared_distance(points.astype(np.float64), skin.astype(np.float64), faces)
    corners = np.moveaxis(skin[faces[face]], 1, 0).astype(np.float64)
    barycentric = igl.barycentric_coordinates(nearest, *(np.ascontiguousarray(corner) for corner in corners))
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    values = (barycentric, _unit(normal), nearest, np.sqrt(squared))
    return face.astype(np.int32), *(value.astype(np.float32) for value in values)


def settled_places(
    model: HandModel, skin: Float[np.ndarray, "T V 3"], points: Float[np.ndarray, "T K 3"]
) -> tuple[Int[np.ndarray, "K"], Float[np.ndarray, "K 3"]]:
    """One position on the skin (face, barycentric) for each point: the median over frames of the nearest ones.

    The median is taken on the template. It is robust to frames in which the skin of another finger is nearer.
    """
    place = nearest_on_skin(model, skin, points)
    rest = np.asarray(model.v_template)
    at_rest = np.einsum("tkc,tkca->tka", place.barycentric, rest[np.asarray(model.faces)[place.face]])
    settled = nearest_on_skin(model, rest[None], np.median(at_rest, axis=0)[None])
    return settled.face[0], settled.barycentric[0]


def bind(
    model: HandModel, params: HandParams, points: Float[Array, "T K 3"], observed: Bool[Array, "T"] | None = None
) -> Binding:
    """The binding of points, each the same point of a hand in all frames, to the hand that was fitted to them.

    `params` has the axes (T, ...), betas (S,) or (T, S). Frames that are not `observed` are ignored.
    """
    known = np.arange(len(points)) if observed is None else np.flatnonzero(np.asarray(observed))
    skin, targets = posed_skin(model, params)[known], np.asarray(points)[known]
    few = np.unique(np.linspace(0, len(known) - 1, MOST_FRAMES).astype(int))
    face, barycentric = settled_places(model, skin[few], targets[few])
    place, axes = posed_places(model, skin, face, barycentric)
    offset = np.einsum("tkac,tka->tkc", axes, targets - place).mean(axis=0)
    return Binding(put(face), put(barycentric), put(offset))


def carry(model: HandModel, params: HandParams, binding: Binding) -> Float[Array, "T K 3"]:
    """The bound points on a posed hand, metres; `params` has the axes of `bind`."""
    return put(bound_points(model, posed_skin(model, params), jax.tree.map(np.asarray, binding))[0])


def bound_points(model: HandModel, skin: AnyArray, binding: Binding) -> tuple[Any, Any]:
    """Bound points and outward unit normals, (T, K, 3) each, from posed vertices (T, V, 3). NumPy or JAX.

    As `posed_places`, but each coordinate is an array of its own: four times as fast in XLA on a CPU.
    """
    xp = skin.__array_namespace__()
    faces = xp.asarray(model.faces)[binding.face]
    corners = [[skin[..., axis][:, faces[:, corner]] for axis in range(3)] for corner in range(3)]
    to_second, to_third = ([c - first for c, first in zip(each, corners[0], strict=True)] for each in corners[1:])
    edge = _unit_columns(to_second)
    normal = _unit_columns(_cross_columns(edge, to_third))
    axes = edge, _cross_columns(normal, edge), normal
    points = [
        sum(binding.barycentric[:, k] * corners[k][axis] + binding.offset[:, k] * axes[k][axis] for k in range(3))
        for axis in range(3)
    ]
    return xp.stack(points, axis=-1), xp.stack(normal, axis=-1)


def _cross_columns(left: Sequence[AnyArray], right: Sequence[AnyArray]) -> list[AnyArray]:
    x, y, z = left
    u, v, w = right
    return [y * w - z * v, z * u - x * w, x * v - y * u]


def _unit_columns(vectors: Sequence[AnyArray]) -> list[AnyArray]:
    xp = vectors[0].__array_namespace__()
    length = xp.maximum(xp.sqrt(sum(each**2 for each in vectors)), 1e-12)
    return [each / length for each in vectors]


def own_skin(model: HandModel) -> Binding:
    """The binding of the model's own vertices, with zero offsets."""
    faces = np.asarray(model.faces)
    corner, first = np.unique(faces, return_index=True)
    assert len(corner) == len(model.v_template), "every vertex belongs to a face"
    barycentric = np.eye(3, dtype=np.float32)[first % 3]
    face = (first // 3).astype(np.int32)
    return Binding(put(face), put(barycentric), put(np.zeros((len(face), 3)), np.float32))


def posed_places(
    model: HandModel,
    skin: AnyArray,
    face: Int[AnyArray, "K"],
    barycentric: Float[AnyArray, "K 3"],
) -> tuple[AnyArray, AnyArray]:
    """Positions on the posed skin (T, K, 3), and axes of their faces (T, K, 3, 3; columns as in `Binding.offset`)."""
    xp = skin.__array_namespace__()
    corners = skin[:, xp.asarray(model.faces)[face]]
    edge = _unit(corners[:, :, 1] - corners[:, :, 0])
    normal = _unit(xp.linalg.cross(edge, corners[:, :, 2] - corners[:, :, 0]))
    axes = xp.stack([edge, xp.linalg.cross(normal, edge), normal], axis=-1)
    return xp.einsum("kc,tkca->tka", barycentric, corners), axes


def _unit(vectors: AnyArray) -> AnyArray:
    xp = vectors.__array_namespace__()
    return vectors / xp.maximum(xp.linalg.vector_norm(vectors, axis=-1, keepdims=True), 1e-12)


def bearers(parents: Sequence[int]) -> tuple[int, ...]:
    """The bone of each of the 21 joints (16, then tips), by the joint at its root: the parent; 0 for the wrist."""
    return (0, *parents[1:], *LAST_JOINTS)


def bind_joints(
    model: HandModel, params: HandParams, joints: Float[Array, "T 21 3"], observed: Bool[Array, "T"]
) -> Float[np.ndarray, "21 3"]:
    """Offset of each joint (16, then tips) from the model's, in the frame of its bone, metres: median over frames.

    `params` (axes (T, ...), betas (T, S)) is the hand that was fitted to `joints`. NaN and frames that are not
    observed are ignored; a joint without any value has the offset 0.
    """
    model_joints, bone_rotation = (np.asarray(each) for each in _posed_joints(model, params))
    off = np.einsum("tjab,tja->tjb", bone_rotation, np.asarray(joints) - model_joints)[np.asarray(observed)]
    known = np.isfinite(off).all(axis=2).any(axis=0)
    offset = np.zeros(off.shape[1:], np.float32)
    offset[known] = np.nanmedian(off[:, known], axis=0)
    return offset


def carry_joints(model: HandModel, params: HandParams, offset: Float[np.ndarray, "21 3"]) -> Float[Array, "T 21 3"]:
    """The model's joints plus `offset`, in the frame of `params`, which has the axes of `bind_joints`. Metres."""
    model_joints, bone_rotation = (np.asarray(each) for each in _posed_joints(model, params))
    return put(model_joints + np.einsum("tjab,jb->tja", bone_rotation, offset), np.float32)


@program()
def _posed_joints(model: HandModel, params: HandParams) -> tuple[Float[Array, "T 21 3"], Float[Array, "T 21 3 3"]]:
    """The model's joints, and the rotation of the bone of each."""
    n_frames = params.pose.shape[0]
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(n_frames, 15, 3)], axis=1)
    rest = jnp.broadcast_to(rest_joints(model, params.betas), (n_frames, 16, 3))
    rotation, _ = forward_kinematics(model.parents, jaxlie.SO3.exp(angles).as_matrix(), rest)
    return skin(model, params)[1], rotation[:, jnp.asarray(bearers(model.parents))]
