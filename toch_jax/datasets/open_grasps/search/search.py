"""The search for grasps of one object: starts, descent, exact test; and variations of the grasps that passed.

The exact test measures distances of the full hand to the object's mesh, not to its distance grid.
"""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import igl
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.search.energy import GraspGoal, close_hands, self_overlap
from toch_jax.datasets.open_grasps.search.hands import (
    Grasp,
    Hand,
    HandSamples,
    digit_chains,
    finger_rotations,
    to_grasp,
)
from toch_jax.datasets.open_grasps.search.starts import CENTRE, KINDS, LIMITS, Kind, make_starts
from toch_jax.datasets.prepared import MAX_DEPTH_M, MIN_DIGITS, TOUCH_M
from toch_jax.hand.model import HandModel, rest_joints, skin_rotations
from toch_jax.object.distance import signed_distance
from toch_jax.object.model import DistanceGrid, ObjectModel

MIN_BONE_M = 0.003
"""Least distance of a bone: the depth of vertices alone misses a wall thinner than twice MAX_DEPTH_M in a finger."""
BONE_POINTS, TIP_SHARE = 10, 0.75
"""Points per bone, about 3 mm apart; fraction of the last segment that is bone, as its end is the fingertip's skin."""
FRAME_MULTIPLE = 80
"""Clips are padded to a multiple of this many frames, so that they share compiled code."""
N_OBJECT_SAMPLES, GRID_NODES = 1000, 56
"""Surface samples of each object (or part), from which starts are drawn; nodes along each side of its distance grid."""
N_STARTS = 40
"""Number of grasps that are searched at once."""
N_VARIED = 8
"""Number of grasps that are varied: more than the clips wanted, as some cannot be reached without collision."""
SEARCH_STEPS, VARY_STEPS = 100, 60
"""Steps of descent. Variations begin near a grasp."""
VARY_STIFFNESS = 6.0
"""Weight of a variation's own random posture (1 in the search), so that it does not fall back on the varied grasp."""
MAX_OVERLAP_M = 0.003
"""Largest overlap of the soft tissue of two digits in a grasp."""

# Random changes of a grasp that is varied: standard deviations, times a factor that is small for most.
VARY_SHIFT_M, VARY_ROTATION, VARY_BEND = 0.005, 0.06, 0.04
VARY_AXES = np.array([1.0, 0.5, 0.0])
"""Factors of flexion, spread and twist."""
VARY_FACTORS, VARY_SHARES = (0.3, 1.0, 2.0, 3.5), (0.2, 0.35, 0.3, 0.15)
"""The factors, and how often each is drawn: grips shift by some millimetres, now and then by a centimetre or two."""


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
        return self.holds(MIN_DIGITS)

    def holds(self, digits: int | Int[np.ndarray, "T"]) -> Bool[np.ndarray, "T"]:
        """Whether the hand is clear and at least so many digits touch."""
        return self.is_clear & (self.touching.sum(axis=1) >= digits)


@dataclass(frozen=True)
class SearchContext:
    """What is common to all grasps and clips of one object (or part) and hand model."""

    model: HandModel
    samples: HandSamples
    grid: DistanceGrid
    """Signed distances to the object."""
    surface: Trimesh
    fps: float
    kinds: Mapping[str, Kind] = dataclasses.field(default_factory=lambda: KINDS)
    """The kinds of grasp that are searched."""

    def least_digits(self, kind: str) -> int:
        """Digits that touch in a grasp of this kind: MIN_DIGITS, or as many as it has."""
        return min(MIN_DIGITS, sum(self.kinds[kind].digits))

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
        # exact for closed meshes, and ten times faster than the winding number
        sign = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
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


@dataclass(frozen=True)
class FoundGrasps:
    """Result of a grasp search: N_STARTS grasps."""

    grasps: Grasp
    goals: GraspGoal
    kinds: list[str]
    passed: Bool[np.ndarray, "N"]
    """Whether each grasp passes the exact test."""


def find_grasps(
    context: SearchContext, obj: ObjectModel, rng: np.random.Generator, near: Float[np.ndarray, "3"] = CENTRE
) -> FoundGrasps | None:
    """Grasps of the object (with its samples), preferably near the point `near`; None if it cannot be grasped."""
    starts = make_starts(context.samples, obj, N_STARTS, rng, near, context.kinds)
    if starts is None:
        return None
    start, goals, kinds = starts
    grasps = _closed(context, start, goals, SEARCH_STEPS)
    return FoundGrasps(grasps, goals, kinds, _passes(context, grasps, kinds))


def vary_grasps(
    context: SearchContext, found: FoundGrasps, picked: list[int], rng: np.random.Generator
) -> tuple[Grasp, Bool[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Variations of the picked grasps, whether each passes the exact test, and the index of the grasp it varies."""
    # the batch size does not depend on the number picked, so that nothing is recompiled
    each = np.resize(np.repeat(picked, N_STARTS // N_VARIED), N_STARTS)
    varied = _closed(context, *_changed(found.grasps, found.goals, each, rng), VARY_STEPS)
    return varied, _passes(context, varied, [found.kinds[i] for i in each]), each


def pick_grasps(found: FoundGrasps, rng: np.random.Generator) -> list[int]:
    """Up to N_VARIED of the grasps that passed, in an order that alternates between the kinds."""
    good = np.flatnonzero(found.passed)
    of_kind = {
        kind: [i for i in rng.permutation(good) if found.kinds[i] == kind]
        for kind in rng.permutation(sorted(set(found.kinds)))
    }
    rounds = max((len(indices) for indices in of_kind.values()), default=0)
    order = [int(indices[k]) for k in range(rounds) for indices in of_kind.values() if k < len(indices)]
    return order[:N_VARIED]


def _closed(context: SearchContext, start: Grasp, goals: GraspGoal, steps: int) -> Grasp:
    """The hands after the search."""
    return close_hands(context.samples, context.grid, start, goals, jnp.asarray(LIMITS, jnp.float32), steps)[0]


def _passes(context: SearchContext, grasps: Grasp, kinds: list[str]) -> Bool[np.ndarray, "N"]:
    """Whether each grasp passes the exact test, touches with the thumb and has no overlapping digits."""
    hands = Hand(*(np.asarray(part, np.float64) for part in (grasps.rotation, grasps.wrist, grasps.bend)))
    contact = context.contact(hands, np.asarray(grasps.betas))
    overlap = np.asarray(self_overlap(context.samples, grasps))
    least = np.array([context.least_digits(kind) for kind in kinds])
    return contact.holds(least) & contact.touching[:, 0] & (overlap < MAX_OVERLAP_M)


def _changed(
    grasps: Grasp, goals: GraspGoal, each: Int[np.ndarray, "N"], rng: np.random.Generator
) -> tuple[Grasp, GraspGoal]:
    """Starts and goals for variations of the grasps `each`: random changes of several sizes, near the new posture."""
    base, goal = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[each]), (grasps, goals))
    factor = rng.choice(VARY_FACTORS, size=(len(each), 1), p=VARY_SHARES)
    shift = rng.normal(scale=VARY_SHIFT_M, size=(len(each), 3)) * factor
    rotation = rng.normal(scale=VARY_ROTATION, size=(len(each), 3)) * factor
    bend = rng.normal(scale=VARY_BEND, size=(len(each), 15, 3)) * factor[..., None] * VARY_AXES
    start = base.replace(
        rotation=jnp.asarray(np.asarray(base.rotation) @ Rotation.from_rotvec(rotation).as_matrix(), jnp.float32),
        wrist=base.wrist + jnp.asarray(shift, jnp.float32),
        bend=jnp.clip(base.bend + jnp.asarray(bend, jnp.float32), *jnp.asarray(LIMITS, jnp.float32)),
    )
    return start, goal.replace(bend=start.bend, stiffness=jnp.full(len(each), VARY_STIFFNESS, jnp.float32))
