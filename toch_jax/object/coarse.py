"""A mesh of fewer faces, for what needs no detail."""

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
    """The mesh with about `at_most` so many faces, which keep their part: of the vertices in a cubic cell one stays.

    Any mesh will do, also one of loose triangles or of pieces that touch, whose edges quadrics (`fast_simplification`)
    collapse across gaps. A mesh that has few enough comes back as it is. After Rossignac and Borrel (1993).
    """
    if len(faces) <= at_most:
        return vertices, faces, vertex_part
    # a surface crosses 1.5 cells for each square of a cell's side, and has twice as many faces as vertices
    side = np.sqrt(3 * trimesh.triangles.area(vertices[faces]).sum() / at_most)
    first, cell = unique_rows(np.column_stack([np.floor(vertices / side), vertex_part]).astype(np.int64))
    faces = cell[faces].astype(faces.dtype)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    faces = faces[unique_rows(np.sort(faces, axis=1))[0]]
    return vertices[first], faces, vertex_part[first]
