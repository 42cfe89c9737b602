"""Balls inside the hand that nothing may enter: what the skin does not notice.

A stem or a glass's wall within a finger has no vertex of the skin in it, or few and shallow ones. Each ball lies midway
between two vertices on opposite sides of the hand and is as large as fits, so it follows pose and shape as they do.
"""

import igl
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel
from toch_jax.host import put

STRAIGHT = 0.94
"""Cosine, to the inward normal, of the way to a vertex on the opposite side."""
FILLED = 0.75
"""Least radius of a ball, in halves of that way."""
LEAST_RADIUS = 0.003
"""Metres: smaller ones are at bumps and folds of the skin."""


class Flesh(struct.PyTreeNode):
    """B balls in the hand."""

    vertices: Int[Array, "B 2"]
    """A ball's centre is midway between these two of the skin's."""
    radius: Float[Array, "B"]
    """Metres, at rest."""


def flesh_of(model: HandModel, betas: Float[Array, "S"], count: int = 128) -> Flesh:
    """`count` balls spread over the hand of this shape, the thickest first.

    A vertex and the nearest one straight inward of it are on opposite sides; a ball midway between them that reaches
    both, or nearly, fills the hand there.
    """
    rest = np.asarray(model.v_template, np.float64) + np.asarray(model.shapedirs, np.float64) @ np.asarray(betas)
    closed = np.asarray(close_surface(model, put(rest, np.float32)), np.float64)
    faces = np.asarray(closed_faces(model), np.int64)
    inward = -igl.per_vertex_normals(closed, faces)[: len(rest)]
    along = inward @ rest.T - np.sum(inward * rest, axis=-1)[:, None]
    lengths = np.sum(rest**2, axis=-1)
    apart = np.sqrt(np.maximum(lengths[:, None] + lengths - 2 * rest @ rest.T, 1e-12))
    opposite = np.where(along > STRAIGHT * apart, apart, np.inf).argmin(axis=1)
    middle = (rest + rest[opposite]) / 2
    half = np.linalg.norm(rest - middle, axis=1)
    radius = np.sqrt(igl.point_mesh_squared_distance(middle, closed, faces)[0])
    radius *= (radius > FILLED * half) & (radius > LEAST_RADIUS)
    chosen = [int(radius.argmax())]
    away = np.full(len(rest), np.inf)
    while len(chosen) < count:
        away = np.minimum(away, np.linalg.norm(middle - middle[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(away * (radius > 0))))
    pairs = np.stack([chosen, opposite[chosen]], axis=1)
    return Flesh(put(pairs, np.int32), put(radius[chosen], np.float32))
