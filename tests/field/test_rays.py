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


# All tests but one have the same numbers of lines, vertices and faces, as each new shape is compiled again.
N_LINES, N_VERTICES, N_FACES = 400, 165, 328


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def all_crossings(origins: np.ndarray, directions: np.ndarray, corners: np.ndarray) -> Float[np.ndarray, "N F"]:
    """Signed distance along each line to each triangle, NaN if it misses, by one float64 linear system each."""
    a, b, c = np.moveaxis(corners.astype(np.float64), 1, 0)
    n, f = len(origins), len(corners)
    matrix = np.empty((n, f, 3, 3))
    matrix[..., 0], matrix[..., 1], matrix[..., 2] = b - a, c - a, -directions[:, None]
    u, v, t = np.moveaxis(np.linalg.solve(matrix, (origins[:, None] - a)[..., None])[..., 0], -1, 0)
    return np.where((u >= 0) & (v >= 0) & (u + v <= 1), t, np.nan)


def test_nearest_both_ways_in_a_soup_of_triangles() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(N_VERTICES, 3)).astype(np.float32)
    faces = np.stack([rng.permutation(N_VERTICES)[:3] for _ in range(N_FACES)])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    origins = rng.normal(size=(N_LINES, 3)).astype(np.float32)
    directions = unit(rng.normal(size=(N_LINES, 3))).astype(np.float32)
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
        np.testing.assert_array_equal(hits.leaving[hit, way], (sign * facing[np.arange(N_LINES), nearest] > 0)[hit])
        place = np.einsum("nk,nkc->nc", hits.barycentric[:, way], mesh.triangles[nearest])
        expected = origins + sign * hits.distance[:, way, None] * directions
        np.testing.assert_allclose(place[hit], expected[hit], atol=2e-5)
        assert not hits.barycentric[~hit, way].any()
        assert not hits.leaving[~hit, way].any()


def test_one_line_and_one_triangle() -> None:
    mesh = trimesh.Trimesh([[0, 0, 1], [4, 0, 1], [0, 4, 1]], [[0, 1, 2]], process=False)
    hits = hits_of(np.array([[1.0, 1.0, 3.0]]), np.array([[0.0, 0.0, 1.0]]), mesh)
    np.testing.assert_allclose(hits.distance, [[np.inf, 2.0]])
    np.testing.assert_allclose(hits.barycentric[0, 1], [0.5, 0.25, 0.25], atol=1e-6)
    np.testing.assert_array_equal(hits.leaving, [[False, False]])


def ball(*more_faces: list[int]) -> trimesh.Trimesh:
    """A sphere of 162 vertices and 320 faces, three more vertices on a line inside it, and `more_faces` first."""
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.07)
    vertices = np.concatenate([mesh.vertices, [[0.01, 0.0, 0.0], [0.01, 0.01, 0.0], [0.01, 0.02, 0.0]]])
    faces = np.concatenate([np.array(more_faces), mesh.faces])
    assert (len(vertices), len(faces)) == (N_VERTICES, N_FACES)
    return trimesh.Trimesh(vertices, faces, process=False)


def test_no_line_slips_between_triangles() -> None:
    mesh, rng = ball(*[[0, 0, 0]] * 8), np.random.default_rng(1)
    edges = mesh.edges_unique[mesh.edges_unique[:, 0] != mesh.edges_unique[:, 1]]
    along = rng.random((len(edges), 1))
    on_edges = (mesh.vertices[edges] * np.stack([along, 1 - along], axis=1)).sum(axis=1)
    targets = np.concatenate([mesh.vertices[:162], on_edges])
    for some in np.array_split(rng.permutation(np.tile(targets, (5, 1)))[: 8 * N_LINES], 8):
        origins = rng.uniform(-0.02, 0.02, some.shape)
        hits = hits_of(origins, unit(some - origins), mesh)
        assert np.isfinite(hits.distance).all()
        assert np.all(hits.leaving)
        np.testing.assert_allclose(hits.distance[:, 0], np.linalg.norm(some - origins, axis=1), atol=1e-6)


def test_triangles_without_area_change_nothing() -> None:
    directions = unit(np.random.default_rng(2).normal(size=(N_LINES, 3)))
    flat = [[162, 163, 164], [162, 162, 163], [164, 164, 164], *([0, k, k] for k in range(1, 6))]
    with_flat, without = (hits_of(0 * directions, directions, ball(*more)) for more in (flat, [[0, 0, 0]] * 8))
    assert np.isfinite(with_flat.distance).all()
    assert np.all(with_flat.triangle >= 8)
    np.testing.assert_array_equal(with_flat.triangle, without.triangle)
    np.testing.assert_array_equal(with_flat.distance, without.distance)
