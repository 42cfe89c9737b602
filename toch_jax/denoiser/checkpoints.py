"""Files of denoisers: configuration and weights in one file, stored as arrays only."""

import json
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.base.files import read_arrays, write_arrays
from toch_jax.denoiser.field_net import FieldNet, FieldNetConfig
from toch_jax.denoiser.toch import TochConfig, TochDenoiser
from toch_jax.denoiser.window import Estimate, Target, Window

FORMAT, VERSION = "toch-denoiser", 1
DenoiserConfig = FieldNetConfig | TochConfig
_CONFIGS: dict[str, type[FieldNetConfig] | type[TochConfig]] = {"light": FieldNetConfig, "toch": TochConfig}
"""Configuration of each architecture by the name that files state."""


@runtime_checkable
class Denoiser(Protocol):
    """Interface of all networks: a pytree (it can be passed through jax.jit) with a call and a training loss."""

    config: Any
    """`config.smoothed`: whether the network reads the field of the smoothed hand, or of the hand as tracked."""

    def __call__(self, window: Window) -> Estimate: ...

    def loss(self, window: Window, target: Target) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Training loss, and its terms by name."""
        ...


def create_denoiser(config: DenoiserConfig, seed: int) -> FieldNet | TochDenoiser:
    """An untrained network."""
    rngs = nnx.Rngs(seed)
    return FieldNet(config, rngs) if isinstance(config, FieldNetConfig) else TochDenoiser(config, rngs)


def weights(denoiser: FieldNet | TochDenoiser) -> dict[str, jax.Array]:
    """Weights of a network by name, such as "encoder/0/first/kernel"."""
    return {name: leaf.get_value() for name, leaf in _named(denoiser).items()}


def _named(denoiser: FieldNet | TochDenoiser) -> dict[str, nnx.Variable]:
    return {"/".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(denoiser, nnx.Param))}


def save_denoiser(denoiser: FieldNet | TochDenoiser, path: str | Path) -> None:
    """Write one .npz file; an existing file is replaced only when the new one is complete."""
    path = Path(path)
    architecture = next(name for name, kind in _CONFIGS.items() if isinstance(denoiser.config, kind))
    arrays = {f"weights/{name}": np.asarray(array) for name, array in weights(denoiser).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"format": FORMAT, "version": VERSION, "architecture": architecture}
    header["config"] = json.dumps(asdict(denoiser.config))
    write_arrays(path, arrays | {key: np.asarray(value) for key, value in header.items()})


def load_denoiser(path: str | Path = "default") -> FieldNet | TochDenoiser:
    """The network in a file written by `save_denoiser`; "default" is the one that comes with the package.

    Raises InputError if the file is missing, truncated or of another format, or if its weights do not fit its
    architecture.
    """
    path = Path(str(files("toch_jax.denoiser") / "weights" / "default.npz")) if path == "default" else Path(path)
    if not path.is_file():
        raise bad_input(path, "denoiser", "a file written by `toch train`", "no file")
    arrays = read_arrays(path, "denoiser")
    header = {key: str(arrays.pop(key, "nothing")) for key in ("format", "version", "architecture", "config")}
    stated = f"{header['format']} {header['version']}"
    if stated != f"{FORMAT} {VERSION}":
        raise bad_input(path, "format", f"{FORMAT} {VERSION}", stated)
    if header["architecture"] not in _CONFIGS:
        raise bad_input(path, "architecture", " or ".join(_CONFIGS), header["architecture"])
    blank = _blank(path, _CONFIGS[header["architecture"]], header["config"])
    wanted = {f"weights/{name}": leaf.shape for name, leaf in _named(blank).items()}
    found = {name: array.shape for name, array in arrays.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise bad_input(path, name, f"{wanted.get(name, 'nothing')}", f"{found.get(name, 'nothing')}")
    for name, leaf in _named(blank).items():
        leaf.set_value(put(arrays[f"weights/{name}"], np.float32))
    return blank


def as_denoiser(denoiser: Denoiser | str | Path | None) -> Denoiser | None:
    """The denoiser itself, or loaded from its file; "default" is that of the package (loaded once); None stays None."""
    if denoiser == "default":
        return _default_denoiser()
    return load_denoiser(denoiser) if isinstance(denoiser, str | Path) else denoiser


@cache
def _default_denoiser() -> FieldNet | TochDenoiser:
    return load_denoiser()


def _blank(path: Path, kind: Any, text: str) -> FieldNet | TochDenoiser:
    """Network of the configuration `text` (JSON), with shapes in place of weights.

    Raises InputError if the configuration does not have the fields of `kind`.
    """
    try:
        values = json.loads(text)
        expected, found = sorted(field.name for field in fields(kind)), sorted(values)
        if expected != found:
            raise bad_input(path, "config", ", ".join(expected), ", ".join(found))
        config = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        return nnx.eval_shape(lambda: create_denoiser(config, 0))
    except (TypeError, json.JSONDecodeError) as error:
        raise bad_input(path, "config", f"the fields of {kind.__name__}", str(error).splitlines()[0]) from None
