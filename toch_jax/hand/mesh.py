"""The hand's surface: closing it at the wrist, its mirror image, the closest point on it."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from toch_jax.hand.model import HandModel

_CHUNK = 128
"""Points that `closest_on_canonical` holds against all faces at once: some 30 MB for 3,000 faces."""


def closed_faces(model: HandModel) -> Int[Array, "G 3"]:
    """Faces of the closed surface, wound outwards; vertex V is the ring's centre, as `close_surface` adds it."""
    ring = model.wrist_ring
    if not ring.size:
        return model.faces
    centre = jnp.full_like(ring, model.v_template.shape[0])
    fan = jnp.stack([jnp.roll(ring, -1), ring, centre], axis=-1)
    return jnp.concatenate([model.faces, fan])


def close_surface(model: HandModel, vertices: Float[Array, "*batch V C"]) -> Float[Array, "*batch U C"]:
    """The vertices of `closed_faces`: where the wrist is open, the centre of its ring is added at the end.

    Serves positions (C = 3) and whatever else each vertex has.
    """
    if not model.wrist_ring.size:
        return vertices
    centre = vertices[..., model.wrist_ring, :].mean(axis=-2, keepdims=True)
    return jnp.concatenate([vertices, centre], axis=-2)


@jax.jit
def mirror(model: HandModel) -> HandModel:
    """The same hand on the other side: x is negated, so rotation vectors become (x, -y, -z)."""
    flip = jnp.array([-1.0, 1.0, 1.0])
    turn = jnp.tile(jnp.array([1.0, -1.0, -1.0]), 15)
    matrix = jnp.tile(jnp.outer(flip, flip).ravel(), 15)
    return dataclasses.replace(
        model,
        v_template=model.v_template * flip,
        shapedirs=model.shapedirs * flip[:, None],
        posedirs=model.posedirs * flip[:, None] * matrix,
        faces=model.faces[:, ::-1],
        wrist_ring=model.wrist_ring[::-1],
        pose_mean=model.pose_mean * turn,
        pose_components=model.pose_components * turn,
        side="left" if model.side == "right" else "right",
    )


def closest_on_canonical(
    model: HandModel, points: Float[Array, "*batch 3"]
) -> tuple[Int[Array, "*batch"], Float[Array, "*batch 3"]]:
    """The point of the closed, unposed mean hand closest to each of `points` (metres).

    Returns the face (of `closed_faces`) and barycentric coordinates in it, which place the same point of the skin on
    any posed hand. Memory is bounded: points are taken some at a time.
    """
    # faces last: the compiler works on many at once
    corners = jnp.moveaxis(close_surface(model, model.v_template)[closed_faces(model)], 0, -1)

    def closest(point: Float[Array, "3"]) -> tuple[Int[Array, ""], Float[Array, "3"]]:
        barycentric = closest_on_triangle(point, corners)
        at = jnp.sum(barycentric[:, None] * corners, axis=0)
        face = jnp.argmin(jnp.sum((at - point[:, None]) ** 2, axis=0))
        return face, barycentric[:, face]

    face, barycentric = jax.lax.map(closest, points.reshape(-1, 3), batch_size=_CHUNK)
    return face.reshape(points.shape[:-1]), barycentric.reshape(points.shape)


def closest_on_triangle(point: Float[Array, "3"], corners: Float[Array, "3 3 F"]) -> Float[Array, "3 F"]:
    """Barycentric coordinates of the point of each triangle (corners, coordinates, faces) closest to `point`.

    The foot of the perpendicular where it falls inside, else the nearest of the closest points on the three edges.
    """
    relative = corners - point[:, None]
    edge = jnp.roll(relative, -1, axis=0) - relative
    length = jnp.sum(edge**2, axis=1)
    along = jnp.clip(-jnp.sum(relative * edge, axis=1) / jnp.where(length > 0, length, 1), 0, 1)
    distance = jnp.sum((relative + along[:, None] * edge) ** 2, axis=1)
    chosen = jnp.arange(3)[:, None] == jnp.argmin(distance, axis=0)
    # an edge starts at its own corner and ends at the next
    on_edge = jnp.where(chosen, 1 - along, 0) + jnp.roll(jnp.where(chosen, along, 0), 1, axis=0)

    normal = jnp.cross(edge[0], edge[1], axis=0)
    area = jnp.sum(normal**2, axis=0)
    # a corner's share is the area over the opposite edge, which starts at the next corner
    share = jnp.roll(jnp.sum(jnp.cross(relative, edge, axis=1) * normal, axis=1), -1, axis=0)
    inside = jnp.all(share >= 0, axis=0) & (area > 0)
    return jnp.where(inside, share / jnp.where(area > 0, area, 1), on_edge)
