"""Penetration cost between the skin and the object.

    0.5 sum_t sum_m w_t s_tm max(-d(x_tm) - margin, 0)^2

over the deepest skin points x_tm of each frame. d is the signed distance to the object (metres, negative inside), s the
cosine between the skin normal and the direction into the object, at least 0.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.base.programs import program
from toch_jax.hand.binding import Binding, bound_points
from toch_jax.hand.model import HandModel
from toch_jax.object.distance import distance_to_object
from toch_jax.object.model import DistanceGrid, ObjectMotion
from toch_jax.solver.kinematics import Bones, HandState, all_vertices, pose_bones, project, surface_points
from toch_jax.solver.normal_equations import Rows

PUSH_BACK_STEP, PUSH_BACK_STEPS = 0.002, 6
"""Step (metres) and number of steps of the search for the surface in the push-back: less than a finger's thickness.
Chosen by hand."""


class PenetrationTerm(struct.PyTreeNode):
    """Penetration term of one hand and the object."""

    grid: DistanceGrid
    motion: ObjectMotion
    """Pose of each part in the reference frame."""
    skin: Binding
    """Skin points that the term acts on."""
    weight: Float[Array, "T"]
    """Weight (1/m2) of each point's depth inside the object."""
    margin: Float[Array, ""]
    """Depth without cost, metres: soft tissue yields."""
    push_back: Float[Array, "T"]
    """Weight, 0 to 1, of points that came through a thin part, where the SDF gradient would push them out at the far
    side: they are pushed back against the skin normal. At 0 they are ignored."""
    watched: int = struct.field(pytree_node=False, default=128)
    """Number of points in each frame that are pushed out: the deepest. A limit of compute time, chosen by hand."""


def penetration_rows(model: HandModel, bones: Bones, term: PenetrationTerm) -> Rows:
    """Whitened residuals of the penetration term, with derivatives."""
    every, every_normal = bound_points(model, all_vertices(model, bones), term.skin)
    depth = -distance_to_object(term.grid, term.motion, every)[0]
    chosen = jax.lax.top_k(depth, min(term.watched, depth.shape[1]))[1]
    deepest, normal = (jnp.take_along_axis(each, chosen[..., None], axis=1) for each in (every, every_normal))
    distance, direction = distance_to_object(term.grid, term.motion, deepest)
    # Skin that faces along the SDF gradient did not enter there: it is the back of a finger, or it came through a thin
    # part and must be pushed back, against the skin normal. The cosine is only a weight: it is not differentiated.
    facing = jax.lax.stop_gradient(jnp.sum(direction * normal, axis=-1))
    nowhere = jnp.zeros(facing.shape), jnp.zeros(facing.shape, bool)
    any_back = (term.push_back > 0).any()
    back, is_near = jax.lax.cond(any_back, partial(_push_back, term), lambda *_: nowhere, deepest, normal)
    through = (facing > 0) & is_near
    distance = jnp.where(through, -back, distance)
    direction = jnp.where(through[..., None], -normal, direction)
    share = jnp.where(through, term.push_back[:, None] * facing, jnp.clip(-facing, 0.0, 1.0))
    root = jnp.sqrt(term.weight[:, None] * share)
    inside = distance < -term.margin
    # A bound point moves like the skin beneath it: the rotation of its small offset is neglected.
    points = surface_points(model, bones, term.skin.face[chosen], term.skin.barycentric[chosen])
    direction = jnp.where(inside[..., None], root[..., None] * direction, 0.0)
    by_frame, by_shape = project(bones, points, direction[:, :, None])
    # No derivative with respect to the shape: a hand must not shrink to leave an object of the wrong scale.
    return Rows(jnp.where(inside, root * (distance + term.margin), 0.0), by_frame, jnp.zeros_like(by_shape))


def _push_back(
    term: PenetrationTerm, points: Float[Array, "T M 3"], normal: Float[Array, "T M 3"]
) -> tuple[Float[Array, "T M"], Bool[Array, "T M"]]:
    """Distance (metres) from each inside point to the object's surface, against the skin normal, and whether the search
    found the surface.

    Derivatives assume that the surface there is perpendicular to the normal: where it is oblique, steps of the solver
    are approximate, and damped.
    """
    n_frames, n_points = points.shape[:2]
    steps = jnp.arange(1 + PUSH_BACK_STEPS) * PUSH_BACK_STEP
    back_points = (points[:, :, None] - steps[:, None] * normal[:, :, None]).reshape(n_frames, -1, 3)
    distance = distance_to_object(term.grid, term.motion, back_points)[0].reshape(n_frames, n_points, -1)
    out = distance > 0
    first = jnp.maximum(jnp.argmax(out, axis=-1), 1)[..., None]
    after = jnp.take_along_axis(distance, first, axis=-1)[..., 0]
    before = jnp.take_along_axis(distance, first - 1, axis=-1)[..., 0]
    over = after / jnp.maximum(after - before, 1e-9)
    return jnp.clip(first[..., 0] - over, 0.0, PUSH_BACK_STEPS) * PUSH_BACK_STEP, out.any(axis=-1)


@program()
def penetration_depth(model: HandModel, term: PenetrationTerm, state: HandState) -> Float[Array, "T"]:
    """Depth of each frame's deepest skin point inside the object, metres; 0 if none is inside."""
    points = bound_points(model, all_vertices(model, pose_bones(model, state)), term.skin)[0]
    return jnp.maximum(-distance_to_object(term.grid, term.motion, points)[0].min(axis=1), 0.0)
