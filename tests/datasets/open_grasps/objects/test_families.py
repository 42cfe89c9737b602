"""The families: solids of many sizes, another for each number, split by family."""

import numpy as np
import pytest

from toch_jax.datasets.open_grasps.objects.families import FAMILIES, make_member
from toch_jax.datasets.open_grasps.objects.rigid import MAX_FACES
from toch_jax.datasets.spec import load_spec

MEMBERS = 6


@pytest.mark.parametrize("family", FAMILIES)
def test_members_are_solids_that_hands_hold_and_differ(family: str) -> None:
    sizes = []
    for number in range(MEMBERS):
        mesh = make_member(family, number)
        assert mesh.is_volume
        assert mesh.body_count == 1
        assert len(mesh.faces) <= MAX_FACES
        assert 0.008 < mesh.extents.max() < 0.42
        np.testing.assert_allclose(mesh.bounds.sum(axis=0), 0, atol=1e-9)
        sizes.append(mesh.extents / mesh.extents.max())
    if family != "ball":
        # proportions differ, not the scale alone
        assert np.abs(np.diff(sizes, axis=0)).max() > 0.05


def test_balls_are_of_2_to_20_cm() -> None:
    across = [make_member("ball", number).extents.max() for number in range(40)]
    assert 0.0195 < min(across) < 0.03
    assert 0.13 < max(across) < 0.201


def test_members_are_the_same_each_time_and_others_with_another_seed() -> None:
    one, two, other = make_member("pan", 3), make_member("pan", 3), make_member("pan", 3, seed=1)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.faces, two.faces)
    assert one.vertices.shape != other.vertices.shape or not np.allclose(one.vertices, other.vertices)


def test_every_family_is_in_exactly_one_split() -> None:
    splits = load_spec("open_grasps_large").splits
    assert sorted(name for names in splits.values() for name in names) == sorted(FAMILIES)
