"""Symmetry groups of solids, known in closed form."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.object.symmetry import symmetries

TURN, OFF = Rotation.from_rotvec([0.3, 1.0, -0.4]).as_matrix(), np.array([0.2, 0.1, -0.3])


def turned(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The solid away from its own origin and axes."""
    return trimesh.Trimesh(mesh.vertices @ TURN.T + OFF, mesh.faces, process=False)


@pytest.mark.parametrize(
    ("solid", "order"),
    [
        (trimesh.creation.box((0.1, 0.06, 0.03)), 4),
        (trimesh.creation.box((0.06, 0.06, 0.15)), 8),
        (trimesh.creation.box((0.06, 0.06, 0.06)), 24),
        (trimesh.creation.cylinder(0.03, 0.15, sections=6), 12),
        (trimesh.creation.cylinder(0.04, 0.1, sections=3), 6),
        (trimesh.convex.convex_hull(np.random.default_rng(0).normal(0, 0.04, (12, 3))), 1),
    ],
)
def test_group(solid: trimesh.Trimesh, order: int) -> None:
    mesh = turned(solid)
    group, middle = symmetries(mesh.vertices, mesh.faces)
    assert len(group) == order
    np.testing.assert_array_equal(group[0], np.eye(3))
    corners = mesh.vertices - middle
    for rotation in group:
        # every corner lands on a corner
        assert cKDTree(corners).query(corners @ rotation.T)[0].max() < 2e-4
        np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_solid_of_revolution() -> None:
    """All rotations found are about its axis; without a top and bottom alike there are no others."""
    mesh = turned(trimesh.creation.cone(0.03, 0.1))
    group, _ = symmetries(mesh.vertices, mesh.faces)
    axes = Rotation.from_matrix(group[1:]).as_rotvec()
    assert len(axes) >= 10
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    assert (np.abs(axes @ TURN[:, 2]) > 0.999).all()


def test_a_handle_breaks_the_symmetry() -> None:
    cup = trimesh.creation.cylinder(0.04, 0.1)
    handle = trimesh.creation.box((0.03, 0.01, 0.06))
    handle.apply_translation([0.05, 0, 0])
    mesh = turned(trimesh.util.concatenate([cup, handle]))
    group, _ = symmetries(mesh.vertices, mesh.faces)
    # the half turn about the handle's axis is left
    assert len(group) == 2
