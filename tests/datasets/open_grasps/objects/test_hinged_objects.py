"""Hinged objects: two solids each, which rotate as ARCTIC's do and never intersect."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

from toch_jax.datasets.hinged import hinge_rotation, part_motion
from toch_jax.datasets.open_grasps.objects.hinged import HINGED, UPRIGHT, make_hinged, part_meshes


def posed(mesh: Trimesh, angle: float, turn: Rotation, shift: np.ndarray) -> np.ndarray:
    """Vertices of a top in the world as ARCTIC documents it: rotated about (0, 0, -1) through 0, then R v + t."""
    c, s = np.cos(-angle), np.sin(-angle)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return turn.apply(mesh.vertices @ about_z.T) + shift


@pytest.mark.parametrize("name", HINGED)
def test_parts_are_solids_that_turn_freely(name: str) -> None:
    sizes = []
    for variant in range(2):
        bottom, top = part_meshes(make_hinged(name, variant))
        for part in (bottom, top):
            assert part.is_volume
            assert part.body_count == 1
        both = trimesh.util.concatenate([bottom, top])
        assert len(both.faces) <= 2000
        assert 0.08 < both.extents.max() < 0.36
        sizes.append(both.extents)
        for angle in np.deg2rad(np.linspace(0, HINGED[name].widest, 7)):
            turned = Trimesh(posed(top, angle, Rotation.identity(), np.zeros(3)), top.faces)
            common = trimesh.boolean.intersection([bottom, turned], engine="manifold")
            assert len(common.faces) == 0 or abs(common.volume) < 1e-10
    assert np.abs(sizes[0] - sizes[1]).max() > 1e-4


@pytest.mark.parametrize("name", HINGED)
def test_the_top_opens_upwards(name: str) -> None:
    bottom, top = part_meshes(make_hinged(name, 0))
    far = np.argmax(np.linalg.norm(top.vertices[:, :2], axis=1))
    gaps = []
    for angle in (0.0, np.deg2rad(30)):
        corner = posed(top, angle, UPRIGHT, np.zeros(3))[far]
        gaps.append(np.linalg.norm(UPRIGHT.apply(bottom.vertices) - corner, axis=1).min())
        assert name == "scissors" or angle == 0 or corner[2] > UPRIGHT.apply(bottom.vertices)[:, 2].max()
    assert gaps[1] > gaps[0] + 0.01


def test_layout_is_arctics() -> None:
    rng = np.random.default_rng(0)
    top = part_meshes(make_hinged("laptop", 0))[1]
    angle, turn, shift = np.array([0.0, 0.4, 1.5]), Rotation.random(3, rng=rng), rng.normal(size=(3, 3))
    rotation, translation = part_motion(angle, turn.as_rotvec(), shift)
    for frame in range(3):
        wanted = posed(top, angle[frame], turn[frame], shift[frame])
        found = Rotation.from_rotvec(rotation[1, frame]).apply(top.vertices) + translation[1, frame]
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        np.testing.assert_allclose(
            turn[frame].as_matrix() @ hinge_rotation(angle).as_matrix()[frame], turn_of(rotation[1, frame])
        )


def turn_of(vector: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(vector).as_matrix()
