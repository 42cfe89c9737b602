"""The hand's surface: closure at the wrist, mirror image, closest point, farthest-point samples."""

import dataclasses

import igl
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import put
from toch_jax.hand.model import HandModel
from toch_jax.hand.prior import MIRRORED, mirror_prior


def closed_faces(model: HandModel) -> Int[Array, "G 3"]:
    """Faces of the closed surface, wound outwards; vertex V is the centre of the wrist ring (see `close_surface`)."""
    ring = model.wrist_ring
    if not ring.size:
        return model.faces
    centre = jnp.full_like(ring, model.v_template.shape[0])
    fan = jnp.stack([jnp.roll(ring, -1), ring, centre], axis=-1)
    return jnp.concatenate([model.faces, fan])


def close_surface(model: HandModel, vertices: Float[Array, "*batch V C"]) -> Float[Array, "*batch U C"]:
    """The vertices of `closed_faces`: if the wrist is open, the mean over its ring is appended.

    The values of a vertex may be its position (C = 3) or any others.
    """
    if not model.wrist_ring.size:
        return vertices
    centre = vertices[..., model.wrist_ring, :].mean(axis=-2, keepdims=True)
    return jnp.concatenate([vertices, centre], axis=-2)


@jax.jit
def mirror(model: HandModel) -> HandModel:
    """The hand model of the other side: x is negated, so that rotation vectors become (x, -y, -z)."""
    flip = jnp.array([-1.0, 1.0, 1.0])
    matrix = jnp.tile(jnp.outer(flip, flip).ravel(), 15)
    return dataclasses.replace(
        model,
        v_template=model.v_template * flip,
        shapedirs=model.shapedirs * flip[:, None],
        posedirs=model.posedirs * flip[:, None] * matrix,
        faces=model.faces[:, ::-1],
        wrist_ring=model.wrist_ring[::-1],
        pose_mean=model.pose_mean * MIRRORED,
        pose_components=model.pose_components * MIRRORED,
        prior=mirror_prior(model.prior),
        side="left" if model.side == "right" else "right",
    )


def closest_on_canonical(
    model: HandModel, points: Float[Array, "*batch 3"]
) -> tuple[Int[Array, "*batch"], Float[Array, "*batch 3"], Bool[Array, "*batch"]]:
    """The point of the closed, unposed mean hand closest to each of `points` (metres); on the host, by libigl.

    Returns its face (of `model.faces`) and barycentric coordinates, which give the same point of the skin on any posed
    hand, and whether it is on the skin. On the cap that closes an open wrist it is not, and the face is 0.
    """
    vertices = np.asarray(close_surface(model, model.v_template), np.float64)
    faces = np.asarray(closed_faces(model), np.int64)
    query = np.asarray(points, np.float64).reshape(-1, 3)
    _, face, foot = igl.point_mesh_squared_distance(query, vertices, faces)
    corners = (np.ascontiguousarray(vertices[faces[face, k]]) for k in range(3))
    barycentric = igl.barycentric_coordinates(foot, *corners).clip(0, 1).reshape(points.shape)
    face = face.reshape(points.shape[:-1])
    # the cap's faces come after the model's own
    on_skin = face < len(model.faces)
    return put(np.where(on_skin, face, 0), np.int32), put(barycentric, np.float32), put(on_skin)


def farthest_points(points: Float[np.ndarray, "V 3"], count: int) -> Int[np.ndarray, "M"]:
    """Sorted indices of up to `count` of the points, by farthest-point sampling from point 0."""
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    for _ in range(min(count, len(points)) - 1):
        nearest = np.minimum(nearest, np.sum((points - points[chosen[-1]]) ** 2, axis=1))
        chosen.append(int(np.argmax(nearest)))
    return np.sort(np.asarray(chosen, np.int32))
