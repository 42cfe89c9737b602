"""Random proportions, and the pieces that several families of objects have; metres."""

import numpy as np
import trimesh
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.objects.solids import (
    SECTIONS,
    Number,
    bow,
    tube_along,
)

WALL = 0.004
"""Thinnest wall, metres."""
Rng = np.random.Generator


def between(rng: Rng, low: Number, high: Number) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def ellipsoid(rng: Rng, x: Number, y: Number, z: Number) -> Trimesh:
    """Ellipsoid with these half axes."""
    return trimesh.creation.icosphere(subdivisions=2 + int(rng.integers(2))).apply_scale((x, y, z))


def bar(start: tuple[Number, ...], stop: tuple[Number, ...], radius: Number, end: Number | None = None) -> Trimesh:
    """Round bar with round ends between two points."""
    return tube_along(np.array([start, stop], float), np.array([radius, radius if end is None else end]))


def corners(rng: Rng) -> int:
    """Corners of a cross-section: three to eight, or round."""
    return int(rng.choice([3, 4, 5, 6, 8, SECTIONS, SECTIONS, SECTIONS]))


def side_handle(rng: Rng, radius: Number, height: Number) -> Trimesh:
    """Bow beside a round body of this radius, before the body is taken out of it."""
    arc = bow(1.0, -90, 90, 9) * (between(rng, 0.02, 0.05), 0, height * rng.uniform(0.22, 0.4))
    return tube_along(arc + np.array([radius - 0.003, 0, 0]), np.full(9, between(rng, 0.004, 0.011)))
