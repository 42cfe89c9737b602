"""The methods' names, and their weights."""

from pathlib import Path

import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods import registry
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.method import Learnt
from toch_jax.benchmark.methods.registry import (
    SHIPPED,
    UNTRAINED,
    ContactOpt,
    OracleField,
    OracleMask,
    Ours,
    RefineNet,
    Toch,
)


def test_names_in_results() -> None:
    """Runs of before are resumed by these names."""
    assert [method.name for method in UNTRAINED] == ["input", *(filter.name for filter in FILTERS), "fit", "ours"]
    others = [method.name for method in (Toch(), RefineNet(), ContactOpt(), OracleField(), OracleMask())]
    assert others == ["toch", "refinenet", "contactopt", "oracle:field", "oracle:mask"]
    assert Ours("other.npz", name="ours:other").name == "ours:other"


def test_ours_with_other_weights_beside_the_shipped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(registry, "load_denoiser", lambda path: read.append(path))
    for ours in (Ours(), Ours(__file__, name="ours:other"), OracleMask()):
        ours.load()
    assert read == [SHIPPED, Path(__file__), SHIPPED]


@pytest.mark.parametrize("method", [Toch, RefineNet])
def test_weights_that_are_not_there(method: type[Learnt], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"weights of {method.name}: expected .* found none$"):
        method().load()
    with pytest.raises(InputError, match=f"weights of {method.name}: expected .* found .*no.npz$"):
        method(str(tmp_path / "no.npz")).load()


def test_weights_of_another_network() -> None:
    with pytest.raises(InputError, match=r"default\.npz: architecture: expected toch, found "):
        Toch(str(SHIPPED)).load()
