"""The exact test of a grasp: distances of the full hand to the object's mesh, not to its distance grid."""

import dataclasses
import itertools
from dataclasses import dataclass

import igl
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from trimesh import Trimesh

from toch_jax.datasets.examples import MAX_DEPTH_M, MIN_DIGITS, TOUCH_M
from toch_jax.datasets.open_grasps.search.hand_samples import HandSamples, digit_chains, finger_rotations
from toch_jax.datasets.open_grasps.search.hands import Grasp, Hand, to_grasp
from toch_jax.hand.model import HandModel, rest_joints, skin_rotations
from toch_jax.object.distance import signed_distance
from toch_jax.object.model import DistanceGrid

MIN_BONE_M = 0.003
"""Least distance of a bone: the depth of vertices alone misses a wall thinner than twice MAX_DEPTH_M in a finger."""
BONE_POINTS, TIP_SHARE = 10, 0.75
"""Points per bone, about 3 mm apart; fraction of the last segment that is bone, as its end is the fingertip's skin."""
FRAME_MULTIPLE = 80
"""Clips are padded to a multiple of this many frames, so that they share compiled code."""


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


@dataclass(frozen=True)
class SearchContext:
    """What is common to all grasps and clips of one object (or part) and hand model."""

    model: HandModel
    samples: HandSamples
    grid: DistanceGrid
    """Signed distances to the object."""
    surface: Trimesh
    fps: float

    def contact(self, hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Contact:
        """Exact contact in each frame. `betas`: one shape for all frames, or one per frame."""
        return self.contact_of_points(self.points(hand, betas))

    def points(self, hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Float[np.ndarray, "T K 3"]:
        """The full hand's vertices, then its `bone_points`, in the object's frame, metres."""
        frames = len(hand.wrist)
        padded = Hand(*map(_padded, dataclasses.astuple(hand)))
        shapes = _padded(np.broadcast_to(betas, (frames, np.shape(betas)[-1])))
        vertices, joints = _skin(self.model, self.samples, to_grasp(padded, shapes))
        return np.concatenate([vertices, bone_points(self.model, np.asarray(joints))], axis=1)[:frames]

    def contact_of_points(self, points: Float[np.ndarray, "T K 3"]) -> Contact:
        """Exact contact of the points returned by `points`."""
        # points that are too far to matter, by the grid, are not measured exactly
        far = 2 * MIN_BONE_M + float(np.linalg.norm(self.grid.spacing[0]))
        near = np.asarray(_grid_distance(self.grid, jnp.asarray(_padded(points), jnp.float32))) < far
        return measure_contact(self.model, points, near[: len(points)], self.surface)


def _padded(values: Float[np.ndarray, "T ..."]) -> Float[np.ndarray, "U ..."]:
    """The values padded to a multiple of FRAME_MULTIPLE frames by repeating the last one."""
    return np.concatenate([values, np.repeat(values[-1:], -len(values) % FRAME_MULTIPLE, axis=0)])


@jax.jit
def _skin(model: HandModel, samples: HandSamples, grasp: Grasp) -> tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]:
    """Vertices and joints of the full hand in the object's frame, metres."""
    rotations = jnp.concatenate([grasp.rotation[:, None], finger_rotations(samples.axes, grasp.bend)], axis=1)
    return skin_rotations(model, rotations, grasp.betas, grasp.wrist - rest_joints(model, grasp.betas)[:, 0])


@jax.jit
def _grid_distance(grid: DistanceGrid, points: Float[Array, "T K 3"]) -> Float[Array, "T K"]:
    return signed_distance(grid, 0, points)


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
    """Points along the bones of the digits."""
    points = []
    for number, chain in enumerate(digit_chains(model)):
        for first, second in itertools.pairwise([*chain, 16 + number]):
            fraction = np.linspace(0, TIP_SHARE if second >= 16 else 1, BONE_POINTS)[:, None]
            points.append(joints[:, None, first] * (1 - fraction) + joints[:, None, second] * fraction)
    return np.concatenate(points, axis=1)


def digit_of_vertex(model: HandModel) -> Int[np.ndarray, "V"]:
    """Digit (thumb 0 to pinky 4) of the joint with the vertex's largest skinning weight; -1 for the palm."""
    digit = np.full(16, -1)
    for number, chain in enumerate(digit_chains(model)):
        digit[chain] = number
    return digit[np.argmax(np.asarray(model.weights), axis=1)]
