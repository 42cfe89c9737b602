"""Hinged objects by name, in ARCTIC's layout (datasets/hinged.py): parametric ones and one mesh, in several sizes.

Each function draws the sizes of one variant from `rng` and returns bottom and top, closed. The hinge is the z axis: as
the angle increases from 0, the top rotates about (0, 0, -1), its +x side towards -y. So a bottom at y > 0 and a top at
y < 0, both at x > 0, open like a book. Metres; each part is watertight, with walls of at least 4 mm.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

from toch_jax.datasets.hinged import BOTTOM, TOP, HingedObject
from toch_jax.datasets.open_grasps.objects.rigid import MESH_DIR, MESH_SCALES
from toch_jax.datasets.open_grasps.objects.solids import Number

GAP = 0.0005
"""Distance of each closed part to the plane y = 0 between them, metres."""
UPRIGHT = Rotation.from_euler("x", -90, degrees=True)
"""Rotation of a closed object on a table: its top (-y) is up."""

Parts = tuple[Trimesh, Trimesh]


@dataclass(frozen=True)
class Hinged:
    """A kind of hinged object."""

    parts: Callable[[np.random.Generator], Parts]
    """Bottom and top of one size."""
    widest: float
    """Largest opening angle, degrees."""


def make_hinged(name: str, variant: int, seed: int = 0) -> HingedObject:
    """The object `name` in the size number `variant`."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), variant])
    return join_parts(HINGED[name].parts(rng))


def join_parts(parts: Parts) -> HingedObject:
    """Bottom and top joined in one mesh."""
    bottom, top = parts
    return HingedObject(
        vertices=np.concatenate([bottom.vertices, top.vertices]),
        faces=np.concatenate([bottom.faces, top.faces + len(bottom.vertices)]),
        vertex_part=np.repeat([BOTTOM, TOP], [len(bottom.vertices), len(top.vertices)]).astype(np.int32),
    )


def part_meshes(obj: HingedObject) -> list[Trimesh]:
    """One mesh per part, in the closed position."""
    meshes = []
    for part in range(int(obj.vertex_part.max()) + 1):
        used, faces = np.unique(obj.faces[obj.vertex_part[obj.faces[:, 0]] == part], return_inverse=True)
        meshes.append(Trimesh(obj.vertices[used], faces.reshape(-1, 3), process=False))
    return meshes


def _block(low: tuple[Number, Number, Number], high: tuple[Number, Number, Number]) -> Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def _slab(length: float, low: float, high: float, width: float) -> Trimesh:
    """A plate with x from 0 to `length`, y from `low` to `high`, centred in z; round corners away from the hinge."""
    radius = min(0.012, width / 4)
    rod = trimesh.creation.cylinder(radius, high - low, sections=24)
    rod.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    middle = (low + high) / 2
    rods = [rod.copy().apply_translation((length - radius, middle, side * (width / 2 - radius))) for side in (-1, 1)]
    root = _block((0, low, -width / 2), (radius, high, width / 2))
    return trimesh.convex.convex_hull(np.concatenate([mesh.vertices for mesh in (root, *rods)]))


def laptop(rng: np.random.Generator) -> Parts:
    width, depth, base, lid = rng.uniform((0.22, 0.15, 0.012, 0.007), (0.31, 0.21, 0.018, 0.010))
    return _slab(depth, GAP, base, width), _slab(depth, -lid, -GAP, width)


def notebook(rng: np.random.Generator) -> Parts:
    width, depth, pages, cover = rng.uniform((0.15, 0.11, 0.010, 0.0045), (0.24, 0.17, 0.022, 0.006))
    overhang = rng.uniform(0.0, 0.006)
    return _slab(depth - overhang, GAP, pages, width - 2 * overhang), _slab(depth, -cover, -GAP, width)


def lidbox(rng: np.random.Generator) -> Parts:
    depth, height, width, wall = rng.uniform((0.09, 0.06, 0.12, 0.005), (0.14, 0.10, 0.20, 0.007))
    hollow = _block((wall, -wall, -width / 2 + wall), (depth - wall, height - wall, width / 2 - wall))
    box = trimesh.boolean.difference(
        [_block((0, GAP, -width / 2), (depth, height, width / 2)), hollow], engine="manifold"
    )
    overhang = rng.uniform(0.0, 0.012)
    return box, _block((0, -wall, -width / 2 - overhang / 2), (depth + overhang, -GAP, width / 2 + overhang / 2))


def scissors(rng: np.random.Generator) -> Parts:
    """Scissors: the pivot is the hinge; blades on top of each other at +x, finger rings side by side at -x."""
    blade, arm, ring, thick = rng.uniform((0.08, 0.05, 0.018, 0.004), (0.12, 0.07, 0.024, 0.005))
    apart = np.arcsin(min(0.9, (ring + 0.007) / (arm + ring)))

    def half(side: int) -> Trimesh:
        # the bottom's handle is at y < 0 and its blade at z < 0, the top's at y > 0 and z > 0
        flat = np.array([(-0.012, -0.008), (-0.012, 0.008), (0.02, 0.010), (blade, 0.001), (blade, -0.006)])
        blade_z = (GAP, thick) if side > 0 else (-thick, -GAP)
        plate = trimesh.convex.convex_hull(np.array([(x, -side * y, z) for x, y in flat for z in blade_z]))
        direction = np.array([-np.cos(apart), side * np.sin(apart), 0.0])
        level = np.array([0, 0, (blade_z[0] + blade_z[1]) / 2])
        ends = [-0.004 * direction, arm * direction]
        rod = trimesh.convex.convex_hull(
            np.concatenate(
                [
                    trimesh.creation.box(extents=(0.008, 0.008, blade_z[1] - blade_z[0])).vertices + level + end
                    for end in ends
                ]
            )
        )
        loop = trimesh.creation.torus(ring, 0.0055, major_sections=32, minor_sections=12)
        loop.apply_scale((1.25, 1.0, 1.0)).apply_transform(
            trimesh.transformations.rotation_matrix(-side * apart, (0, 0, 1))
        )
        loop.apply_translation(direction * (arm + 1.25 * ring))
        return trimesh.boolean.union([plate, rod, loop], engine="manifold")

    return half(-1), half(1)


def flipphone(rng: np.random.Generator) -> Parts:
    width, length, base, lid = rng.uniform((0.048, 0.085, 0.010, 0.008), (0.058, 0.105, 0.014, 0.011))
    return _slab(length, GAP, base, width), _slab(length, -lid, -GAP, width)


def netbook(rng: np.random.Generator) -> Parts:
    size = rng.uniform(*MESH_SCALES)
    bottom, top = (
        trimesh.load_mesh(MESH_DIR / "hinged" / f"netbook_{part}.ply", process=False) for part in ("bottom", "top")
    )
    return bottom.apply_scale(size), top.apply_scale(size)


HINGED = {
    "laptop": Hinged(laptop, 115.0),
    "notebook": Hinged(notebook, 165.0),
    "lidbox": Hinged(lidbox, 110.0),
    "scissors": Hinged(scissors, 60.0),
    "flipphone": Hinged(flipphone, 150.0),
    "netbook": Hinged(netbook, 90.0),
}
