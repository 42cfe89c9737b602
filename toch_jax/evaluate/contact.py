"""How a hand's skin and an object's surface meet: depth, volume, contact. Metres in; units out are in the names.

Each function takes the mesh of one part of the object, in its own frame, and the hand in that frame (object/motion.py).
"""

from dataclasses import dataclass

import igl
import manifold3d
import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.field.types import ContactField

CONTACT_DISTANCE_M = 0.005
"""A frame is in contact when the hand comes this near (GraspTTA, Jiang et al. 2021)."""
CONTACT_SAMPLE_M = 0.002
"""A sample of the surface is in contact when the hand lies this near along its normal (TOCH's contact IoU)."""
VOXEL_PITCH_M = 0.002
"""Solid voxels, as in CHOIR; a surface voxelisation, as GraspTTA's, misses the inside."""


@dataclass(frozen=True)
class Mesh:
    """Vertices and faces as libigl takes them."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]


def mesh(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Mesh:
    return Mesh(np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces, np.int64))


def part_meshes(
    vertices: Float[np.ndarray, "Vo 3"], faces: Int[np.ndarray, "Fo 3"], vertex_part: Int[np.ndarray, "Vo"]
) -> list[Mesh]:
    """The object's parts as meshes of their own."""
    meshes = []
    for part in range(int(vertex_part.max()) + 1):
        mine = faces[(vertex_part[faces] == part).all(axis=-1)]
        kept, renumbered = np.unique(mine, return_inverse=True)
        meshes.append(mesh(vertices[kept], renumbered.reshape(-1, 3)))
    return meshes


def signed_distances(
    points: Float[np.ndarray, "*batch 3"], part: Mesh, reach: float = CONTACT_DISTANCE_M
) -> Float[np.ndarray, "*batch"]:
    """Exact distance of each point to the part's surface, negative inside; inf beyond `reach` of its bounding box.

    Inside is where the generalised winding number passes 1/2 (Barill et al. 2018), so small holes do no harm.
    """
    low, high = part.vertices.min(axis=0) - reach, part.vertices.max(axis=0) + reach
    near = ((points >= low) & (points <= high)).all(axis=-1)
    distance = np.full(points.shape[:-1], np.inf)
    if near.any():
        query = np.ascontiguousarray(points[near], np.float64)
        sign = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
        distance[near] = igl.signed_distance(query, part.vertices, part.faces, sign_type=sign)[0]
    return distance


def penetration_depths_mm(distance: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T"]:
    """Per frame, how deep the deepest hand vertex lies inside the object; from `signed_distances`."""
    return np.maximum(-distance.min(axis=-1), 0) * 1e3


def contact_frames(distance: Float[np.ndarray, "T K"], within: float = CONTACT_DISTANCE_M) -> Bool[np.ndarray, "T"]:
    """Which frames have a hand vertex inside the object or `within` of it; from `signed_distances`."""
    return distance.min(axis=-1) <= within


def _manifold(surface: Mesh) -> manifold3d.Manifold | None:
    """The mesh as a solid, or None where it is not one."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(surface.vertices, np.ascontiguousarray(surface.faces, dtype=np.uint64))
    )
    return solid if solid.status() == manifold3d.Error.NoError and solid.volume() > 0 else None


def _inside(points: Float[np.ndarray, "M 3"], surface: Mesh) -> Bool[np.ndarray, "M"]:
    if not len(points):
        return np.zeros(0, dtype=bool)
    return igl.fast_winding_number(surface.vertices, surface.faces, points) > 0.5


def solid_voxels(part: Mesh, pitch: float = VOXEL_PITCH_M) -> Float[np.ndarray, "M 3"]:
    """Centres of the cells of a cubic grid that lie inside the part."""
    low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
    axes = [np.arange(a + pitch / 2, b, pitch) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[_inside(grid, part)]


def intersection_volumes_cm3(
    hand_vertices: Float[np.ndarray, "T V 3"],
    hand_faces: Int[np.ndarray, "F 3"],
    part: Mesh,
    pitch: float = VOXEL_PITCH_M,
) -> tuple[Float[np.ndarray, "T"], bool]:
    """Volume shared by the solid hand and the solid part in each frame.

    Exact (mesh boolean) where both are closed manifolds; else the count of the part's solid voxels of side `pitch`
    that lie inside the hand. The second value says whether all are exact. The hand's mesh should be sealed.
    """
    volumes = np.zeros(len(hand_vertices))
    solid, voxels, exact = _manifold(part), None, True
    for frame, vertices in enumerate(hand_vertices):
        hand = mesh(vertices, hand_faces)
        hand_solid = _manifold(hand) if solid is not None else None
        if solid is not None and hand_solid is not None:
            volumes[frame] = (hand_solid ^ solid).volume() * 1e6
            continue
        voxels = solid_voxels(part, pitch) if voxels is None else voxels
        low, high = hand.vertices.min(axis=0), hand.vertices.max(axis=0)
        near = voxels[((voxels >= low) & (voxels <= high)).all(axis=-1)]
        volumes[frame] = _inside(near, hand).sum() * pitch**3 * 1e6
        exact = False
    return volumes, exact


def samples_in_contact(field: ContactField, within: float = CONTACT_SAMPLE_M) -> Bool[np.ndarray, "*batch N"]:
    """Which of the object's samples the hand touches: it lies along their normal, |distance| <= `within`."""
    return np.asarray(field.mask) & (np.abs(np.asarray(field.distance)) <= within)


def contact_ratio(field: ContactField, within: float = CONTACT_SAMPLE_M) -> float:
    """Share of the object's samples that the hand touches, over all frames."""
    return float(samples_in_contact(field, within).mean())


def contact_iou(field: ContactField, truth: ContactField, within: float = CONTACT_SAMPLE_M) -> float:
    """Intersection over union of two clips' contacts, counted over samples and frames together; nan without any.

    TOCH's C-IoU is this with 2 mm. Frames that touch nothing add to neither count.
    """
    mine, true = samples_in_contact(field, within), samples_in_contact(truth, within)
    union = (mine | true).sum()
    return float((mine & true).sum() / union) if union else float("nan")
