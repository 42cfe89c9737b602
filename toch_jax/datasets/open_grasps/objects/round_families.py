"""Families of rigid objects that are round, or round but for a handle (families.py). Metres, z up."""

import numpy as np
import trimesh
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.objects.proportions import (
    WALL,
    Rng,
    between,
    corners,
    ellipsoid,
    side_handle,
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


def ball(rng: Rng) -> Trimesh:
    return trimesh.creation.icosphere(subdivisions=3, radius=between(rng, 0.01, 0.1))


def egg(rng: Rng) -> Trimesh:
    return ellipsoid(rng, *(between(rng, 0.012, 0.07) for _ in range(3)))


def prism(rng: Rng) -> Trimesh:
    return cylinder(between(rng, 0.012, 0.06), between(rng, 0.02, 0.2), corners(rng))


def stick(rng: Rng) -> Trimesh:
    """Pens, sticks, flutes."""
    length, radius = between(rng, 0.08, 0.28), between(rng, 0.003, 0.012)
    return revolve((radius, 0.0), (radius * rng.uniform(0.7, 1.5), length * 0.5), (radius, length))


def frustum(rng: Rng) -> Trimesh:
    """Cones, pyramids and their stumps."""
    height, sides = between(rng, 0.04, 0.16), corners(rng)
    foot = cylinder(between(rng, 0.02, 0.06), 0.004, sides)
    top = moved(cylinder(between(rng, 0.004, 0.04), 0.004, sides), 0, 0, height)
    return hull(foot, top)


def plate(rng: Rng) -> Trimesh:
    """Flat plates with a rim that rises."""
    radius, rise = between(rng, 0.04, 0.13), rng.uniform(0.0, 0.035)
    return hollow((radius * rng.uniform(0.5, 0.9), 0.0), (radius, WALL + rise), wall=rng.uniform(WALL, 0.008))


def vessel(rng: Rng) -> Trimesh:
    """Cups, bowls, pots, buckets."""
    foot, height = between(rng, 0.02, 0.07), between(rng, 0.03, 0.18)
    rim = foot * rng.uniform(0.9, 1.9)
    middle = (foot + rim) / 2 * rng.uniform(0.85, 1.25)
    return hollow((foot, 0.0), (middle, height / 2), (rim, height), wall=rng.uniform(WALL, 0.007))


def mug(rng: Rng) -> Trimesh:
    radius, height = between(rng, 0.025, 0.06), between(rng, 0.05, 0.16)
    wall = rng.uniform(WALL, 0.007)
    body = hollow((radius * rng.uniform(0.8, 1.0), -height / 2), (radius, height / 2), wall=wall)
    return union(body, minus(side_handle(rng, radius, height), cylinder(radius - 0.5 * wall, 2 * height)))


def trophy(rng: Rng) -> Trimesh:
    """A vessel with two handles."""
    radius, height = between(rng, 0.03, 0.06), between(rng, 0.06, 0.14)
    body = hollow((radius * rng.uniform(0.5, 1.0), -height / 2), (radius, height / 2), wall=0.005)
    handle = minus(side_handle(rng, radius, height), cylinder(radius - 0.0025, 2 * height))
    foot = moved(cylinder(radius * 0.6, 0.01), 0, 0, -height / 2 - 0.004)
    return union(body, foot, handle, rotated(handle, "z", 180))


def goblet(rng: Rng) -> Trimesh:
    """A foot, a thin stem, and a bowl."""
    foot, stem, bowl = between(rng, 0.02, 0.045), between(rng, 0.003, 0.009), between(rng, 0.02, 0.055)
    length, height = between(rng, 0.03, 0.11), between(rng, 0.04, 0.11)
    solid = [(foot, 0.0), (foot, 0.004), (stem * 1.5, 0.008), (stem, 0.012), (stem, length)]
    outside = [
        (bowl * 0.6, length + 0.01),
        (bowl, length + height * 0.45),
        (bowl * rng.uniform(0.8, 1.1), length + height),
    ]
    inside = [(r - WALL, z + (0.006 if k == 0 else 0)) for k, (r, z) in enumerate(outside)]
    return minus(revolve(*solid, *outside), revolve(*inside, (inside[-1][0], length + 2 * height)))


def bottle(rng: Rng) -> Trimesh:
    radius, height = between(rng, 0.015, 0.05), between(rng, 0.07, 0.28)
    neck, shoulder = max(0.006, radius * rng.uniform(0.25, 0.8)), rng.uniform(0.4, 0.8)
    waist = radius * rng.uniform(0.75, 1.0)
    steps = [(radius, 0.0), (waist, shoulder / 2), (radius, shoulder), (neck, (shoulder + 1) / 2), (neck, 1.0)]
    return revolve(*((r, height * z) for r, z in steps))


def turned(rng: Rng) -> Trimesh:
    """Whatever a lathe makes: vases, chess men, candlesticks."""
    height, count = between(rng, 0.04, 0.2), int(rng.integers(4, 9))
    radii = np.clip(between(rng, 0.01, 0.04) * np.exp(rng.normal(scale=0.35, size=count)), 0.004, 0.06)
    return revolve(*zip(radii, height * np.linspace(0, 1, count), strict=True))


def knob(rng: Rng) -> Trimesh:
    """A head on a stem on a base: knobs, stamps, mushrooms, joysticks."""
    base, stem, head = between(rng, 0.01, 0.05), between(rng, 0.004, 0.012), between(rng, 0.012, 0.04)
    length, tall = between(rng, 0.012, 0.08), between(rng, 0.01, 0.045)
    steps = [(base, 0.0), (base, 0.006), (stem, 0.01), (stem, 0.01 + length)]
    steps += [(head * 0.8, 0.012 + length), (head, 0.012 + length + tall / 2), (head * 0.6, 0.012 + length + tall)]
    return revolve(*steps)


def ring(rng: Rng) -> Trimesh:
    tube = between(rng, 0.004, 0.018)
    return trimesh.creation.torus(tube + between(rng, 0.01, 0.08), tube, 36, 12)


def hoop(rng: Rng) -> Trimesh:
    """Bands and short pipes."""
    radius, height = between(rng, 0.018, 0.07), between(rng, 0.008, 0.12)
    return minus(cylinder(radius, height), cylinder(radius - rng.uniform(WALL, 0.009), height + 0.01))


def wheel(rng: Rng) -> Trimesh:
    """Rims around a core: wheels, spools, yo-yos, lids with a grip."""
    flange, core, height = between(rng, 0.015, 0.07), rng.uniform(0.25, 0.7), between(rng, 0.012, 0.08)
    edge = max(WALL, 0.1 * height)
    steps = [(flange, 0.0), (flange, edge), (flange * core, 1.3 * edge), (flange * core, height)]
    last = between(rng, 0.5, 1.0) * flange
    return revolve(*steps, (last, height + 0.3 * edge), (last, height + 1.3 * edge))


def bulb(rng: Rng) -> Trimesh:
    """A ball on a neck: light bulbs, pears, rattles."""
    radius, neck, length = between(rng, 0.02, 0.045), between(rng, 0.006, 0.014), between(rng, 0.02, 0.1)
    angle = np.radians(np.linspace(-60, 88, 12))
    glass = [(radius * np.cos(a), length + radius * (0.8 + np.sin(a))) for a in angle]
    return revolve((neck, 0.0), (neck * 1.05, length), *glass)


def dumbbell(rng: Rng) -> Trimesh:
    grip, head, bar = between(rng, 0.05, 0.13), between(rng, 0.015, 0.045), between(rng, 0.006, 0.017)
    end = cylinder(head, between(rng, 0.01, 0.05), corners(rng))
    return union(cylinder(min(bar, 0.8 * head), grip), moved(end, 0, 0, grip / 2), moved(end, 0, 0, -grip / 2))


def horn(rng: Rng) -> Trimesh:
    """Bent round things: bananas, croissants, hooks, door handles."""
    span, count = rng.uniform(40, 170), 9
    thick = between(rng, 0.006, 0.02)
    radii = thick * (1 - rng.uniform(0, 0.6) * np.linspace(-1, 1, count) ** 2)
    return tube_along(bow(between(rng, 0.04, 0.1), 90 - span / 2, 90 + span / 2, count), np.maximum(radii, 0.003))


def half(rng: Rng) -> Trimesh:
    """Half an egg: computer mice, domes, soap."""
    size = between(rng, 0.02, 0.09), between(rng, 0.02, 0.09), between(rng, 0.02, 0.07)
    whole = trimesh.creation.icosphere(3).apply_scale(size)
    return minus(whole, moved(box(0.4, 0.4, 0.2), 0, 0, -0.1))


def twins(rng: Rng) -> Trimesh:
    """Two round bodies side by side: binoculars, pairs of bottles."""
    radius, length = between(rng, 0.014, 0.03), between(rng, 0.06, 0.16)
    gap = radius * rng.uniform(1.1, 1.8)
    body = revolve((radius * rng.uniform(0.7, 1.3), -length / 2), (radius, 0.0), (radius * 0.8, length / 2))
    bridge = box(2 * gap, radius * rng.uniform(0.4, 1.2), length * rng.uniform(0.2, 0.7))
    return union(moved(body, gap, 0, 0), moved(body, -gap, 0, 0), bridge)
