"""What `import toch_jax` gives: every name is what it says, at every access."""

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import toch_jax


@pytest.mark.parametrize("name", toch_jax.__all__)
def test_a_name_is_the_same_at_every_access(name: str) -> None:
    first = getattr(toch_jax, name)
    assert not isinstance(first, ModuleType)
    assert getattr(toch_jax, name) is first
    bound: dict[str, object] = {}
    exec(f"from toch_jax import {name}", bound)
    assert bound[name] is first
    assert first.__name__ == name


def test_no_name_is_a_submodule_s() -> None:
    """Importing a submodule binds its name in the package, over whatever was there."""
    submodules = {module.name for module in pkgutil.iter_modules(toch_jax.__path__)}
    assert "pipeline" in submodules
    assert not submodules & set(toch_jax.__all__)


def test_the_package_lists_its_names_before_it_imports_them() -> None:
    code = "import sys, toch_jax; assert set(toch_jax.__all__) <= set(dir(toch_jax)); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'refin'"):
        _ = toch_jax.refin  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in toch_jax.__all__ if inspect.isfunction(getattr(toch_jax, name))])
def test_a_signature_can_be_read(name: str) -> None:
    """`ArrayLike` spelled out takes 250 letters, the settings of the fit 2,000."""
    function = getattr(toch_jax, name)
    signature = inspect.signature(function)
    assert len(str(signature)) < 120 + 60 * len(signature.parameters)
    assert len(function.__doc__) > 40


def test_type_checkers_see_the_types() -> None:
    assert (Path(toch_jax.__file__).parent / "py.typed").is_file()
