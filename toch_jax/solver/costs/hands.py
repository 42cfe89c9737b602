"""Hands stay out of each other: the depth of one hand's skin in another's moves both.

Skin is stiff against what is believed of a track. Solved in turns, each hand held while another moves, the first would
go nearly all of the way out and the other never come to its share. So a frame's block holds the unknowns of all hands
side by side, each in the frame of the part that it handles, and a step moves them together.
"""

import itertools

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.device import map_each
from toch_jax.hand.model import HandModel
from toch_jax.solver.kinematics import Bones, all_vertices, pose_bones, project, skin_points
from toch_jax.solver.linear import Linear, Rows, add_rows
from toch_jax.solver.state import N_UNKNOWNS, HandState

REACH = 0.03
"""Metres: nothing is deeper than this in a hand."""


SMOOTHING = 0.003
"""Metres: somewhat less than the coarse skin's vertices are apart on a finger."""


_FRAMES = 32
"""At once, on a device of many lanes."""


class HandsTerm(struct.PyTreeNode):
    """The skins of H hands stay out of each other."""

    skins: tuple[HandModel, ...]
    """Each hand, closed and coarse; its vertices are the points that are watched."""
    rotation: Float[Array, "H T 3 3"]
    """Each hand's own reference frame to one that they share."""
    translation: Float[Array, "H T 3"]
    weights: tuple[Float[Array, "T #V"], ...]
    """Of each point's depth inside another hand: of one hand's in another's, for all pairs as `permutations` orders."""
    margin: Float[Array, ""]
    """Depth that costs nothing, metres."""
    watched: int = struct.field(pytree_node=False, default=128)
    """How many points of a hand push out of another in each frame: the deepest."""


class Skin(struct.PyTreeNode):
    """A hand's closed skin in the frame that all hands share."""

    vertices: Float[Array, "T V 3"]
    normals: Float[Array, "T V 3"]
    """Outward, unit."""


def add_hands(linear: Linear, term: HandsTerm, states: tuple[HandState, ...]) -> Linear:
    """The hands' problem with the term between them among its terms."""
    bones, skins = _posed(term, states)
    for pair, weight in zip(_pairs(len(states)), term.weights, strict=True):
        linear = add_rows(linear, _depth_rows(term, weight, bones, skins, *pair))
    return linear


@jax.jit
def faced(term: HandsTerm, states: tuple[HandState, ...]) -> tuple[HandsTerm, Bool[Array, ""]]:
    """The term with each point's weight cut to how squarely its skin faces into the other hand; does any point cost?

    Skin that faces the way out did not sink in there: it is the back of a finger. That is told once, from where the
    hands are when they are brought together: about a finger's middle the way out turns with each step.
    """
    _, skins = _posed(term, states)
    weights, costs = [], []
    for (one, other), weight in zip(_pairs(len(states)), term.weights, strict=True):
        facing = jnp.sum(_ways(skins[one].vertices, skins[other]) * skins[one].normals, axis=-1)
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
    turned = jnp.einsum("tab,tvb->tva", term.rotation[hand], all_vertices(model, bones))
    vertices = turned + term.translation[hand, :, None]
    corners = vertices[:, model.faces]
    area = jnp.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    normals = jnp.zeros_like(vertices).at[:, model.faces].add(area[:, :, None])
    return Skin(vertices, normals / jnp.maximum(jnp.linalg.norm(normals, axis=-1, keepdims=True), 1e-12))


def _distances(one: Skin, other: Skin) -> tuple[Float[Array, "T V"], Int[Array, "T V"]]:
    """`_distance` of one hand's points to another, frame by frame."""
    return map_each(lambda arrays: _distance(*arrays), (one.vertices, other.vertices, other.normals), _FRAMES)


def _ways(points: Float[Array, "T M 3"], other: Skin) -> Float[Array, "T M 3"]:
    """The gradient of the distance to another hand."""

    def frame(arrays: tuple[Array, Array, Array]) -> Array:
        points, *skin = arrays
        return jax.grad(lambda points: _distance(points, *skin)[0].sum())(points)

    return map_each(frame, (points, other.vertices, other.normals), _FRAMES)


def _distance(
    points: Float[Array, "M 3"], skin: Float[Array, "V 3"], normals: Float[Array, "V 3"]
) -> tuple[Float[Array, "M"], Int[Array, "M"]]:
    """To a closed skin, negative inside, and the skin's vertex nearest to each point.

    A mean of the distances to the planes of the vertices about it (implicit moving least squares, Kolluri 2008), which
    has no steps from vertex to vertex that a step of the solver would stumble over.
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
    """One hand's points inside another: both move."""
    distance, nearest = _distances(skins[one], skins[other])
    chosen = jax.lax.top_k(jnp.where(weight > 0, -distance, -REACH), min(term.watched, distance.shape[1]))[1]
    weight, distance, nearest = (jnp.take_along_axis(each, chosen, axis=1) for each in (weight, distance, nearest))
    points = jnp.take_along_axis(skins[one].vertices, chosen[..., None], axis=1)
    root, inside = jnp.sqrt(weight), distance < -term.margin
    way = jnp.where(inside[..., None], root[..., None] * _ways(points, skins[other]), 0.0)

    n_hands, n_frames, n_rows = len(bones), *chosen.shape
    by_frame = jnp.zeros((n_frames, n_rows, n_hands, N_UNKNOWNS))
    by_shape = jnp.zeros((n_frames, n_rows, n_hands, bones[one].shape_motion.shape[-1]))
    for hand, vertices, sign in ((one, chosen, 1.0), (other, nearest, -1.0)):
        there = jnp.einsum("tba,tmb->tma", term.rotation[hand], sign * way)
        moved = project(bones[hand], skin_points(term.skins[hand], bones[hand], vertices), there[:, :, None])
        by_frame, by_shape = by_frame.at[:, :, hand].set(moved[0]), by_shape.at[:, :, hand].set(moved[1])
    return Rows(
        jnp.where(inside, root * (distance + term.margin), 0.0),
        by_frame.reshape(n_frames, n_rows, -1),
        by_shape.reshape(n_frames, n_rows, -1),
    )
