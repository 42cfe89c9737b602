"""Solids that objects are made of: primitives, solids of revolution, boolean operations. Metres; their axis is z."""

import itertools

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

SECTIONS = 32
"""Corners of round cross-sections."""

Number = float | int


def rotated(mesh: Trimesh, axis: str, degrees: Number) -> Trimesh:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    return mesh.copy().apply_transform(matrix)


def moved(mesh: Trimesh, *offset: Number) -> Trimesh:
    return mesh.copy().apply_translation(offset)


def union(*meshes: Trimesh) -> Trimesh:
    return trimesh.boolean.union(list(meshes), engine="manifold")


def minus(mesh: Trimesh, *holes: Trimesh) -> Trimesh:
    return trimesh.boolean.difference([mesh, *holes], engine="manifold")


def hull(*meshes: Trimesh) -> Trimesh:
    return trimesh.convex.convex_hull(np.vstack([mesh.vertices for mesh in meshes]))


def cylinder(radius: Number, height: Number, sections: int = SECTIONS) -> Trimesh:
    return trimesh.creation.cylinder(radius=radius, height=height, sections=sections)


def box(x: Number, y: Number, z: Number) -> Trimesh:
    return trimesh.creation.box(extents=(x, y, z))


def revolve(*profile: tuple[Number, Number]) -> Trimesh:
    """Solid of revolution of the polyline of (radius, z) from bottom to top; both ends are closed towards the axis."""
    points = np.array([(0.0, profile[0][1]), *profile, (0.0, profile[-1][1])])
    return trimesh.creation.revolve(points, sections=SECTIONS)


def hollow(*profile: tuple[Number, Number], wall: Number) -> Trimesh:
    """Vessel open at the top: the outside is `profile`, the inside is `profile` with radii smaller by `wall`."""
    inside = [(max(r - wall, 1e-3), z) for r, z in profile]
    base, top = profile[0][1], profile[-1][1]
    inside[0] = (inside[0][0], base + wall)
    inside = [(r, max(z, base + wall)) for r, z in inside]
    return minus(revolve(*profile), revolve(*inside, (inside[-1][0], top + 0.01)))


def tube_along(path: np.ndarray, radii: np.ndarray) -> Trimesh:
    """Round solid around a polyline: the union of the convex hulls of neighbouring balls."""
    balls = [moved(trimesh.creation.icosphere(subdivisions=2, radius=r), *p) for p, r in zip(path, radii, strict=True)]
    return union(*(hull(a, b) for a, b in itertools.pairwise(balls)))


def bow(radius: Number, start: Number, stop: Number, count: int) -> np.ndarray:
    """Points of an arc in the xz plane, degrees from +x."""
    angle = np.radians(np.linspace(start, stop, count))
    return radius * np.stack([np.cos(angle), np.zeros(count), np.sin(angle)], axis=1)
