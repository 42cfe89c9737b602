import igl
import numpy as np
import pytest
import trimesh

from toch_jax.object.coarse import coarsened

BALL = trimesh.creation.icosphere(subdivisions=6, radius=0.05)


@pytest.mark.parametrize("soup", [False, True])
def test_a_coarse_ball_is_the_ball(soup: bool) -> None:
    vertices, faces = np.asarray(BALL.vertices, np.float32), np.asarray(BALL.faces, np.int32)
    if soup:
        vertices, faces = vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)
    points, triangles, _ = coarsened(vertices, faces, np.zeros(len(vertices), np.int32), 20_000)
    assert 4_000 < len(triangles) <= 20_000
    assert trimesh.Trimesh(points, triangles, process=False).area == pytest.approx(4 * np.pi * 0.05**2, rel=0.01)
    away = igl.point_mesh_squared_distance(np.asarray(BALL.vertices), points.astype(float), triangles.astype(np.int64))
    assert np.sqrt(away[0]).max() < 5e-4


def test_parts_are_not_mixed() -> None:
    """Two identical balls in the same place, each a part of its own."""
    vertices = np.concatenate([BALL.vertices, BALL.vertices])
    faces = np.concatenate([BALL.faces, BALL.faces + len(BALL.vertices)])
    points, triangles, part = coarsened(vertices, faces, np.repeat([0, 1], len(BALL.vertices)), 30_000)
    assert (np.ptp(part[triangles], axis=1) == 0).all()
    assert set(part[triangles.ravel()]) == {0, 1}
    np.testing.assert_allclose(points[part == 0], points[part == 1])


def test_a_mesh_of_few_faces_is_left_as_it_is() -> None:
    mesh = np.asarray(BALL.vertices), np.asarray(BALL.faces), np.zeros(len(BALL.vertices), np.int32)
    for kept, given in zip(coarsened(*mesh, len(BALL.faces)), mesh, strict=True):
        np.testing.assert_array_equal(kept, given)
