"""Families of rigid objects (families.py) that are flat or built of several pieces: tools, toys, cases. Metres."""

import numpy as np
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.objects.proportions import (
    WALL,
    Rng,
    bar,
    between,
    corners,
    ellipsoid,
)
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


def block(rng: Rng) -> Trimesh:
    return box(*(between(rng, 0.012, 0.2) for _ in range(3)))


def slab(rng: Rng) -> Trimesh:
    """Phones, books, boards: flat, with round or sharp corners."""
    width, height, thick = between(rng, 0.04, 0.16), between(rng, 0.06, 0.24), between(rng, 0.005, 0.035)
    corner = rng.uniform(0.05, 0.45) * min(width, height)
    posts = [
        moved(rotated(cylinder(corner, thick, 4 * int(rng.integers(1, 5))), "x", 90), x, 0, z)
        for x in (corner - width / 2, width / 2 - corner)
        for z in (corner - height / 2, height / 2 - corner)
    ]
    return hull(*posts)


def trinket(rng: Rng) -> Trimesh:
    """Dice, nuts, pebbles, keys: what finger tips alone hold."""
    kind = rng.integers(4)
    if kind == 0:
        return box(*(between(rng, 0.006, 0.03) for _ in range(3)))
    if kind == 1:
        return ellipsoid(rng, *(between(rng, 0.006, 0.018) for _ in range(3)))
    if kind == 2:
        return cylinder(between(rng, 0.006, 0.018), between(rng, 0.005, 0.035), corners(rng))
    outer, height = between(rng, 0.012, 0.025), between(rng, 0.005, 0.02)
    return minus(cylinder(outer, height, 6), cylinder(outer - between(rng, 0.005, 0.008), 0.05, 16))


def pan(rng: Rng) -> Trimesh:
    """A flat vessel with a long handle: pans, ladles, tennis rackets."""
    radius, length, rim = between(rng, 0.03, 0.11), between(rng, 0.08, 0.18), between(rng, 0.008, 0.06)
    body = hollow((radius * rng.uniform(0.7, 1.0), 0.0), (radius, WALL + rim), wall=rng.uniform(WALL, 0.007))
    high, thick = rng.uniform(0.004, rim), between(rng, 0.004, 0.014)
    rise = rng.uniform(-0.01, 0.03)
    path = np.array([(radius * 0.9, 0, high), (radius + length / 2, 0, high + rise), (radius + length, 0, high + rise)])
    handle = tube_along(path, thick * np.array([0.8, 1, 1.1])).apply_scale((1, rng.uniform(0.8, 1.5), 1))
    return union(body, minus(handle, moved(cylinder(radius * 0.93, 0.3), 0, 0, 0)))


def spoon(rng: Rng) -> Trimesh:
    """A handle with a head like an egg: spoons, brushes, maracas."""
    length, radius = between(rng, 0.08, 0.2), between(rng, 0.0035, 0.012)
    head = between(rng, 0.012, 0.035), between(rng, 0.012, 0.03), between(rng, 0.005, 0.03)
    stem = bar((0, 0, 0), (length, 0, rng.uniform(-0.015, 0.015)), radius, radius * rng.uniform(0.6, 1.2))
    return union(stem, moved(ellipsoid(rng, *head), length + 0.7 * head[0], 0, 0))


def blade(rng: Rng) -> Trimesh:
    """A handle with a flat blade: knives, spatulas, paddles, saws."""
    grip, length, width = between(rng, 0.08, 0.13), between(rng, 0.05, 0.18), between(rng, 0.01, 0.06)
    handle = rotated(cylinder(1.0, grip, 16), "y", 90).apply_scale(
        (1, between(rng, 0.006, 0.015), between(rng, 0.008, 0.018))
    )
    flat = box(length, rng.uniform(WALL, 0.006), width)
    return union(handle, moved(flat, (grip + length) / 2 - 0.01, 0, rng.uniform(-0.3, 0.3) * width))


def hammer(rng: Rng) -> Trimesh:
    """A handle with a head across it."""
    length, head, radius = between(rng, 0.12, 0.28), between(rng, 0.04, 0.13), between(rng, 0.006, 0.016)
    across = moved(rotated(cylinder(between(rng, 0.009, 0.03), head, corners(rng)), "x", 90), 0, 0, length / 2)
    shaft = cylinder(1.0, length, 16).apply_scale((radius, radius * rng.uniform(1, 1.5), 1))
    return union(shaft, moved(across, 0, rng.uniform(-0.3, 0.3) * head, 0))


def driver(rng: Rng) -> Trimesh:
    """A thick grip with a thin shaft: screwdrivers, files, awls."""
    grip, shaft, radius = between(rng, 0.05, 0.12), between(rng, 0.04, 0.14), between(rng, 0.007, 0.02)
    waist = rng.uniform(0.55, 1.0)
    steps = [(radius * 0.7, 0.0), (radius, 0.15), (radius * waist, 0.6), (radius * 0.9, 0.9), (0.5 * radius, 1.0)]
    rod = moved(cylinder(between(rng, 0.003, 0.006), shaft + 0.01, 12), 0, 0, grip + shaft / 2 - 0.005)
    return union(revolve(*((r, z * grip) for r, z in steps)), rod)


def pliers(rng: Rng) -> Trimesh:
    """Two crossed bars: pliers, scissors, tongs."""
    grip, jaw, spread = between(rng, 0.08, 0.13), between(rng, 0.03, 0.09), rng.uniform(0.015, 0.035)
    radius = between(rng, 0.004, 0.008)
    arms = [bar((-grip, s * spread, 0), (jaw, -s * 0.2 * spread, 0), radius, 0.7 * radius) for s in (-1, 1)]
    return union(*arms, cylinder(between(rng, 0.008, 0.014), 3 * radius))


def pistol(rng: Rng) -> Trimesh:
    """A body with a grip at an angle: drills, irons, spray heads."""
    length, height = between(rng, 0.07, 0.2), between(rng, 0.02, 0.06)
    grip, angle = between(rng, 0.07, 0.12), rng.uniform(-30, 15)
    handle = cylinder(1.0, grip, 16).apply_scale((between(rng, 0.011, 0.022), between(rng, 0.009, 0.017), 1))
    handle = rotated(moved(handle, 0, 0, -grip / 2), "y", angle)
    body = rotated(cylinder(height / 2, length, corners(rng)), "y", 90)
    return union(body, moved(handle, rng.uniform(-0.4, 0.2) * length, 0, -0.2 * height))


def basket(rng: Rng) -> Trimesh:
    """A vessel or a case under a bow: baskets, kettles, kettlebells, bags."""
    width, depth, height = between(rng, 0.06, 0.18), between(rng, 0.03, 0.14), between(rng, 0.03, 0.12)
    body = box(width, depth, height) if rng.random() < 0.5 else ellipsoid(rng, width / 2, depth / 2, height / 2)
    arc = bow(1.0, 0, 180, 11) * (width * rng.uniform(0.25, 0.4), 0, between(rng, 0.035, 0.07))
    arc = np.concatenate([arc[:1] - (0, 0, height / 3), arc, arc[-1:] - (0, 0, height / 3)])
    return union(body, moved(tube_along(arc, np.full(13, between(rng, 0.004, 0.012))), 0, 0, height / 2 - 0.008))


def animal(rng: Rng) -> Trimesh:
    """A body with a head and legs: toys."""
    half = np.array([between(rng, 0.025, 0.05), between(rng, 0.015, 0.03), between(rng, 0.018, 0.035)])
    leg, thick = between(rng, 0.015, 0.05), between(rng, 0.005, 0.012)
    feet = [(sx * half[0] * 0.55, sy * half[1] * 0.6) for sx in (-1, 1) for sy in (-1, 1)]
    legs = [bar((x, y, 0), (x * 1.1, y * 1.1, -half[2] * 0.5 - leg), thick) for x, y in feet]
    place = np.array([half[0] * rng.uniform(0.7, 1.2), 0, half[2] * rng.uniform(0.3, 1.3)])
    head = moved(ellipsoid(rng, *(between(rng, 0.012, 0.026) for _ in range(3))), *place)
    nose_end = place + np.array([rng.uniform(0.02, 0.05), 0, rng.uniform(-0.04, 0.02)])
    nose = bar(tuple(place), tuple(nose_end), thick, 0.005)
    neck = bar((0.3 * half[0], 0, 0), tuple(place), 0.5 * half[1])
    return union(ellipsoid(rng, *half), head, nose, neck, *legs)


def craft(rng: Rng) -> Trimesh:
    """A body with thin wings and fins: toy aeroplanes, boats, whisks with fins."""
    length, radius = between(rng, 0.09, 0.2), between(rng, 0.008, 0.02)
    body = rotated(ellipsoid(rng, radius, radius, length / 2), "y", 90)
    wing = box(between(rng, 0.02, 0.05), between(rng, 0.08, 0.2), rng.uniform(WALL, 0.007))
    fin = box(0.025, rng.uniform(WALL, 0.006), between(rng, 0.02, 0.045))
    tail = box(0.02, between(rng, 0.03, 0.08), rng.uniform(WALL, 0.006))
    back = -0.38 * length
    return union(body, moved(wing, 0.05 * length, 0, 0), moved(fin, back, 0, 0.015), moved(tail, back, 0, 0))


def controller(rng: Rng) -> Trimesh:
    """A slab with two horns: game controllers, handlebars."""
    width, depth, thick = between(rng, 0.08, 0.14), between(rng, 0.035, 0.06), between(rng, 0.014, 0.026)
    down, out = between(rng, 0.025, 0.06), rng.uniform(-0.01, 0.025)
    horns = [
        bar((s * width * 0.4, 0, 0), (s * (width * 0.4 + out), -down, 0), thick * 0.7, thick * 0.5) for s in (-1, 1)
    ]
    return union(box(width, depth, thick), *horns)


def frame(rng: Rng) -> Trimesh:
    """An arc with pads or bars at its ends: headphones, spectacles, tweezers, horseshoes."""
    radius, thick, span = between(rng, 0.03, 0.085), between(rng, 0.003, 0.008), rng.uniform(130, 230)
    arc = tube_along(bow(radius, 90 - span / 2, 90 + span / 2, 12), np.full(12, thick))
    ends = bow(radius, 90 - span / 2, 90 + span / 2, 2)
    size = between(rng, 0.008, 0.032), between(rng, 0.008, 0.032), between(rng, 0.008, 0.032)
    return union(arc, *(moved(ellipsoid(rng, *size), *end) for end in ends))


def profile(rng: Rng) -> Trimesh:
    """L, T, U and H profiles: brackets, blocks of buildings, clamps."""
    long, thick, width = between(rng, 0.05, 0.16), between(rng, 0.006, 0.025), between(rng, 0.01, 0.06)
    foot = box(long, width, thick)
    where = [[-0.5], [0.0], [-0.5, 0.5], [-0.25, 0.25]][int(rng.integers(4))]
    tall = between(rng, 0.03, 0.1)
    posts = [moved(box(thick, width, tall), x * (long - thick), 0, (tall - thick) / 2) for x in where]
    return union(foot, *posts)


def stack(rng: Rng) -> Trimesh:
    """Boxes and cylinders on top of each other: toys, staplers, clocks, machines."""
    size = np.array([between(rng, 0.05, 0.14), between(rng, 0.025, 0.07), between(rng, 0.015, 0.06)])
    parts = [box(*size)]
    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(-0.35, 0.35) * size[0]
        if rng.random() < 0.5:
            tall = between(rng, 0.015, 0.06)
            parts.append(
                moved(cylinder(between(rng, 0.006, 0.3 * size[1] + 0.008), tall, 16), x, 0, size[2] / 2 + 0.4 * tall)
            )
        else:
            top = box(*(size * rng.uniform(0.3, 0.8, size=3)))
            parts.append(moved(top, x, rng.uniform(-0.1, 0.1) * size[1], size[2] / 2))
    return union(*parts)


def cross(rng: Rng) -> Trimesh:
    """Bars from one middle: taps, jacks, stars, propellers."""
    count, reach, thick = int(rng.integers(3, 6)), between(rng, 0.02, 0.07), between(rng, 0.005, 0.014)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    lift = rng.uniform(-0.3, 0.3) * reach
    bars = [bar((0, 0, 0), (reach * np.cos(a), reach * np.sin(a), lift), thick, thick * 0.8) for a in angles]
    stem = bar((0, 0, 0), (0, 0, -between(rng, 0.01, 0.1)), between(rng, 0.005, 0.012))
    return union(*bars, stem)


def pouch(rng: Rng) -> Trimesh:
    """A tube that is flat at one end: toothpaste, bags of sweets."""
    radius, length = between(rng, 0.01, 0.035), between(rng, 0.06, 0.2)
    end = moved(box(2.9 * radius, WALL, WALL), 0, 0, -length / 2)
    cap = moved(cylinder(radius * rng.uniform(0.4, 0.9), 0.04, 16), 0, 0, length / 2 + 0.01)
    return union(hull(moved(cylinder(radius, 0.002), 0, 0, length / 2), end), cap)


def lens(rng: Rng) -> Trimesh:
    """A box with a cylinder on its front and a hump: cameras, radios, projectors."""
    size = np.array([between(rng, 0.06, 0.15), between(rng, 0.025, 0.06), between(rng, 0.04, 0.1)])
    tube = between(rng, 0.02, 0.07)
    front = rotated(cylinder(size[2] * rng.uniform(0.2, 0.48), tube), "x", 90)
    hump = moved(box(*(size * (0.3, 0.7, 0.4))), rng.uniform(-0.3, 0.3) * size[0], 0, size[2] / 2)
    return union(box(*size), moved(front, rng.uniform(-0.2, 0.2) * size[0], (size[1] + tube) / 2 - 0.008, 0), hump)
