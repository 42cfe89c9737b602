"""What the error of a missing package says to install."""

import pytest

from toch_jax.base import errors


@pytest.fixture(autouse=True)
def _metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata of an installed package, in which an extra that includes others repeats their requirements."""
    lines = [
        "jax>=0.10",
        "tensorflow-datasets>=4.9; extra == 'train'",
        "tensorflow-datasets>=4.9; extra == 'myodm'",
        "mujoco>=3.2; extra == 'myodm'",
        'viser[dev]>=1.1; extra == "view"',
        *(f"{name}; extra == 'all'" for name in ("tensorflow-datasets", "mujoco", "viser")),
    ]
    monkeypatch.setattr(errors, "requires", lambda _: lines)


@pytest.mark.parametrize(
    ("module", "extra"), [("tensorflow_datasets.core", "train"), ("mujoco", "myodm"), ("viser", "view")]
)
def test_names_the_smallest_extra_that_brings_the_package(module: str, extra: str) -> None:
    fault = errors.missing_extra(ModuleNotFoundError(name=module))
    assert f"pip install 'toch-jax[{extra}]'" in str(fault)


@pytest.mark.parametrize("module", ["jax", "numpy", "", None])
def test_errors_of_other_packages_stay_as_they_are(module: str | None) -> None:
    error = ModuleNotFoundError(name=module)
    assert errors.missing_extra(error) is error
