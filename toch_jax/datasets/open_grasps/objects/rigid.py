"""Rigid objects by name, each in several sizes: parametric solids and a few meshes.

Each function draws the sizes of one variant from `rng`, in ranges taken from common objects. Metres, z up, watertight;
walls are at least 4 mm thick, so that a signed distance grid resolves their two sides.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.objects.solids import (
    bow,
    box,
    cylinder,
    hollow,
    hull,
    minus,
    moved,
    revolve,
    rotated,
    tube_along,
    union,
)

MESH_DIR = Path(__file__).parents[1] / "meshes"
MESHES = tuple(sorted(path.stem for path in MESH_DIR.glob("*.ply")))
MESH_SCALES = (0.88, 1.1)
"""Range of the sizes of a mesh, relative to its file."""
MAX_FACES = 1500
"""Meshes of more faces are simplified, so that exact distances stay fast."""
Shape = Callable[[np.random.Generator], Trimesh]


def make_object(name: str, variant: int, seed: int = 0) -> Trimesh:
    """The object `name` in the size number `variant`: watertight, centred on its bounding box; metres, z up."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), variant])
    if name in PARAMETRIC:
        mesh = PARAMETRIC[name](rng)
    else:
        mesh = trimesh.load_mesh(MESH_DIR / f"{name}.ply", process=False)
        mesh.apply_scale(rng.uniform(*MESH_SCALES))
    if len(mesh.faces) > MAX_FACES:
        mesh = mesh.simplify_quadric_decimation(face_count=MAX_FACES)
    return mesh.apply_translation(-mesh.bounds.mean(axis=0))


def phone(rng: np.random.Generator) -> Trimesh:
    width, height, thick = rng.uniform((0.064, 0.135, 0.008), (0.078, 0.16, 0.011))
    corners = [(sx * (width / 2 - 0.012), sz * (height / 2 - 0.012)) for sx in (-1, 1) for sz in (-1, 1)]
    posts = [moved(rotated(cylinder(0.012, thick, 16), "x", 90), x, 0, z) for x, z in corners]
    return hull(*posts)


def bracelet(rng: np.random.Generator) -> Trimesh:
    radius, height = rng.uniform(0.032, 0.042), rng.uniform(0.015, 0.035)
    return minus(cylinder(radius, height, 40), cylinder(radius - 0.005, height + 0.01, 40))


def cone(rng: np.random.Generator) -> Trimesh:
    height = rng.uniform(0.10, 0.16)
    return revolve((rng.uniform(0.03, 0.045), -height / 2), (0.004, height / 2))


def pyramid(rng: np.random.Generator) -> Trimesh:
    half, height = rng.uniform(0.03, 0.045), rng.uniform(0.06, 0.1)
    base = np.array([(x, y, 0) for x in (-half, half) for y in (-half, half)])
    return trimesh.convex.convex_hull(np.vstack([base, [(0, 0, height)]]))


def mug(rng: np.random.Generator) -> Trimesh:
    radius, height = rng.uniform(0.036, 0.045), rng.uniform(0.085, 0.11)
    body = hollow((radius, -height / 2), (radius, height / 2), wall=0.005)
    arc = bow(1.0, -90, 90, 9) * (rng.uniform(0.03, 0.036), 0, height * 0.34) + (radius - 0.004, 0, 0)
    handle = minus(tube_along(arc, np.full(9, rng.uniform(0.005, 0.007))), cylinder(radius - 0.002, height))
    return union(body, handle)


def cup(rng: np.random.Generator) -> Trimesh:
    height, foot, rim = rng.uniform((0.09, 0.026, 0.036), (0.13, 0.032, 0.044))
    return hollow((foot, -height / 2), (rim, height / 2), wall=0.0045)


def bowl(rng: np.random.Generator) -> Trimesh:
    radius = rng.uniform(0.055, 0.075)
    angle = np.radians(np.linspace(-68, 0, 8))
    return hollow(*((radius * np.cos(a), 0.8 * radius * np.sin(a)) for a in angle), wall=0.006)


def bottle(rng: np.random.Generator) -> Trimesh:
    radius, neck, height = rng.uniform((0.028, 0.011, 0.18), (0.038, 0.015, 0.24))
    steps = [(radius, 0.0), (radius, 0.58), (radius * 0.9, 0.65), (neck * 1.4, 0.78), (neck, 0.84), (neck, 1.0)]
    return revolve(*((r, height * (z - 0.5)) for r, z in steps))


def wineglass(rng: np.random.Generator) -> Trimesh:
    bowl_radius, stem, height = rng.uniform((0.030, 0.0045, 0.16), (0.038, 0.006, 0.20))
    outside = [(0.034, 0.0), (0.034, 0.02), (stem * 1.5, 0.05), (stem, 0.1), (stem, 0.44), (bowl_radius * 0.6, 0.52)]
    outside += [(bowl_radius, 0.68), (bowl_radius * 0.95, 0.85), (bowl_radius * 0.85, 1.0)]
    inside = [(r - 0.004, z) for r, z in outside[6:]]
    solid = revolve(*((r, height * (z - 0.5)) for r, z in outside))
    hole = [(0.004, 0.55), (bowl_radius * 0.5 - 0.004, 0.56), *inside, (bowl_radius * 0.85 - 0.004, 1.1)]
    return minus(solid, revolve(*((r, height * (z - 0.5)) for r, z in hole)))


def fryingpan(rng: np.random.Generator) -> Trimesh:
    radius, length = rng.uniform((0.075, 0.12), (0.10, 0.16))
    pan = hollow((radius * 0.8, 0.0), (radius, 0.035), wall=0.006)
    ends = np.array([(radius * 0.9, 0, 0.024), (radius + length * 0.4, 0, 0.034), (radius + length, 0, 0.04)])
    handle = tube_along(ends, np.array([0.009, 0.011, 0.012]) * rng.uniform(0.9, 1.2))
    bottom = moved(revolve((radius * 0.97 - 0.006, 0.006), (radius * 0.98 - 0.006, 0.05)), 0, 0, 0)
    return union(pan, minus(handle, bottom))


def toothbrush(rng: np.random.Generator) -> Trimesh:
    length = rng.uniform(0.16, 0.2)
    path = np.array([(0, 0, 0), (0.35, 0, 0.03), (0.6, 0, 0), (1, 0, 0)]) * (length, 1, 0.1)
    stem = tube_along(path, np.array([0.006, 0.007, 0.0045, 0.005]) * rng.uniform(0.95, 1.25))
    return union(stem, moved(box(0.028, 0.011, 0.014), length * 0.94, 0, 0.007))


def knife(rng: np.random.Generator) -> Trimesh:
    grip, blade = rng.uniform((0.09, 0.10), (0.12, 0.16))
    handle = moved(trimesh.creation.icosphere(3).apply_scale((grip * 0.56, 0.011, 0.015)), -grip / 2, 0, 0)
    edge = np.array([(0, 0.013), (blade, 0.011), (blade * 0.8, -0.012), (0, -0.016)])
    flat = np.array([(x, y, z) for x, z in edge for y in (-0.002, 0.002)])
    return union(handle, moved(trimesh.convex.convex_hull(flat), -0.012, 0, 0))


def camera(rng: np.random.Generator) -> Trimesh:
    width, depth, height = rng.uniform((0.10, 0.032, 0.06), (0.13, 0.045, 0.08))
    lens = rotated(cylinder(height * 0.38, 0.045), "x", 90)
    hump = moved(box(width * 0.3, depth * 0.8, 0.022), 0, 0, height / 2 + 0.005)
    return union(box(width, depth, height), moved(lens, width * 0.08, depth / 2 + 0.015, -0.004), hump)


def binoculars(rng: np.random.Generator) -> Trimesh:
    radius, length = rng.uniform((0.020, 0.10), (0.026, 0.13))
    gap = radius + rng.uniform(0.008, 0.014)
    barrel = revolve((radius * 1.15, -length / 2), (radius * 1.1, -length * 0.1), (radius * 0.7, length / 2))
    bridge = box(2 * gap, radius * 0.9, length * 0.45)
    return union(moved(barrel, gap, 0, 0), moved(barrel, -gap, 0, 0), bridge)


def banana(rng: np.random.Generator) -> Trimesh:
    span = rng.uniform(70, 105)
    radii = np.array([0.006, 0.013, 0.017, 0.0185, 0.018, 0.0165, 0.012, 0.005]) * rng.uniform(0.9, 1.15)
    return tube_along(bow(rng.uniform(0.085, 0.11), 90 - span / 2, 90 + span / 2, 8), radii)


def dumbbell(rng: np.random.Generator) -> Trimesh:
    grip, radius, bar = rng.uniform((0.10, 0.028, 0.011), (0.125, 0.04, 0.015))
    head = cylinder(radius, 0.035, 6)
    return union(cylinder(bar, grip + 0.01), moved(head, 0, 0, grip / 2), moved(head, 0, 0, -grip / 2))


def flashlight(rng: np.random.Generator) -> Trimesh:
    radius, head, length = rng.uniform((0.012, 0.02, 0.13), (0.017, 0.027, 0.19))
    steps = [(radius, -0.5), (radius, 0.2), (head, 0.32), (head, 0.5)]
    return revolve(*((r, z * length) for r, z in steps))


def lbracket(rng: np.random.Generator) -> Trimesh:
    long, short, width, thick = rng.uniform((0.09, 0.06, 0.025, 0.010), (0.14, 0.09, 0.04, 0.018))
    return union(box(thick, width, long), moved(box(short, width, thick), short / 2, 0, -long / 2 + thick / 2))


def hammer(rng: np.random.Generator) -> Trimesh:
    length, head = rng.uniform((0.20, 0.09), (0.27, 0.12))
    top = moved(rotated(cylinder(rng.uniform(0.012, 0.016), head), "x", 90), 0, 0, length / 2)
    grip = cylinder(1.0, length).apply_scale((0.011, 0.015, 1.0))
    return union(grip, top, moved(box(0.022, 0.03, 0.03), 0, 0, length / 2))


def screwdriver(rng: np.random.Generator) -> Trimesh:
    grip, blade, radius = rng.uniform((0.08, 0.07, 0.012), (0.11, 0.12, 0.018))
    steps = [(radius * 0.7, 0), (radius, 0.12), (radius, 0.75), (radius * 0.55, 0.9), (radius * 0.8, 1.0)]
    return union(
        revolve(*((r, z * grip) for r, z in steps)), moved(cylinder(0.0035, blade, 16), 0, 0, grip + blade / 2)
    )


def lightbulb(rng: np.random.Generator) -> Trimesh:
    radius = rng.uniform(0.028, 0.036)
    angle = np.radians(np.linspace(-55, 85, 12))
    glass = [(radius * np.cos(a), radius * (1 + np.sin(a))) for a in angle]
    return revolve((0.013, -radius * 1.1), (0.0135, -radius * 0.3), *glass)


def mouse(rng: np.random.Generator) -> Trimesh:
    egg = trimesh.creation.icosphere(3).apply_scale(rng.uniform((0.028, 0.048, 0.032), (0.034, 0.06, 0.042)))
    return minus(egg, moved(box(0.2, 0.2, 0.1), 0, 0, -0.05))


def spoon(rng: np.random.Generator) -> Trimesh:
    length = rng.uniform(0.14, 0.19)
    path = np.array([(0, 0, 0.008), (0.5, 0, 0.012), (1, 0, 0.004)]) * (length, 1, 1)
    ladle = moved(trimesh.creation.icosphere(2).apply_scale((0.032, 0.021, 0.012)), length + 0.02, 0, 0.008)
    hole = moved(trimesh.creation.icosphere(2).apply_scale((0.026, 0.015, 0.009)), length + 0.02, 0, 0.018)
    return union(tube_along(path, np.array([0.0075, 0.006, 0.006])), minus(ladle, hole))


def toothpaste(rng: np.random.Generator) -> Trimesh:
    radius, length = rng.uniform((0.016, 0.12), (0.021, 0.16))
    shoulder = moved(cylinder(radius, 0.002), 0, 0, length / 2)
    crimp = moved(box(2.9 * radius, 0.004, 0.004), 0, 0, -length / 2)
    cap = moved(cylinder(radius * 0.7, 0.03), 0, 0, length / 2 + 0.013)
    return union(hull(shoulder, crimp), cap)


def doorknob(rng: np.random.Generator) -> Trimesh:
    radius = rng.uniform(0.024, 0.032)
    steps = [(radius, 0.0), (radius, 0.006), (0.009, 0.012), (0.009, 0.03), (radius * 0.9, 0.042), (radius, 0.055)]
    return revolve(*steps, (radius * 0.8, 0.068), (radius * 0.4, 0.073))


def spool(rng: np.random.Generator) -> Trimesh:
    flange, core, height = rng.uniform((0.025, 0.014, 0.05), (0.034, 0.02, 0.08))
    steps = [(flange, -0.5), (flange, -0.4), (core, -0.38), (core, 0.38), (flange, 0.4), (flange, 0.5)]
    return revolve(*((r, z * height) for r, z in steps))


SHAPES = (
    *(phone, bracelet, cone, pyramid, mug, cup, bowl, bottle, wineglass, fryingpan, toothbrush),
    *(knife, camera, binoculars, banana, dumbbell, flashlight, lbracket, hammer, screwdriver, lightbulb, mouse),
    *(spoon, toothpaste, doorknob, spool),
)
PARAMETRIC: dict[str, Shape] = {
    "box": lambda rng: box(*rng.uniform((0.05, 0.03, 0.08), (0.09, 0.06, 0.16))),
    "cube": lambda rng: box(*rng.uniform(0.035, 0.07) * np.ones(3)),
    "book": lambda rng: box(*rng.uniform((0.10, 0.015, 0.15), (0.15, 0.035, 0.22))),
    "cylinder": lambda rng: cylinder(rng.uniform(0.022, 0.038), rng.uniform(0.09, 0.15)),
    "tube": lambda rng: cylinder(rng.uniform(0.010, 0.016), rng.uniform(0.16, 0.26), 24),
    "sphere": lambda rng: trimesh.creation.icosphere(subdivisions=3, radius=rng.uniform(0.028, 0.042)),
    "ellipsoid": lambda rng: trimesh.creation.icosphere(subdivisions=3).apply_scale(
        rng.uniform((0.022, 0.024, 0.035), (0.03, 0.034, 0.055))
    ),
    "capsule": lambda rng: tube_along(
        np.array([[0, 0, -1], [0, 0, 1]]) * rng.uniform(0.02, 0.06), np.full(2, rng.uniform(0.016, 0.03))
    ),
    "torus": lambda rng: trimesh.creation.torus(rng.uniform(0.04, 0.07), rng.uniform(0.009, 0.016), 36, 18),
    "hexprism": lambda rng: cylinder(rng.uniform(0.022, 0.04), rng.uniform(0.06, 0.14), 6),
    **{shape.__name__: shape for shape in SHAPES},
}
OBJECTS = (*PARAMETRIC, *MESHES)
