"""Penetration cost between hands: the depth of one hand's skin in another acts on both.

Depth has a large weight against the tracked hands. If each hand were solved with the others fixed, the first would move
nearly all of the distance, and the others hardly at all. So a frame's block holds the unknowns of all hands, each in
its own reference frame, and a step moves them together.
"""

import itertools

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.device import batched_map
from toch_jax.base.programs import program
from toch_jax.hand.model import HandModel
from toch_jax.solver.kinematics import N_UNKNOWNS, Bones, HandState, all_vertices, pose_bones, project, skin_points
from toch_jax.solver.normal_equations import Linear, Rows, add_rows

REACH = 0.03
"""Metres: points farther than this from all vertices count as outside; no point in a hand is deeper.
Chosen by hand."""


SMOOTHING = 0.003
"""Metres: width of the mean over vertices, somewhat less than the spacing of the coarse skin's vertices on a finger."""


_FRAMES = 32
"""Frames at once on a GPU or TPU (`batched_map`); chosen by hand, for memory."""


class HandsTerm(struct.PyTreeNode):
    """Penetration term between H hands."""

    skins: tuple[HandModel, ...]
    """Closed, coarse model of each hand; the term acts on its vertices."""
    rotation: Float[Array, "H T 3 3"]
    """From each hand's own reference frame to one that they share."""
    translation: Float[Array, "H T 3"]
    """From each hand's own reference frame to the shared one, metres."""
    weights: tuple[Float[Array, "T #V"], ...]
    """Weight (1/m2) of each point's depth in another hand, for all ordered pairs of hands (`permutations`)."""
    margin: Float[Array, ""]
    """Depth without cost, metres."""
    watched: int = struct.field(pytree_node=False, default=128)
    """Number of points of a hand that are pushed out of another in each frame: the deepest. Chosen by hand."""


class Skin(struct.PyTreeNode):
    """A hand's closed skin in the frame that all hands share, metres."""

    vertices: Float[Array, "T V 3"]
    normals: Float[Array, "T V 3"]
    """Outward unit normals."""


def add_hands(linear: Linear, term: HandsTerm, states: tuple[HandState, ...]) -> Linear:
    """Add the term between the hands to their linearised problem."""
    bones, skins = _posed(term, states)
    for pair, weight in zip(_pairs(len(states)), term.weights, strict=True):
        linear = add_rows(linear, _depth_rows(term, weight, bones, skins, *pair))
    return linear


@program()
def faced(term: HandsTerm, states: tuple[HandState, ...]) -> tuple[HandsTerm, Bool[Array, ""]]:
    """The term with each point's weight times a facing weight, and whether any point then has a cost.

    The facing weight is the cosine between the skin normal and the direction into the other hand, at least 0: skin that
    faces outwards is the back of a finger and did not enter there. It is computed from the states given and stays fixed
    during a solve: near the middle of a finger the direction outwards changes with each step.
    """
    _, skins = _posed(term, states)
    weights, costs = [], []
    for (one, other), weight in zip(_pairs(len(states)), term.weights, strict=True):
        facing = jnp.sum(_directions(skins[one].vertices, skins[other]) * skins[one].normals, axis=-1)
        weights.append(weight * jnp.clip(-facing, 0.0, 1.0))
        costs.append(jnp.any((_distances(skins[one], skins[other])[0] < -term.margin) & (weights[-1] > 0)))
    return term.replace(weights=tuple(weights)), jnp.any(jnp.stack(costs))


def _pairs(n_hands: int) -> list[tuple[int, int]]:
    return list(itertools.permutations(range(n_hands), 2))


def _posed(term: HandsTerm, states: tuple[HandState, ...]) -> tuple[list[Bones], list[Skin]]:
    bones = [pose_bones(*each) for each in zip(term.skins, states, strict=True)]
    return bones, [_skin(term, hand, each) for hand, each in enumerate(bones)]


def _skin(term: HandsTerm, hand: int, bones: Bones) -> Skin:
    model = term.skins[hand]
    rotated = jnp.einsum("tab,tvb->tva", term.rotation[hand], all_vertices(model, bones))
    vertices = rotated + term.translation[hand, :, None]
    corners = vertices[:, model.faces]
    area = jnp.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    normals = jnp.zeros_like(vertices).at[:, model.faces].add(area[:, :, None])
    return Skin(vertices, normals / jnp.maximum(jnp.linalg.norm(normals, axis=-1, keepdims=True), 1e-12))


def _distances(one: Skin, other: Skin) -> tuple[Float[Array, "T V"], Int[Array, "T V"]]:
    """`_distance` from one hand's vertices to another hand, for all frames."""
    return batched_map(lambda arrays: _distance(*arrays), (one.vertices, other.vertices, other.normals), _FRAMES)


def _directions(points: Float[Array, "T M 3"], other: Skin) -> Float[Array, "T M 3"]:
    """Gradient of the signed distance to another hand at the given points."""

    def frame(arrays: tuple[Array, Array, Array]) -> Array:
        points, *skin = arrays
        return jax.grad(lambda points: _distance(points, *skin)[0].sum())(points)

    return batched_map(frame, (points, other.vertices, other.normals), _FRAMES)


def _distance(
    points: Float[Array, "M 3"], skin: Float[Array, "V 3"], normals: Float[Array, "V 3"]
) -> tuple[Float[Array, "M"], Int[Array, "M"]]:
    """Signed distance to a closed skin, metres, negative inside, and the skin's vertex nearest to each point.

    A weighted mean of the distances to the tangent planes of nearby vertices (implicit moving least squares, Kolluri
    2008), which is smooth, as the solver needs.
    """
    middle = skin.mean(axis=0)  # float32 squares lose less near the origin
    points, skin = points - middle, skin - middle
    closeness = (2 * points @ skin.T - jnp.sum(skin**2, axis=-1)) / SMOOTHING**2
    share, nearest = jax.nn.softmax(closeness, axis=1), jnp.argmax(closeness, axis=1)
    distance = jnp.sum(points * (share @ normals), axis=-1) - share @ jnp.sum(skin * normals, axis=-1)
    near = jnp.sum((points - skin[nearest]) ** 2, axis=-1) < REACH**2
    return jnp.where(near, distance, REACH), nearest


def _depth_rows(
    term: HandsTerm, weight: Float[Array, "T V"], bones: list[Bones], skins: list[Skin], one: int, other: int
) -> Rows:
    """Whitened residuals of one hand's points inside another, with derivatives for both hands."""
    distance, nearest = _distances(skins[one], skins[other])
    chosen = jax.lax.top_k(jnp.where(weight > 0, -distance, -REACH), min(term.watched, distance.shape[1]))[1]
    weight, distance, nearest = (jnp.take_along_axis(each, chosen, axis=1) for each in (weight, distance, nearest))
    points = jnp.take_along_axis(skins[one].vertices, chosen[..., None], axis=1)
    root, inside = jnp.sqrt(weight), distance < -term.margin
    weighted_direction = jnp.where(inside[..., None], root[..., None] * _directions(points, skins[other]), 0.0)

    n_hands, n_frames, n_rows = len(bones), *chosen.shape
    by_frame = jnp.zeros((n_frames, n_rows, n_hands, N_UNKNOWNS))
    by_shape = jnp.zeros((n_frames, n_rows, n_hands, bones[one].shape_motion.shape[-1]))
    for hand, vertices, sign in ((one, chosen, 1.0), (other, nearest, -1.0)):
        local_direction = jnp.einsum("tba,tmb->tma", term.rotation[hand], sign * weighted_direction)
        moved = project(bones[hand], skin_points(term.skins[hand], bones[hand], vertices), local_direction[:, :, None])
        by_frame, by_shape = by_frame.at[:, :, hand].set(moved[0]), by_shape.at[:, :, hand].set(moved[1])
    return Rows(
        jnp.where(inside, root * (distance + term.margin), 0.0),
        by_frame.reshape(n_frames, n_rows, -1),
        by_shape.reshape(n_frames, n_rows, -1),
    )
