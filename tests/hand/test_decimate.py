import dataclasses

import jax
import numpy as np
import pytest
import trimesh
from igl import point_mesh_squared_distance

from toch_jax.base.errors import InputError
from toch_jax.hand.decimate import decimate
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, skin_frames


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
