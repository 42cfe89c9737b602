"""Outward orientation of the faces of meshes whose winding is not reliable."""

import igl
import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from jaxtyping import Bool, Float, Int

# Distance of a ray's start from the surface, metres (Zhou et al. 2022, released code).
RAY_OFFSET = 1e-4
# Approximate number of rays on each side of the surface that are tested for escape; chosen by hand.
N_RAYS = 50_000


def first_hits(
    triangles: Float[np.ndarray, "F 3 3"], origins: Float[np.ndarray, "N 3"], directions: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N"]:
    """Distance from each origin along its ray to the first triangle, metres; inf if there is none.

    Hits nearer than RAY_OFFSET are ignored, so that a ray may start on the surface.
    """
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(triangles, np.float32))
    starts = np.ascontiguousarray(origins + RAY_OFFSET * directions, np.float32)
    lengths = scene.run(starts, np.ascontiguousarray(directions, np.float32), query="DISTANCE")
    return np.where(lengths < 1e30, lengths + RAY_OFFSET, np.inf).astype(np.float32)


def orient_outward(
    vertices: Float[np.ndarray, "Vo 3"], faces: Int[np.ndarray, "Fo 3"], seed: int = 0
) -> Int[np.ndarray, "Fo 3"]:
    """The faces in the same order, wound so that their normals point outward, to the side that a hand can reach.

    Connected faces are oriented consistently; then each connected patch is oriented to the side from which more rays
    escape (Takayama et al. 2014). If the two sides differ too little, the input's winding is kept. The winding number
    cannot be used, because it needs the orientation; the sign of a patch's volume is wrong for the inside of a bowl.
    """
    # Files that repeat a vertex for each face (STL) are connected by position.
    merged = np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1)[faces].astype(np.int64)
    agreeing, patch = igl.bfs_orient(np.ascontiguousarray(merged))
    flipped = _is_flipped(merged, agreeing.astype(np.int64))

    triangles = vertices[np.where(flipped[:, None], faces[:, ::-1], faces)].astype(np.float64)
    normal, area = _normals(triangles)
    repeats = int(np.clip(N_RAYS // len(faces), 1, 64))
    source = np.repeat(np.arange(len(faces)), repeats)
    rng = np.random.default_rng(seed)
    origin = np.einsum("rk,rkc->rc", rng.dirichlet(np.ones(3), len(source)), triangles[source])
    direction = rng.normal(size=origin.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction *= np.sign(np.sum(direction * normal[source], axis=1, keepdims=True))
    escapes = np.isinf(first_hits(triangles, origin, direction)).astype(float)
    escapes -= np.isinf(first_hits(triangles, origin, -direction))
    vote = np.bincount(patch[source], escapes * area[source] / repeats)
    total = np.bincount(patch, area)
    kept = np.bincount(patch, np.where(flipped, -area, area))
    is_clear = np.abs(vote) > 0.01 * total
    inward = np.where(is_clear, vote, kept)[patch] < 0
    return np.where((flipped ^ inward)[:, None], faces[:, ::-1], faces)


def _is_flipped(faces: Int[np.ndarray, "F 3"], reoriented: Int[np.ndarray, "F 3"]) -> Bool[np.ndarray, "F"]:
    """Whether each face of `reoriented` has the opposite winding of the same face of `faces`."""
    successor = np.take_along_axis(
        reoriented, (np.argmax(reoriented == faces[:, :1], axis=1)[:, None] + 1) % 3, axis=1
    )[:, 0]
    return successor != faces[:, 1]


def _normals(triangles: Float[np.ndarray, "F 3 3"]) -> tuple[Float[np.ndarray, "F 3"], Float[np.ndarray, "F"]]:
    """Unit normals, by the winding, and areas, square metres."""
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(cross, axis=1)
    return cross / length[:, None], length / 2
