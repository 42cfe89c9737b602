"""Object meshes: reading, checks, decimation, outward orientation of their faces."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import igl
import numpy as np
import trimesh
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from jaxtyping import Bool, Float, Int, Int32
from trimesh.grouping import unique_rows

from toch_jax.base.errors import bad_input

logger = logging.getLogger(__name__)

# Limits on the longest side of the bounding box of an object that a hand can hold and move, metres; chosen by hand.
SMALLEST, LARGEST = 0.005, 3.0
# Limits on the usual size, metres, from which the unit of a mesh is guessed; chosen by hand.
LIKELY = (0.01, 1.0)
# Metres per unit.
HAND_UNITS = {"millimetres": 0.001, "centimetres": 0.01, "metres divided by 1000": 1000.0}
OBJECT_UNITS = HAND_UNITS | {"inches": 0.0254}
# Distance of a ray's start from the surface, metres (Zhou et al. 2022, released code).
RAY_OFFSET = 1e-4
# Approximate number of rays on each side of the surface that are tested for escape; chosen by hand.
N_RAYS = 50_000


def load_mesh(path: str | Path, scale: float = 1.0) -> tuple[Float[np.ndarray, "Vo 3"], Int32[np.ndarray, "Fo 3"]]:
    """Vertices (metres, after multiplication by `scale`) and triangles of a mesh file that trimesh reads.

    The mesh need not be watertight. The meshes of a scene are joined to one.

    Raises InputError for a file that cannot be read and for a mesh that `check_mesh` refuses.
    """
    mesh = read_mesh(path)
    return check_mesh(path, mesh.vertices, mesh.faces, scale=scale)


def read_mesh(path: str | Path) -> trimesh.Trimesh:
    """The vertices and faces of a mesh file as they are stored. Raises InputError for a file without triangles."""
    vertices, faces = read_geometry(path)
    if len(faces) == 0:
        raise bad_input(path, "object mesh", "triangles", f"a point cloud, no triangles ({len(vertices):,} vertices)")
    return trimesh.Trimesh(vertices, faces, process=False)


def read_geometry(path: str | Path) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    """The vertices and faces of a file as they are stored, with the transforms of a scene; of a point cloud no faces.

    Raises InputError for a file that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise bad_input(path, "object mesh", "a mesh file", "no such file")
    try:
        # trimesh warns about textures and materials, which are not needed
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            # process=False keeps the vertices and their order, so that a label for each vertex still fits.
            scene = trimesh.load_scene(path, process=False, maintain_order=True, skip_materials=True)
            mesh = scene.to_mesh()
            points = [part.vertices for part in scene.dump() if isinstance(part, trimesh.PointCloud)]
    except Exception as error:  # trimesh's readers raise many types of errors
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise bad_input(path, "object mesh", "a mesh that trimesh reads (obj, ply, stl, glb, off)", found) from error
    if len(mesh.faces):
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    return np.concatenate([np.zeros((0, 3)), *points]), np.zeros((0, 3), np.int64)


def check_mesh(
    where: str | Path,
    vertices: np.ndarray,
    faces: np.ndarray,
    field: str = "object mesh",
    scale: float = 1.0,
    mend: str = "--object-scale",
) -> tuple[Float[np.ndarray, "Vo 3"], Int32[np.ndarray, "Fo 3"]]:
    """Vertices (float32, metres, multiplied by `scale`) and faces (int32), without faces of no area (with a warning).

    Raises InputError if there are no faces, no area, numbers that are not finite, indices out of range, or a size
    outside SMALLEST to LARGEST. `where` and `field` name the mesh in the message; `mend` stands before the factor that
    would correct its unit.
    """
    vertices, faces = np.asarray(vertices), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "fiu":
        raise bad_input(where, f"{field} vertices", "numbers of shape (Vo, 3)", f"{vertices.dtype} {vertices.shape}")
    if faces.size == 0:
        raise bad_input(where, f"{field} faces", "triangles", f"none, with {len(vertices):,} vertices")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise bad_input(where, f"{field} faces", "whole numbers of shape (Fo, 3)", f"{faces.dtype} {faces.shape}")
    if faces.min() < 0 or faces.max() >= len(vertices):
        found = f"{faces.min()}..{faces.max()}"
        raise bad_input(where, f"{field} faces", f"indices in 0..{len(vertices) - 1}", found)
    with np.errstate(over="ignore"):  # numbers too large for float32 become infinite
        vertices, faces = vertices.astype(np.float32), faces.astype(np.int32)
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise bad_input(where, f"{field} vertices", "finite numbers", f"{bad} vertices that are not")
    if scale != 1:
        vertices = vertices * np.float32(scale)
    used = vertices[np.unique(faces)]
    extent = float((used.max(axis=0) - used.min(axis=0)).max())
    if not SMALLEST <= extent <= LARGEST:
        expected = f"a size of {SMALLEST} to {LARGEST:g} m (largest extent)"
        likely = unit_hint(extent / scale, *LIKELY, OBJECT_UNITS, mend)
        hint = likely or unit_hint(extent / scale, SMALLEST, LARGEST, OBJECT_UNITS, mend)
        raise bad_input(where, field, expected, f"{extent:.4g} m{hint}")
    corners = vertices[faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    solid = area > 1e-12 * extent**2
    if not solid.any():
        raise bad_input(where, f"{field} faces", "triangles with area", f"{len(faces)} without")
    if not solid.all():
        logger.warning("%s: %s: dropped %d faces without area of %d", where, field, (~solid).sum(), len(faces))
    return vertices, faces[solid]


def unit_hint(
    length: float, smallest: float, largest: float, units: Mapping[str, float], mend: str = "scale by"
) -> str:
    """The end of an error message: the units in which `length` is between `smallest` and `largest` metres, or nothing.

    `units` gives metres per unit; `mend` stands before the factor in the message.
    """
    fitting = {unit: factor for unit, factor in units.items() if smallest <= length * factor <= largest}
    if len(fitting) == 1:
        return "".join(f": probably in {unit}, {mend} {factor:g}" for unit, factor in fitting.items())
    each = [f"{unit} ({mend} {factor:g} makes it {length * factor:.2g} m)" for unit, factor in fitting.items()]
    return f": in {' or '.join(each)}?" if each else ""


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
