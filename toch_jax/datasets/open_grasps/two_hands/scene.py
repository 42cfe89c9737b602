"""An object in one or two parts for two hands, and the tests of hands on it.

All hands are computed as right hands in the frame of the part they hold. For the left hand, the object is mirrored at
x = 0 and the resulting hand is mirrored back at the end.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial import cKDTree
from trimesh import Trimesh

from toch_jax.base.arrays import put
from toch_jax.datasets.hinged import HingedObject, hinge_rotation
from toch_jax.datasets.open_grasps.motion.paths import MAX_GRID_DEPTH, ObstacleDepth, grid_depth
from toch_jax.datasets.open_grasps.objects.hinged import part_meshes
from toch_jax.datasets.open_grasps.search.hands import (
    Grasp,
    Hand,
    HandSamples,
    ball_centres,
    pose_joints,
    repeated,
    rotated,
    to_grasp,
)
from toch_jax.datasets.open_grasps.search.search import GRID_NODES, N_OBJECT_SAMPLES, SearchContext
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, Side
from toch_jax.metrics.contact import Part, signed_distances
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.mirror import mirror_object

SIDES: tuple[Side, Side] = ("right", "left")
FLIP = np.array([-1.0, 1.0, 1.0])
MAX_HANDS_DEPTH_M = 0.001
"""Largest penetration of a hand's vertex into the other hand."""
HANDS_APART_M = 0.002
"""Least distance between the soft-tissue balls of two hands in the approximate test."""
NEAR_M = 0.01
"""Distance of two hands beyond which their penetration is not measured."""


@dataclass(frozen=True)
class Grip:
    """Grasp of one part by one hand."""

    side: Side
    part: int
    keys: list[Hand]
    """The grasp and its neighbours (T = 1 each) in the part's frame; mirrored for a left hand."""
    kind: str
    betas: Float[np.ndarray, "S"]

    @property
    def hand(self) -> Hand:
        return self.keys[0]


@dataclass(frozen=True)
class HandTrack:
    """One hand over a clip of T frames, in the frame of the part that it holds; mirrored for a left hand."""

    grip: Grip
    hand: Hand


@dataclass(frozen=True)
class TwoHandScene:
    """One object for two hands. The frame of a hinged object is that of its bottom."""

    obj: HingedObject
    contexts: dict[Side, list[SearchContext]]
    """One per part; a single one if the object is held as a whole."""
    parts: dict[Side, list[ObjectModel]]
    """The parts with their samples; mirrored for the left hand."""

    @property
    def is_hinged(self) -> bool:
        return bool(self.obj.vertex_part.any())

    @staticmethod
    def flip(side: Side) -> Float[np.ndarray, "3"]:
        """Factors of x, y, z from the (mirrored) coordinates of a hand of this side to true coordinates."""
        return np.ones(3) if side == "right" else FLIP

    @property
    def n_parts(self) -> int:
        return len(self.parts["right"])

    def part_rotation(self, side: Side, part: int, angle: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 3 3"]:
        """Rotation of the part in the object's frame at hinge angles in radians; mirrored for the left hand."""
        if part == 0:
            return np.tile(np.eye(3), (len(angle), 1, 1))
        return hinge_rotation(angle if side == "right" else -angle).as_matrix()

    def rotation_to(
        self, side: Side, part: int, other: int, angle: Float[np.ndarray, "T"]
    ) -> Float[np.ndarray, "T 3 3"]:
        """Rotation from the frame of `part` to that of `other`."""
        return np.einsum("tba,tbc->tac", self.part_rotation(side, other, angle), self.part_rotation(side, part, angle))

    def _context(self, grip: Grip) -> SearchContext:
        """The context of the part that the grip holds."""
        return self.contexts[grip.side][grip.part]

    def obstacle_depth(self, grip: Grip, angle: float, others: list[Grip]) -> ObstacleDepth:
        """Penetration of a hand into the other parts and into the hands `others` in their grasps, at one hinge angle.

        The gap to another hand is converted to a depth: a gap of HANDS_APART_M gives the limit MAX_GRID_DEPTH.
        """
        fixed = np.array([angle])
        theirs = np.concatenate([self._balls(other, other.hand, fixed)[0] for other in others] or [np.zeros((0, 3))])
        radius = np.asarray(self._context(grip).samples.ball_radius)

        def depth(hand: Hand) -> Float[np.ndarray, "n"]:
            deepest = self.depth_in_others(grip, hand, fixed)
            if others:
                gap = _gaps(self._balls(grip, hand, fixed), theirs, radius, np.tile(radius, len(others)))
                deepest = np.maximum(deepest, MAX_GRID_DEPTH + HANDS_APART_M - gap)
            return deepest

        return depth

    def depth_in_others(
        self, grip: Grip, hand: Hand, angle: Float[np.ndarray, "a"], betas: Float[np.ndarray, "*#n S"] | None = None
    ) -> Float[np.ndarray, "n"]:
        """Penetration (m, by the grid) of hands into the parts that the grip does not hold; -inf if there are none.

        `angle` is one for all hands or one per hand; `betas` replace the grip's.
        """
        deepest = np.full(len(hand.wrist), -np.inf)
        shape = grip.betas if betas is None else betas
        for other, context in enumerate(self.contexts[grip.side]):
            if other != grip.part:
                in_other = rotated(hand, self.rotation_to(grip.side, grip.part, other, angle))
                deepest = np.maximum(deepest, grid_depth(context.samples, context.grid, to_grasp(in_other, shape)))
        return deepest

    def _balls(self, grip: Grip, hand: Hand, angle: Float[np.ndarray, "a"]) -> Float[np.ndarray, "n L 3"]:
        """Centres of the hand's soft-tissue balls in the object's frame, not mirrored, metres."""
        in_object = rotated(hand, self.part_rotation(grip.side, grip.part, angle))
        balls = _posed_balls(self._context(grip).samples, to_grasp(in_object, grip.betas))
        return np.asarray(balls) * self.flip(grip.side)

    def hands_apart(
        self, first: list[Grip], second: list[Grip], angles: Float[np.ndarray, "A"]
    ) -> Bool[np.ndarray, "n m A"]:
        """Whether the soft-tissue balls of each pair of grips are HANDS_APART_M apart, at each hinge angle."""
        radius = np.asarray(self.contexts["right"][0].samples.ball_radius)
        balls = [[self._balls(g, repeated(g.hand, len(angles)), angles) for g in grips] for grips in (first, second)]
        gap = np.stack([[_gaps(mine, other, radius, radius) for other in balls[1]] for mine in balls[0]])
        return gap > HANDS_APART_M

    def test(self, tracks: list[HandTrack], angle: Float[np.ndarray, "T"]) -> Bool[np.ndarray, "H T"] | None:
        """Grasp frames of each hand by the exact test; None if a hand penetrates a part or the other hand."""
        grasps, in_object = [], []
        for track in tracks:
            grip = track.grip
            points = self._context(grip).points(track.hand, grip.betas)
            grasp = np.zeros(0, bool)
            for part in sorted(range(self.n_parts), key=lambda part: part != grip.part):
                rotation = self.rotation_to(grip.side, grip.part, part, angle)
                in_part = np.einsum("tab,tkb->tka", rotation, points)
                contact = self.contexts[grip.side][part].contact_of_points(in_part)
                if not contact.is_clear.all():
                    return None
                grasp = contact.is_grasp if part == grip.part else grasp
            grasps.append(grasp)
            moved = np.einsum("tab,tkb->tka", self.part_rotation(grip.side, grip.part, angle), points)
            in_object.append(moved * self.flip(grip.side))
        if len(tracks) == 2:
            model = self.contexts["right"][0].model
            if hands_depth(model, in_object, [track.grip.side for track in tracks]).max() > MAX_HANDS_DEPTH_M:
                return None
        return np.stack(grasps)

    def clearance(self, tracks: list[HandTrack], angle: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
        """Exact signed distance (m) of the nearest vertex of any hand to any part; negative inside."""
        nearest = np.full(len(angle), np.inf)
        for track in tracks:
            side, held = track.grip.side, track.grip.part
            points = self._context(track.grip).points(track.hand, track.grip.betas)
            for part, context in enumerate(self.contexts[side]):
                in_part = np.einsum("tab,tkb->tka", self.rotation_to(side, held, part, angle), points)
                mesh = Part(np.array(context.surface.vertices), np.array(context.surface.faces, np.int64), None, None)
                nearest = np.minimum(nearest, signed_distances(in_part, mesh, reach=np.inf).min(axis=1))
        return nearest


def make_scene(
    model: HandModel, samples: HandSamples, obj: HingedObject, in_parts: bool, fps: float, where: str
) -> TwoHandScene:
    """Build the scene: distance grids and samples of every part (or of the whole object), for both sides."""
    contexts: dict[Side, list[SearchContext]] = {"right": [], "left": []}
    parts: dict[Side, list[ObjectModel]] = {"right": [], "left": []}
    for surface in part_meshes(obj) if in_parts else [Trimesh(obj.vertices, obj.faces, process=False)]:
        part = build_object(
            surface.vertices, surface.faces, n_samples=N_OBJECT_SAMPLES, sdf_resolution=GRID_NODES, where=where
        )
        mirrored_mesh = Trimesh(surface.vertices * FLIP, surface.faces[:, ::-1], process=False)
        for side, of_side, mesh in zip(SIDES, (part, mirror_object(part)), (surface, mirrored_mesh), strict=True):
            contexts[side].append(SearchContext(model, samples, of_side.grid, mesh, fps))
            parts[side].append(of_side)
    return TwoHandScene(obj, contexts, parts)


def hands_depth(
    model: HandModel, points: list[Float[np.ndarray, "T K 3"]], sides: list[Side]
) -> Float[np.ndarray, "T"]:
    """Largest penetration depth (m) of a vertex of either hand into the other's closed mesh; 0 if they are apart."""
    count = model.v_template.shape[0]
    faces = np.asarray(closed_faces(model), np.int64)
    closed = [np.asarray(close_surface(model, put(skin[:, :count], np.float32)), np.float64) for skin in points]
    surfaces = [faces if side == "right" else faces[:, ::-1] for side in sides]
    deepest = np.zeros(len(points[0]))
    for frame in range(len(deepest)):
        one, two = closed[0][frame], closed[1][frame]
        if (one.min(axis=0) > two.max(axis=0) + NEAR_M).any() or (two.min(axis=0) > one.max(axis=0) + NEAR_M).any():
            continue
        if cKDTree(one).query(two, distance_upper_bound=NEAR_M)[0].min() > NEAR_M:
            continue
        for mine, theirs, its_faces in ((one, two, surfaces[1]), (two, one, surfaces[0])):
            in_box = ((mine > theirs.min(axis=0)) & (mine < theirs.max(axis=0))).all(axis=1)
            if in_box.any():
                distance = signed_distances(mine[in_box], Part(theirs, np.ascontiguousarray(its_faces), None, None))
                deepest[frame] = max(deepest[frame], -float(distance.min()))
    return deepest


def _gaps(
    one: Float[np.ndarray, "n L 3"],
    two: Float[np.ndarray, "*n M 3"],
    radius_one: Float[np.ndarray, "L"],
    radius_two: Float[np.ndarray, "M"],
) -> Float[np.ndarray, "n"]:
    """Least gap (m) between a ball of `one` and a ball of `two`, for each of n hands; negative if they overlap."""
    # by |a - b|^2 = |a|^2 + |b|^2 - 2 a b: an array of all differences takes ten times as long
    squared = np.sum(one**2, axis=-1)[..., :, None] + np.sum(two**2, axis=-1)[..., None, :]
    squared -= 2 * one @ np.swapaxes(two, -1, -2)
    gap = np.sqrt(np.maximum(squared, 0.0)) - radius_one[:, None] - radius_two
    return gap.min(axis=(-1, -2))


@jax.jit
def _posed_balls(samples: HandSamples, hands: Grasp) -> Float[Array, "n L 3"]:
    return ball_centres(samples, pose_joints(samples, hands))
