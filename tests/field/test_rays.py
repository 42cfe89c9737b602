"""Lines against triangles: brute force in float64, cracks, degenerate triangles."""

import jax
import jax.numpy as jnp
import numpy as np
import trimesh
from jaxtyping import Float

from toch_jax.field.rays import Hits, nearest_hits


def hits_of(origins: np.ndarray, directions: np.ndarray, mesh: trimesh.Trimesh, reach: float = 10.0) -> Hits:
    hits = jax.jit(nearest_hits)(
        jnp.asarray(origins, jnp.float32)[None],
        jnp.asarray(directions, jnp.float32)[None],
        jnp.full((len(origins), 2), reach),
        jnp.asarray(mesh.vertices, jnp.float32)[None],
        jnp.asarray(mesh.faces, jnp.int32),
        jnp.asarray(mesh.vertices, jnp.float32),
    )
    return jax.tree.map(lambda x: x[0], hits)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def all_crossings(origins: np.ndarray, directions: np.ndarray, corners: np.ndarray) -> Float[np.ndarray, "N F"]:
    """Signed distance along each line to each triangle, nan where it misses; one linear system each, float64."""
    a, b, c = np.moveaxis(corners.astype(np.float64), 1, 0)
    n, f = len(origins), len(corners)
    matrix = np.empty((n, f, 3, 3))
    matrix[..., 0], matrix[..., 1], matrix[..., 2] = b - a, c - a, -directions[:, None]
    u, v, t = np.moveaxis(np.linalg.solve(matrix, (origins[:, None] - a)[..., None])[..., 0], -1, 0)
    return np.where((u >= 0) & (v >= 0) & (u + v <= 1), t, np.nan)


def test_nearest_both_ways_in_a_soup_of_triangles() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(3 * 200, 3)).astype(np.float32)
    mesh = trimesh.Trimesh(vertices, np.arange(600).reshape(-1, 3), process=False)
    origins = rng.normal(size=(300, 3)).astype(np.float32)
    directions = unit(rng.normal(size=(300, 3))).astype(np.float32)
    hits = hits_of(origins, directions, mesh)
    t = all_crossings(origins, directions, mesh.triangles)
    facing = np.einsum("nc,fc->nf", directions, mesh.face_normals)
    for way, sign in enumerate((1, -1)):
        ahead = np.where(sign * t > 0, sign * t, np.inf)
        nearest = ahead.argmin(axis=1)
        hit = np.isfinite(ahead.min(axis=1))
        assert hit.sum() > 200
        np.testing.assert_array_equal(np.isfinite(hits.distance[:, way]), hit)
        np.testing.assert_array_equal(hits.triangle[hit, way], nearest[hit])
        np.testing.assert_allclose(hits.distance[hit, way], ahead.min(axis=1)[hit], atol=2e-5)
        np.testing.assert_array_equal(hits.leaving[hit, way], (sign * facing[np.arange(300), nearest] > 0)[hit])
        place = np.einsum("nk,nkc->nc", hits.barycentric[:, way], mesh.triangles[nearest])
        expected = origins + sign * hits.distance[:, way, None] * directions
        np.testing.assert_allclose(place[hit], expected[hit], atol=2e-5)
        assert not hits.barycentric[~hit, way].any()
        assert not hits.leaving[~hit, way].any()


def test_no_line_slips_between_triangles() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.07)
    rng = np.random.default_rng(1)
    along = rng.random((len(mesh.edges_unique), 1))
    on_edges = (mesh.vertices[mesh.edges_unique] * np.stack([along, 1 - along], axis=1)).sum(axis=1)
    targets = np.concatenate([mesh.vertices, on_edges])
    origins = rng.uniform(-0.02, 0.02, targets.shape)
    hits = hits_of(origins, unit(targets - origins), mesh)
    assert np.isfinite(hits.distance).all()
    assert hits.leaving.all()
    np.testing.assert_allclose(hits.distance[:, 0], np.linalg.norm(targets - origins, axis=1), atol=1e-6)


def test_triangles_without_area_change_nothing() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    vertices = np.concatenate([mesh.vertices, [[0.01, 0.0, 0.0], [0.01, 0.01, 0.0], [0.01, 0.02, 0.0]]])
    flat = np.array([[0, 1, 2], [0, 0, 1], [2, 2, 2]]) + len(mesh.vertices)
    flat = np.concatenate([flat, mesh.faces[:5][:, [0, 1, 1]]])
    directions = unit(np.random.default_rng(2).normal(size=(400, 3)))
    again, hits = (
        hits_of(
            0 * directions, directions, trimesh.Trimesh(vertices, np.concatenate([mesh.faces, more]), process=False)
        )
        for more in (np.repeat(mesh.faces[:1], len(flat), axis=0), flat)
    )
    assert np.isfinite(hits.distance).all()
    np.testing.assert_array_equal(hits.triangle, again.triangle)
    np.testing.assert_array_equal(hits.distance, again.distance)
