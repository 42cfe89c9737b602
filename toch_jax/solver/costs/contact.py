"""No penetration: the skin stays out of the object.

    0.5 sum_t sum_m w_t s_tm max(-d(x_tm) - margin, 0)^2

over the deepest points of each frame; d is the signed distance to the object, s how squarely the skin faces into it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel
from toch_jax.hand.skin_binding import Binding, bound_points
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.sdf import distance_to_object
from toch_jax.solver.kinematics import Bones, all_vertices, pose_bones, project, surface_points
from toch_jax.solver.linear import Rows
from toch_jax.solver.state import HandState

WAY_BACK_STEP, WAY_BACK_STEPS = 0.002, 6
"""Metres, and how many: less than a finger is thick."""


class ContactTerm(struct.PyTreeNode):
    """The skin stays out of the object."""

    object: ObjectModel
    motion: ObjectMotion
    """Each part relative to the reference frame."""
    skin: Binding
    """The points that are watched."""
    weight: Float[Array, "T"]
    """Of each point's depth inside the object."""
    margin: Float[Array, ""]
    """Depth that costs nothing, metres: skin gives way."""
    push_back: Float[Array, "T"]
    """0 to 1: weight of vertices that came through the middle of a thin part, whose nearest way out leads on. They are
    pushed against the direction of the skin's normal instead. At 0 they are left alone."""
    watched: int = struct.field(pytree_node=False, default=128)
    """How many points of each frame push: the deepest."""


def no_contact(n_frames: int) -> ContactTerm:
    """A contact term that says nothing."""
    nothing = jnp.zeros((0, 3))
    faces = jnp.zeros((0, 3), jnp.int32)
    one = ObjectModel(
        vertices=nothing,
        faces=faces,
        vertex_part=jnp.zeros(0, jnp.int32),
        points=nothing,
        normals=nothing,
        point_part=jnp.zeros(0, jnp.int32),
        clearance_out=jnp.zeros(0),
        clearance_in=jnp.zeros(0),
        sdf=jnp.ones((1, 2, 2, 2)),
        sdf_origin=jnp.zeros((1, 3)),
        sdf_spacing=jnp.ones((1, 3)),
    )
    zero = jnp.zeros(n_frames)
    still = ObjectMotion(jnp.broadcast_to(jnp.eye(3), (1, n_frames, 3, 3)), jnp.zeros((1, n_frames, 3)))
    point = Binding(jnp.zeros(1, jnp.int32), jnp.ones((1, 3)) / 3, jnp.zeros((1, 3)))
    return ContactTerm(one, still, point, weight=zero, margin=jnp.zeros(()), push_back=zero, watched=1)


def contact_rows(model: HandModel, bones: Bones, term: ContactTerm) -> Rows:
    every, every_normal = bound_points(model, all_vertices(model, bones), term.skin)
    depth = -distance_to_object(term.object, term.motion, every)[0]
    chosen = jax.lax.top_k(depth, min(term.watched, depth.shape[1]))[1]
    place, normal = (jnp.take_along_axis(each, chosen[..., None], axis=1) for each in (every, every_normal))
    distance, direction = distance_to_object(term.object, term.motion, place)
    # skin that faces the way out is not what sank in: it is the back of a finger, or it has come through the middle of
    # something thin and goes back the way it came (a weight, held while a step is found)
    facing = jax.lax.stop_gradient(jnp.sum(direction * normal, axis=-1))
    nowhere = jnp.zeros(facing.shape), jnp.zeros(facing.shape, bool)
    any_back = (term.push_back > 0).any()
    back, is_near = jax.lax.cond(any_back, partial(_way_back, term), lambda *_: nowhere, place, normal)
    through = (facing > 0) & is_near
    distance = jnp.where(through, -back, distance)
    direction = jnp.where(through[..., None], -normal, direction)
    share = jnp.where(through, term.push_back[:, None] * facing, jnp.clip(-facing, 0.0, 1.0))
    root = jnp.sqrt(term.weight[:, None] * share)
    inside = distance < -term.margin
    # a bound point moves as the skin beneath it does, but for its small offset's turning
    points = surface_points(model, bones, term.skin.face[chosen], term.skin.barycentric[chosen])
    direction = jnp.where(inside[..., None], root[..., None] * direction, 0.0)
    by_frame, by_shape = project(bones, points, direction[:, :, None])
    # contact tells where a hand is, not how large: it must not shrink to leave an object of the wrong scale
    return Rows(jnp.where(inside, root * (distance + term.margin), 0.0), by_frame, jnp.zeros_like(by_shape))


def _way_back(
    term: ContactTerm, points: Float[Array, "T M 3"], normal: Float[Array, "T M 3"]
) -> tuple[Float[Array, "T M"], Bool[Array, "T M"]]:
    """How far a point that is inside must go back, against the skin's normal, to be out (metres); is it that near.

    Steps take the surface there to be square to the way: where it is oblique they are approximate, and damped.
    """
    n_frames, n_points = points.shape[:2]
    steps = jnp.arange(1 + WAY_BACK_STEPS) * WAY_BACK_STEP
    places = (points[:, :, None] - steps[:, None] * normal[:, :, None]).reshape(n_frames, -1, 3)
    distance = distance_to_object(term.object, term.motion, places)[0].reshape(n_frames, n_points, -1)
    out = distance > 0
    first = jnp.maximum(jnp.argmax(out, axis=-1), 1)[..., None]
    after = jnp.take_along_axis(distance, first, axis=-1)[..., 0]
    before = jnp.take_along_axis(distance, first - 1, axis=-1)[..., 0]
    over = after / jnp.maximum(after - before, 1e-9)
    return jnp.clip(first[..., 0] - over, 0.0, WAY_BACK_STEPS) * WAY_BACK_STEP, out.any(axis=-1)


@jax.jit
def penetration_depth(model: HandModel, term: ContactTerm, state: HandState) -> Float[Array, "T"]:
    """Depth of each frame's deepest point inside the object, metres; 0 where none is inside."""
    points = bound_points(model, all_vertices(model, pose_bones(model, state)), term.skin)[0]
    return jnp.maximum(-distance_to_object(term.object, term.motion, points)[0].min(axis=1), 0.0)
