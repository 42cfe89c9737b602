"""The fit's settings: a unit and a provenance for each."""

import dataclasses

import jax
import pytest

from toch_jax.solver.settings import DEFAULT, FitSettings, Levels


@pytest.mark.parametrize("field", dataclasses.fields(FitSettings), ids=lambda field: field.name)
def test_unit_and_provenance_of_each(field: dataclasses.Field) -> None:
    value, units = getattr(DEFAULT, field.name), field.metadata["unit"].split(", ")
    assert field.metadata["source"].startswith(("tuned", "chosen", "measured", "definition"))
    if isinstance(value, Levels):
        assert len(units) in (1, 3)
        assert units[1:2] == units[2:]
    else:
        assert len(units) in (1, len(value) if isinstance(value, tuple) else 1)
    assert all(unit.replace("²", "") in ("1", "1/s", "m", "s", "rad", "m/s", "rad/s") for unit in units)


def test_numbers_are_traced_but_for_counts() -> None:
    assert len(jax.tree.leaves(DEFAULT)) == 40
    counts = {field.name for field in dataclasses.fields(FitSettings) if not field.metadata["pytree_node"]}
    assert counts == {"correspondences", "steps", "last_steps"}


def test_groups_are_in_the_order_of_the_unknowns() -> None:
    assert Levels(wrist=1.0, orient=2.0, fingers=3.0).by_group().tolist() == [2.0, *[3.0] * 15, 1.0]
