import functools

import igl
import jax
import jax.numpy as jnp
import numpy as np
import trimesh

from toch_jax.object.build import build_object
from toch_jax.object.distance import signed_distance, signed_distance_gradient
from toch_jax.object.model import ObjectModel

_distance = jax.jit(signed_distance, static_argnums=1)
_distance_gradient = jax.jit(signed_distance_gradient, static_argnums=1)
CAPSULE = trimesh.creation.capsule(height=0.08, radius=0.03)
RING = trimesh.creation.torus(0.05, 0.015, major_sections=48, minor_sections=24)


@functools.cache
def _object() -> ObjectModel:
    mesh = trimesh.util.concatenate([CAPSULE, RING])
    part = np.repeat([0, 1], [len(CAPSULE.vertices), len(RING.vertices)])
    return build_object(mesh.vertices, mesh.faces, part, n_samples=20, sdf_resolution=40)


def _exact(mesh: trimesh.Trimesh, points: jax.Array) -> np.ndarray:
    faces = np.asarray(mesh.faces, np.int64)
    return igl.signed_distance(
        np.asarray(points, float), np.asarray(mesh.vertices), faces, igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    )[0]


def _points(part: int, n: int = 2000) -> jax.Array:
    built = _object()
    low = np.asarray(built.grid.origin[part])
    side = np.asarray(built.grid.spacing[part]) * 39
    return jnp.asarray(np.random.default_rng(part).uniform(low, low + side, (n, 3)), jnp.float32)


def test_close_to_the_exact_distance_within_the_grid() -> None:
    built = _object()
    for part, mesh in enumerate((CAPSULE, RING)):
        points = _points(part)
        found, expected = np.asarray(_distance(built.grid, part, points)), _exact(mesh, points)
        spacing = float(built.grid.spacing[part].max())
        assert np.abs(found - expected).mean() < 0.03 * spacing
        assert np.abs(found - expected).max() < 0.6 * spacing  # at the medial axis, a discontinuity
        away = np.abs(expected) > spacing
        assert (np.sign(found) == np.sign(expected))[away].all()
        assert (expected[away] < 0).sum() > 10


def test_inside_shells_that_overlap() -> None:
    """The distance is that to the nearest surface, however many shells enclose a point."""
    other = CAPSULE.copy().apply_translation((0.03, 0, 0))
    mesh = trimesh.util.concatenate([CAPSULE, other])
    built = build_object(mesh.vertices, mesh.faces, n_samples=20, sdf_resolution=40)
    points = jnp.asarray(
        np.random.default_rng(0).uniform((0.0, -0.03, -0.06), (0.03, 0.03, 0.06), (500, 3)), jnp.float32
    )
    one, two = _exact(CAPSULE, points), _exact(other, points)
    spacing = float(built.grid.spacing.max())
    expected = np.minimum(np.abs(one), np.abs(two)) * np.where((one < 0) | (two < 0), -1.0, 1.0)
    both = (one < -spacing) & (two < -spacing)
    assert both.sum() > 20
    found = np.asarray(_distance(built.grid, 0, points))
    assert np.abs(found - expected)[both].max() < 0.6 * spacing


def test_never_less_than_the_distance_beyond_the_grid() -> None:
    built = _object()
    points = jnp.asarray(np.random.default_rng(0).normal(size=(2000, 3)) * 0.3, jnp.float32)
    found, expected = np.asarray(_distance(built.grid, 0, points)), _exact(CAPSULE, points)
    assert (found - expected > -1e-3).all()
    far = np.abs(np.asarray(points)).max(axis=1) > 0.2
    assert (found[far] < 1.5 * expected[far]).all()


def test_a_part_for_each_point() -> None:
    built = _object()
    points, part = _points(0).reshape(2, 1000, 3), jnp.arange(1000) % 2
    both = jnp.stack([_distance(built.grid, p, points) for p in (0, 1)])
    np.testing.assert_allclose(
        jax.jit(signed_distance)(built.grid, part, points), jnp.where(part == 0, *both), atol=1e-7
    )


def test_gradient_is_the_derivative_and_points_away() -> None:
    built = _object()
    points = jnp.concatenate([_points(1, 1900), _points(1, 100) * 5])
    distance, gradient = _distance_gradient(built.grid, 1, points)
    np.testing.assert_array_equal(distance, _distance(built.grid, 1, points))
    derivative = jax.jit(jax.vmap(jax.grad(lambda point: signed_distance(built.grid, 1, point))))(points)
    np.testing.assert_allclose(gradient, derivative, atol=1e-4)
    near = (np.abs(distance) < 0.01) & (np.abs(distance) > 0.002)
    assert near.sum() > 20
    np.testing.assert_allclose(np.linalg.norm(gradient, axis=1)[near], 1.0, atol=0.15)
    stepped = _distance(built.grid, 1, points + 0.002 * gradient)
    assert np.mean((stepped - distance)[near]) > 0.0018


def test_finite_derivatives_at_nodes_and_on_the_box() -> None:
    built = _object()
    corner = built.grid.origin[0]
    points = jnp.stack([corner, corner + 3 * built.grid.spacing[0], corner + 39 * built.grid.spacing[0], corner - 0.1])
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda point: signed_distance(built.grid, 0, point))))(points)
    for each in both:
        assert np.isfinite(each).all()
