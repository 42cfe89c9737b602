"""Contact metrics of a hand's skin and an object, or another hand: depth, volume, contact. Metres in; units in names.

Distances and volumes take one part of the object in its own frame, and the hand in that frame (object/model.py).
"""

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import igl
import manifold3d
import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int

from toch_jax.field.contact_field import ContactField
from toch_jax.metrics.metric import ON_FRAMES, VOLUME_FRAMES, Metric
from toch_jax.sequence.derived import PosedHand

CONTACT_DISTANCE_M = 0.005
"""Largest distance (metres) of the hand from the object in a frame in contact (GraspTTA, Jiang et al. 2021)."""
CONTACT_SAMPLE_M = 0.002
"""Largest distance (metres) of the hand along the normal of an object sample in contact (TOCH's contact IoU)."""
INSIDE = 0.5
"""Winding number above which a point is inside (Barill et al. 2018)."""
GRID = 24
"""Cells along the longest side of the grid that bounds distances; affects the speed, not the results. By hand."""
VOXEL_PITCH_M = 0.002
"""Side (metres) of the voxels, which are solid as in CHOIR; a surface voxelisation (GraspTTA) misses the inside.
The side is chosen by hand."""
_NEAR = f"{CONTACT_DISTANCE_M * 1e3:g} mm"
_TOUCH = f"{CONTACT_SAMPLE_M * 1e3:g} mm"
_HELD = "mean over the frames in which the true hand is in contact"

METRICS: dict[str, Metric] = {}


@dataclass(frozen=True)
class Part:
    """One part of an object in its own frame (metres), with the structures for distance queries."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    nodes: Float[np.ndarray, "X Y Z 3"] | None
    """Coarse grid over all points that can be in contact, for `nearest`; None if the mesh is not watertight."""
    node_distance: Float[np.ndarray, "X Y Z"] | None
    """Signed distance of each node to the surface, metres; None where `nodes` is None."""

    @cached_property
    def tree(self) -> igl.AABB:
        """Bounding box tree of the faces, for unsigned distances."""
        tree = igl.AABB()
        tree.init(self.vertices, self.faces)
        return tree

    @cached_property
    def winding(self) -> igl.FastWindingNumberBVH:
        """Hierarchy for generalised winding numbers, which tell inside from outside."""
        hierarchy = igl.FastWindingNumberBVH()
        hierarchy.init(self.vertices, self.faces)
        return hierarchy


def object_parts(
    vertices: Float[np.ndarray, "Vo 3"], faces: Int[np.ndarray, "Fo 3"], vertex_part: Int[np.ndarray, "Vo"]
) -> list[Part]:
    """The object's parts; a face belongs to a part if all three of its corners do."""
    parts = []
    for part in range(int(vertex_part.max()) + 1):
        own = faces[(vertex_part[faces] == part).all(axis=-1)]
        kept, renumbered = np.unique(own, return_inverse=True)
        parts.append(object_part(vertices[kept], renumbered.reshape(-1, 3)))
    return parts


def object_part(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Part:
    """A part from its mesh, with the distance grid if the mesh is watertight."""
    part = Part(np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int64), None, None)
    # no Trimesh: it keeps its edges until garbage collection, 0.1 GB for a scan
    if not trimesh.graph.is_watertight(trimesh.geometry.faces_to_edges(faces))[0]:
        return part
    low, high = part.vertices.min(axis=0) - CONTACT_DISTANCE_M, part.vertices.max(axis=0) + CONTACT_DISTANCE_M
    spacing = (high - low).max() / GRID
    axes = [np.arange(a, b + spacing, spacing) for a, b in zip(low, high, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return replace(part, nodes=nodes, node_distance=signed_distances(nodes, part, reach=np.inf))


def signed_distances(
    points: Float[np.ndarray, "*batch 3"], part: Part, reach: float = CONTACT_DISTANCE_M
) -> Float[np.ndarray, "*batch"]:
    """Exact distance (metres) of each point to the part's surface, negative inside.

    inf farther than `reach` from the part's bounding box. The sign is from the generalised winding number, which
    tolerates small holes.
    """
    near = _near(points, part, reach)
    distance = np.full(points.shape[:-1], np.inf)
    if near.any():
        query = np.ascontiguousarray(points[near], np.float64)
        # not igl's own signed distance by winding number w, which scales the distance d: d (1 - 2w)
        unsigned = np.sqrt(part.tree.squared_distance(part.vertices, part.faces, query)[0])
        distance[near] = np.where(part.winding.winding_number(query) > INSIDE, -unsigned, unsigned)
    return distance


def nearest(points: Float[np.ndarray, "T K 3"], part: Part) -> Float[np.ndarray, "T"]:
    """The smallest of `signed_distances` in each frame, metres, without computing most of them.

    The signed distance to a closed surface is 1-Lipschitz, so that the value at the nearest grid node bounds it; only
    the few points that can be the smallest of their frame are evaluated.
    """
    candidates = _near(points, part, CONTACT_DISTANCE_M)
    if part.nodes is not None and part.node_distance is not None:
        low, spacing = part.nodes[0, 0, 0], part.nodes[1, 1, 1] - part.nodes[0, 0, 0]
        index = np.clip(np.round((points - low) / spacing).astype(int), 0, np.array(part.nodes.shape[:3]) - 1)
        at = tuple(np.moveaxis(index, -1, 0))
        slack = np.linalg.norm(points - part.nodes[at], axis=-1)
        lowest, highest = part.node_distance[at] - slack, part.node_distance[at] + slack
        candidates &= lowest <= np.minimum(highest.min(axis=-1, keepdims=True), CONTACT_DISTANCE_M)
    distance = np.full(points.shape[:-1], np.inf)
    distance[candidates] = signed_distances(points[candidates], part)
    return distance.min(axis=-1)


def _near(points: Float[np.ndarray, "*batch 3"], part: Part, reach: float) -> Bool[np.ndarray, "*batch"]:
    low, high = part.vertices.min(axis=0) - reach, part.vertices.max(axis=0) + reach
    return ((points >= low) & (points <= high)).all(axis=-1)


def penetration_depths_mm(nearest: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Penetration depth of each frame from its smallest signed distance (metres); 0 outside."""
    return np.maximum(-nearest, 0) * 1e3


METRICS["penetration_depth"] = Metric("mm", f"deepest hand vertex inside the object; {_HELD}, {ON_FRAMES}", True)


def _manifold(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> manifold3d.Manifold | None:
    """The mesh as a solid, or None if it is no closed manifold of positive volume."""
    solid = manifold3d.Manifold(manifold3d.Mesh64(vertices, np.ascontiguousarray(faces, np.uint64)))
    return solid if solid.status() == manifold3d.Error.NoError and solid.volume() > 0 else None


def intersection_volumes_cm3(
    hand_vertices: Float[np.ndarray, "T V 3"],
    hand_faces: Int[np.ndarray, "F 3"],
    part: Part,
) -> tuple[Float[np.ndarray, "T"], bool]:
    """Volume shared by the solid hand and the solid part in each frame.

    Exact (mesh boolean) where both are closed manifolds; else the volume of the hand's solid voxels inside the part,
    whose memory depends on the size of the hand only. The second value is true if all volumes are exact. The hand's
    mesh should be closed; where it intersects itself the boolean counts the overlap twice (a fist: 1 %).
    """
    # the part's solid is not cached: 0.2 GB for a scan
    volumes, exact, solid = np.zeros(len(hand_vertices)), True, _manifold(part.vertices, part.faces)
    faces = np.ascontiguousarray(hand_faces, np.int64)
    for frame, vertices in enumerate(hand_vertices.astype(np.float64)):
        hand = _manifold(vertices, faces) if solid is not None else None
        if solid is not None and hand is not None:
            volumes[frame] = (hand ^ solid).volume() * 1e6
            continue
        voxels = solid_voxels(vertices, faces, part.vertices.min(axis=0), part.vertices.max(axis=0))
        if len(voxels):
            inside = part.winding.winding_number(voxels) > INSIDE
            volumes[frame] = inside.sum() * VOXEL_PITCH_M**3 * 1e6
        exact = False
    return volumes, exact


METRICS["intersection_volume"] = Metric(
    "cm3",
    f"volume shared by the solid hand, closed at the wrist, and the solid object: mesh boolean, or where one of "
    f"them is no manifold solid voxels of {VOXEL_PITCH_M * 1e3:g} mm; {_HELD}, on at most {VOLUME_FRAMES}",
    True,
)
METRICS["volume_exact"] = Metric("%", "intersection volumes that came from mesh booleans")


def solid_voxels(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "M 3"]:
    """Centres of the cells of a cubic grid (side VOXEL_PITCH_M) that lie inside the mesh and between `low` and `high`.

    The grid's planes lie at multiples of the side, independent of the mesh.
    """
    start = np.floor(np.maximum(low, vertices.min(axis=0)) / VOXEL_PITCH_M)
    stop = np.ceil(np.minimum(high, vertices.max(axis=0)) / VOXEL_PITCH_M)
    axes = [(np.arange(first, last) + 0.5) * VOXEL_PITCH_M for first, last in zip(start, stop, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return cells[igl.fast_winding_number(vertices, faces, cells) > INSIDE] if len(cells) else cells


def hands_depth_mm(hands: list[PosedHand]) -> Float[np.ndarray, "T"]:
    """Penetration depth of the deepest point of a hand inside another hand in each frame; 0 where they are apart.

    nan where fewer than two hands are observed, or no hand has a closed mesh to be inside of.
    """
    deepest = np.full(len(hands[0].observed), np.nan)
    for hand, other in itertools.permutations(hands, 2):
        if other.faces is None:
            continue
        for frame in np.flatnonzero(hand.observed & other.observed):
            skin = Part(other.points[frame].astype(np.float64), other.faces.astype(np.int64), None, None)
            depth = -1e3 * signed_distances(hand.points[frame], skin).min()
            deepest[frame] = np.fmax(deepest[frame], max(depth, 0.0))
    return deepest


METRICS["hands_depth"] = Metric(
    "mm",
    f"deepest vertex of a hand inside another hand, closed at the wrist, mean {ON_FRAMES}; clips of several hands",
    True,
)


def samples_in_contact(field: ContactField, within: float = CONTACT_SAMPLE_M) -> Bool[np.ndarray, "*batch N"]:
    """Object samples in contact: the hand lies along their normal with |distance| <= `within`, metres."""
    return np.asarray(field.mask) & (np.abs(np.asarray(field.distance)) <= within)


def contact_iou(field: ContactField, truth: ContactField, within: float = CONTACT_SAMPLE_M) -> float:
    """Intersection over union of two clips' samples in contact, over samples and frames together; nan without any.

    With `within` = 2 mm this is TOCH's C-IoU. Frames without contact add to neither count.
    """
    predicted, true = samples_in_contact(field, within), samples_in_contact(truth, within)
    union = (predicted | true).sum()
    return float((predicted & true).sum() / union) if union else float("nan")


METRICS["contact_iou"] = Metric(
    "%",
    f"intersection over union of the object's samples that the hand meets along their normal within {_TOUCH} "
    f"(TOCH's C-IoU), over samples and frames together, {ON_FRAMES}",
    True,
)


def samples_near_hand(
    samples: Float[np.ndarray, "T N 3"],
    hand_vertices: Float[np.ndarray, "T V 3"],
    hand_faces: Int[np.ndarray, "F 3"],
    within: float = CONTACT_SAMPLE_M,
) -> Bool[np.ndarray, "T N"]:
    """Object samples at most `within` metres from the hand's surface, in any direction."""
    low, high = hand_vertices.min(axis=1) - within, hand_vertices.max(axis=1) + within
    found = ((samples >= low[:, None]) & (samples <= high[:, None])).all(axis=-1)
    faces = np.ascontiguousarray(hand_faces, np.int64)
    for frame in np.flatnonzero(found.any(axis=-1)):
        query = samples[frame, found[frame]].astype(np.float64)
        squared = igl.point_mesh_squared_distance(query, hand_vertices[frame].astype(np.float64), faces)[0]
        found[frame, found[frame]] = squared <= within**2
    return found


def contact_f1(predicted: Bool[np.ndarray, "T N"], truth: Bool[np.ndarray, "T N"]) -> float:
    """F1 score of binary contact over samples and frames together; nan if neither has any contact.

    CHOIR's F1 takes `samples_near_hand` at 2 mm. Its true contact is from thermal maps; ours is from the true hand, by
    the same rule.
    """
    total = predicted.sum() + truth.sum()
    return float(2 * (predicted & truth).sum() / total) if total else float("nan")


METRICS["contact_f1"] = Metric(
    "%", f"F1 of the object's samples within {_TOUCH} of the hand in any direction, against the true hand's"
)


def contact_frames(nearest: Float[np.ndarray, "T"], within: float = CONTACT_DISTANCE_M) -> Bool[np.ndarray, "T"]:
    """Frames whose smallest signed distance is at most `within` (metres, at most CONTACT_DISTANCE_M)."""
    return nearest <= within


METRICS["contact_ratio"] = Metric("%", f"frames with a hand vertex inside the object or within {_NEAR}, {ON_FRAMES}")
METRICS["contact_ratio_error"] = Metric("%", "frames in which contact_ratio's verdict is not the true hand's")
