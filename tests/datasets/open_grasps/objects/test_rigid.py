"""The objects: solid, of the size of a hand, deterministic, and split by name."""

import numpy as np
import pytest

from toch_jax.datasets.open_grasps.objects.hinged import HINGED
from toch_jax.datasets.open_grasps.objects.rigid import MAX_FACES, MESHES, OBJECTS, make_object
from toch_jax.datasets.spec import load_spec


@pytest.mark.parametrize("name", OBJECTS)
def test_object_is_a_solid_of_a_hands_size(name: str) -> None:
    sizes = []
    for variant in range(2):
        mesh = make_object(name, variant)
        assert mesh.is_volume
        assert mesh.body_count == 1
        assert len(mesh.faces) <= MAX_FACES
        assert 0.03 < mesh.extents.max() < 0.36
        np.testing.assert_allclose(mesh.bounds.sum(axis=0), 0, atol=1e-9)
        sizes.append(mesh.extents)
    assert np.abs(sizes[0] - sizes[1]).max() > 1e-4


def test_objects_are_the_same_each_time() -> None:
    one, two = make_object("mug", 3), make_object("mug", 3)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.faces, two.faces)


def test_every_object_is_in_exactly_one_split() -> None:
    splits = load_spec("open_grasps").splits
    assert sorted(name for names in splits.values() for name in names) == sorted([*OBJECTS, *HINGED])
    assert len(OBJECTS) >= 24
    assert len(MESHES) == 8
