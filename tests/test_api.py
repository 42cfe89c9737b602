"""The names of `import toch_jax`: each gives the same object at every access."""

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

import toch_jax
from toch_jax.object.build import build_object


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
    """Importing a submodule binds its name in the package and would replace an exported name."""
    submodules = {module.name for module in pkgutil.iter_modules(toch_jax.__path__)}
    assert "pipeline" in submodules
    assert not submodules & set(toch_jax.__all__)


def test_the_package_lists_its_names_alone_and_before_it_imports_them() -> None:
    code = """
import sys, toch_jax
assert toch_jax.__all__ == [name for name in dir(toch_jax) if not name.startswith("__")]
assert "jax" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'refin'"):
        _ = toch_jax.refin  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in toch_jax.__all__ if inspect.isfunction(getattr(toch_jax, name))])
def test_a_signature_can_be_read(name: str) -> None:
    """`ArrayLike` written out takes 250 characters, the default settings of the fit 2,000."""
    function = getattr(toch_jax, name)
    signature = inspect.signature(function)
    assert len(str(signature)) < 120 + 60 * len(signature.parameters)
    assert len(function.__doc__) > 40


def test_type_checkers_see_the_types() -> None:
    assert (Path(toch_jax.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("untraced", [True, False])
def test_a_record_prints_on_one_line_without_values(untraced: bool) -> None:
    hand = toch_jax.load_hand("open", "right")
    cube = trimesh.creation.box((0.1, 0.1, 0.1)).subdivide()
    motion = toch_jax.ObjectMotion(jnp.zeros((1, 6, 3, 3)), jnp.zeros((1, 6, 3)))
    field = np.zeros((6, 5))
    records = {
        "HandModel(name='open', side='right', v_template (1650, 3)": hand,
        "HandParams(global_orient (6, 3), pose (6, 45), betas (10,), transl (6, 3))": toch_jax.HandParams(
            *(jnp.zeros(shape) for shape in ((6, 3), (6, 45), (10,), (6, 3)))
        ),
        "ObjectModel(n_parts=1, n_faces=48, n_samples=20, n_nodes=127)": build_object(
            np.asarray(cube.vertices), np.asarray(cube.faces), n_samples=20
        ),
        "ObjectMotion(rotation (1, 6, 3, 3), translation (1, 6, 3))": motion,
        "FieldNet(config=FieldNetConfig(": toch_jax.load_denoiser(),
    }
    denoised = toch_jax.DenoisedField(field, field, np.zeros((6, 5, 3)), field, field)
    shown = repr(denoised)
    if untraced:
        texts = {start: str(record) for start, record in records.items()}
    else:
        texts = {}
        jax.jit(lambda traced: texts.update({start: repr(record) for start, record in traced.items()}))(records)
    assert shown.startswith("DenoisedField(probability (6, 5), distance (6, 5), correspondence (6, 5, 3)")
    for start, text in texts.items():
        assert text.startswith(start)
        assert repr(records[start]) == text
        assert len(text) < 500
        assert "\n" not in text
        assert "array" not in text.lower()
