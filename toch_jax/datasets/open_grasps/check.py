"""The exact test that a grasp must pass: distances of the hand's skin to the true mesh, not to a grid."""

import itertools
from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.probe import digit_chains
from toch_jax.hand.model import HandModel

TOUCH_M = 0.002
"""A digit touches when a vertex of it comes this near, or lies inside."""
MAX_DEPTH_M = 0.003
MIN_DIGITS = 3
MIN_BONE_M = 0.003
"""No bone comes nearer: a wall thinner than twice the depth would pass through a finger unseen."""


@dataclass(frozen=True)
class Contact:
    """How hands meet an object, one entry for each hand or frame."""

    touching: Bool[np.ndarray, "T 5"]
    """Which digits touch, thumb to pinky."""
    depth: Float[np.ndarray, "T"]
    """How deep the deepest hand vertex lies inside the object, metres; 0 where none does."""
    bone: Float[np.ndarray, "T"]
    """How near the nearest bone comes to the object, metres; negative inside."""

    @property
    def is_clear(self) -> Bool[np.ndarray, "T"]:
        """No vertex is deeper than MAX_DEPTH_M, and the object doesn't pass through a finger."""
        return (self.depth <= MAX_DEPTH_M) & (self.bone >= MIN_BONE_M)

    @property
    def is_grasp(self) -> Bool[np.ndarray, "T"]:
        """Enough digits touch, and the hand is clear."""
        return self.is_clear & (self.touching.sum(axis=1) >= MIN_DIGITS)


def measure_contact(
    model: HandModel, points: Float[np.ndarray, "T K 3"], near: Bool[np.ndarray, "T K"], surface: Trimesh
) -> Contact:
    """`points`: the full hand's vertices, then its `bone_points`, in the object's frame; `near`: which may matter.

    Points that are not near count as far away.
    """
    distance = np.full(points.shape[:-1], np.inf)
    if near.any():
        query, corners = np.asarray(points[near], np.float64), np.asarray(surface.vertices)
        sign = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
        distance[near] = igl.signed_distance(query, corners, np.asarray(surface.faces, np.int64), sign_type=sign)[0]
    n_vertices = model.v_template.shape[0]
    skin, bone = distance[:, :n_vertices], distance[:, n_vertices:]
    owner = digit_of_vertex(model)
    touching = np.stack([(skin[:, owner == digit] <= TOUCH_M).any(axis=1) for digit in range(5)], axis=1)
    return Contact(touching=touching, depth=np.maximum(-skin.min(axis=1), 0.0), bone=bone.min(axis=1))


def bone_points(model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T M 3"]:
    """Points along the bones of the digits, some 3 mm apart; not the last quarter, which is all fingertip."""
    points = []
    for number, chain in enumerate(digit_chains(model)):
        for first, second in itertools.pairwise([*chain, 16 + number]):
            place = np.linspace(0, 0.75 if second >= 16 else 1, 10)[:, None]
            points.append(joints[:, None, first] * (1 - place) + joints[:, None, second] * place)
    return np.concatenate(points, axis=1)


def digit_of_vertex(model: HandModel) -> Int[np.ndarray, "V"]:
    """The digit (thumb 0 to pinky 4) whose joints move a vertex most; -1 for the palm."""
    digit = np.full(16, -1)
    for number, chain in enumerate(digit_chains(model)):
        digit[chain] = number
    return digit[np.argmax(np.asarray(model.weights), axis=1)]
