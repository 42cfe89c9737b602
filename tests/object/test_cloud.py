"""Points closed to a solid, against the shapes that they were drawn from."""

import numpy as np
import pytest
import trimesh

from toch_jax.base.errors import InputError
from toch_jax.object.cloud import closed_surface


def shape(name: str) -> trimesh.Trimesh:
    if name == "ball":
        return trimesh.creation.icosphere(3, 0.04)
    if name == "ring":
        return trimesh.creation.torus(0.05, 0.015)
    if name == "plate":
        return trimesh.creation.box((0.2, 0.15, 0.02))
    wall = trimesh.creation.annulus(0.035, 0.04, 0.09)
    bottom = trimesh.creation.cylinder(0.04, 0.005).apply_translation([0, 0, -0.045])
    return trimesh.boolean.union([wall, bottom], engine="manifold")


@pytest.mark.parametrize("name", ["ball", "ring", "plate", "cup"])
@pytest.mark.parametrize("noise", [0.0, 0.0005])
def test_the_solid_has_the_volume_of_the_shape(name, noise):
    """The cup stays hollow and the ring keeps its hole: their hulls have 3.3 and 1.9 times the volume."""
    true = shape(name)
    points = true.sample(3000, seed=1) + np.random.default_rng(2).normal(scale=noise, size=(3000, 3))
    vertices, faces, ball = closed_surface("points", points)
    found = trimesh.Trimesh(vertices, faces, process=False)
    assert found.is_watertight
    assert found.is_winding_consistent
    # corners inside are rounded by the ball, and points of noise lie up to 3 standard deviations outside
    assert 0.97 * true.volume < found.volume < 1.12 * true.volume + 3 * noise * true.area
    assert 0.001 < ball < 0.03


def test_a_hole_smaller_than_the_ball_is_closed_and_a_large_one_is_not():
    points = shape("ball").sample(4000, seed=1)
    from_pole = np.linalg.norm(points[:, :2], axis=1) + 9 * (points[:, 2] < 0)
    whole, hollow = (
        trimesh.Trimesh(*closed_surface("points", points[from_pole > radius])[:2]).volume for radius in (0.003, 0.035)
    )
    np.testing.assert_allclose(whole, shape("ball").volume, rtol=0.02)
    assert hollow < 0.8 * whole


def test_strays_repeats_and_lost_points_change_little():
    points = shape("ball").sample(4000, seed=1)
    strays = np.random.default_rng(0).normal(scale=0.2, size=(20, 3))
    given = np.concatenate([points, points[:500], strays, np.full((3, 3), np.nan)])
    vertices, faces, _ = closed_surface("points", given)
    np.testing.assert_allclose(trimesh.Trimesh(vertices, faces).volume, shape("ball").volume, rtol=0.1)


def test_a_dense_cloud_is_thinned():
    vertices, faces, _ = closed_surface("points", shape("ball").sample(30_000, seed=1))
    assert len(vertices) <= 10_000
    np.testing.assert_allclose(trimesh.Trimesh(vertices, faces).volume, shape("ball").volume, rtol=0.02)


@pytest.mark.parametrize(
    ("points", "found"),
    [
        (np.zeros((9, 3)), "1 different points"),
        (np.random.default_rng(0).normal(size=(9, 3)) * [1, 1, 0], "9 points in one plane"),
        (np.full((9, 3), np.nan), "0 different points"),
    ],
)
def test_points_without_a_solid_are_refused(points, found):
    with pytest.raises(InputError, match=f"points: object: expected points around a solid, found {found}"):
        closed_surface("points", points)
