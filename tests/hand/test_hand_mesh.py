"""The hand's surface: closure, mirror image, closest points, decimation."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from igl import point_mesh_squared_distance

from toch_jax.base.errors import InputError
from toch_jax.hand.files import _boundary
from toch_jax.hand.mesh import close_surface, closed_faces, closest_on_canonical, decimate, mirror
from toch_jax.hand.model import HandModel, HandParams, skin_frames


@pytest.mark.parametrize("which", ["hand", "cut_hand"])
@pytest.mark.parametrize("left", [False, True])
def test_closed_surface_is_watertight_and_faces_outwards(
    which: str, left: bool, params: HandParams, request: pytest.FixtureRequest
) -> None:
    model: HandModel = request.getfixturevalue(which)
    model = mirror(model) if left else model
    vertices, _ = skin_frames(model, params)
    for posed in close_surface(model, vertices)[:2]:
        mesh = trimesh.Trimesh(np.asarray(posed), np.asarray(closed_faces(model)), process=False)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.euler_number == 2
        assert 150e-6 < mesh.volume < 500e-6


def test_wrist_ring_is_the_boundary(cut_hand: HandModel) -> None:
    loop = _boundary(Path("cut"), np.asarray(cut_hand.faces))
    start = list(np.asarray(cut_hand.wrist_ring)).index(loop[0])
    np.testing.assert_array_equal(np.roll(cut_hand.wrist_ring, -start), loop)


def test_closing_adds_the_rings_centre(cut_hand: HandModel, hand: HandModel) -> None:
    # the open hand's asset was closed in the same way
    closed = close_surface(cut_hand, cut_hand.v_template)
    np.testing.assert_allclose(closed, hand.v_template, atol=1e-6)


@pytest.mark.parametrize("which", ["hand", "cut_hand"])
def test_closest_point_agrees_with_libigl(which: str, request: pytest.FixtureRequest) -> None:
    model: HandModel = request.getfixturevalue(which)
    vertices = np.asarray(close_surface(model, model.v_template), np.float64)
    faces = np.asarray(closed_faces(model), np.int64)
    rng = np.random.default_rng(0)
    points = vertices[rng.integers(0, len(vertices), 300)] + rng.normal(0, 0.01, (300, 3))
    points[:20] = vertices[:20]
    points = points.astype(np.float32)
    face, barycentric, on_skin = closest_on_canonical(model, jnp.asarray(points.reshape(3, 100, 3)))
    assert face.shape == on_skin.shape == (3, 100)
    face, barycentric, on_skin = np.ravel(face), np.asarray(barycentric).reshape(-1, 3), np.ravel(on_skin)
    squared, nearest, _ = point_mesh_squared_distance(points.astype(np.float64), vertices, faces)
    np.testing.assert_array_equal(on_skin, nearest < len(model.faces))
    found = np.einsum("pk,pkc->pc", barycentric, vertices[np.asarray(model.faces)[face]])[on_skin]
    np.testing.assert_allclose(np.linalg.norm(found - points[on_skin], axis=1), np.sqrt(squared)[on_skin], atol=1e-6)
    np.testing.assert_allclose(barycentric.sum(axis=1), 1, atol=1e-5)
    assert barycentric.min() >= 0


@pytest.mark.parametrize("which", ["hand", "cut_hand"])
def test_coarse_hand_is_the_same_hand(which: str, params: HandParams, request: pytest.FixtureRequest) -> None:
    full: HandModel = request.getfixturevalue(which)
    coarse = decimate(full, 1500)
    assert 1490 <= len(coarse.faces) <= 1500
    posed, joints = skin_frames(full, params)
    vertices, coarse_joints = skin_frames(coarse, params)
    np.testing.assert_allclose(coarse_joints, joints, atol=1e-6)
    distances = []
    for fine, rough in zip(close_surface(full, posed), vertices, strict=True):
        mesh = trimesh.Trimesh(np.asarray(rough), np.asarray(coarse.faces), process=False)
        assert mesh.is_watertight
        assert mesh.volume > 0
        samples, _ = trimesh.sample.sample_surface(
            trimesh.Trimesh(np.asarray(fine), np.asarray(closed_faces(full)), process=False), 500, seed=0
        )
        squared = point_mesh_squared_distance(samples, mesh.vertices, mesh.faces.astype(np.int64))[0]
        distances.append(np.sqrt(squared))
    assert np.median(distances) < 0.1e-3
    assert np.quantile(distances, 0.99) < 0.8e-3


def test_correctives_are_carried_over(hand: HandModel, params: HandParams) -> None:
    # correctives that move all vertices alike are the same at every level of detail
    constant = jax.random.normal(jax.random.key(0), (3, 135)) * 1e-3
    full = dataclasses.replace(hand, posedirs=hand.posedirs + constant)
    _, joints = skin_frames(full, params)
    _, coarse_joints = skin_frames(decimate(full, 800), params)
    np.testing.assert_allclose(coarse_joints, joints, atol=2e-6)


def test_too_few_faces(hand: HandModel) -> None:
    with pytest.raises(InputError, match="decimate: n_faces"):
        decimate(hand, 8)
