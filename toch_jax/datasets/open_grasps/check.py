"""The exact test of a grasp: distances of the full hand to the object's mesh, not to its distance grid."""

import itertools
from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.probe import digit_chains
from toch_jax.hand.model import HandModel

TOUCH_M = 0.002
"""Largest signed distance of a digit's nearest vertex at which the digit counts as touching."""
MAX_DEPTH_M = 0.003
"""Largest penetration depth of a vertex."""
MIN_DIGITS = 3
"""Least number of touching digits of a grasp."""
MIN_BONE_M = 0.003
"""Least distance of a bone: the depth of vertices alone misses a wall thinner than twice MAX_DEPTH_M in a finger."""


@dataclass(frozen=True)
class Contact:
    """Contact of hands and an object, one entry for each hand or frame."""

    touching: Bool[np.ndarray, "T 5"]
    """Whether each digit touches, thumb to pinky."""
    depth: Float[np.ndarray, "T"]
    """Penetration depth of the deepest vertex, metres; 0 if no vertex is inside."""
    bone: Float[np.ndarray, "T"]
    """Signed distance of the nearest bone point to the object, metres; negative inside."""

    @property
    def is_clear(self) -> Bool[np.ndarray, "T"]:
        """Whether no vertex is deeper than MAX_DEPTH_M and no bone nearer than MIN_BONE_M."""
        return (self.depth <= MAX_DEPTH_M) & (self.bone >= MIN_BONE_M)

    @property
    def is_grasp(self) -> Bool[np.ndarray, "T"]:
        """Whether the hand is clear and at least MIN_DIGITS digits touch."""
        return self.is_clear & (self.touching.sum(axis=1) >= MIN_DIGITS)


def measure_contact(
    model: HandModel, points: Float[np.ndarray, "T K 3"], near: Bool[np.ndarray, "T K"], surface: Trimesh
) -> Contact:
    """Exact contact of hands with the mesh `surface`.

    `points` are the full hand's vertices, then its `bone_points`, in the object's frame (m). Only points marked in
    `near` are measured; the others count as far away.
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
    """Points along the bones of the digits, about 3 mm apart, without the last quarter, which is in the fingertip."""
    points = []
    for number, chain in enumerate(digit_chains(model)):
        for first, second in itertools.pairwise([*chain, 16 + number]):
            place = np.linspace(0, 0.75 if second >= 16 else 1, 10)[:, None]
            points.append(joints[:, None, first] * (1 - place) + joints[:, None, second] * place)
    return np.concatenate(points, axis=1)


def digit_of_vertex(model: HandModel) -> Int[np.ndarray, "V"]:
    """Digit (thumb 0 to pinky 4) of the joint with the vertex's largest skinning weight; -1 for the palm."""
    digit = np.full(16, -1)
    for number, chain in enumerate(digit_chains(model)):
        digit[chain] = number
    return digit[np.argmax(np.asarray(model.weights), axis=1)]
