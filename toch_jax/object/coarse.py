"""Decimation of object meshes."""

import numpy as np
import trimesh
from jaxtyping import Float, Int
from trimesh.grouping import unique_rows


def coarsened(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    vertex_part: Int[np.ndarray, "V"],
    at_most: int,
) -> tuple[Float[np.ndarray, "C 3"], Int[np.ndarray, "E 3"], Int[np.ndarray, "C"]]:
    """The mesh with about `at_most` faces by vertex clustering (Rossignac and Borrel 1993); parts stay separate.

    One vertex is kept in each cubic cell. This works for any mesh, also for loose triangles and pieces that touch,
    where edge collapse by quadrics (`fast_simplification`) joins across gaps. A mesh with at most `at_most` faces is
    returned unchanged.
    """
    if len(faces) <= at_most:
        return vertices, faces, vertex_part
    # A surface passes through 1.5 cells per squared cell side of its area, and a mesh has two faces per vertex.
    side = np.sqrt(3 * trimesh.triangles.area(vertices[faces]).sum() / at_most)
    first, cell = unique_rows(np.column_stack([np.floor(vertices / side), vertex_part]).astype(np.int64))
    faces = cell[faces].astype(faces.dtype)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    faces = faces[unique_rows(np.sort(faces, axis=1))[0]]
    return vertices[first], faces, vertex_part[first]
