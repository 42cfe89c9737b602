"""Files of networks: architecture, configuration and weights in one .npz file, stored as arrays only."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.base.files import read_arrays, write_arrays
from toch_jax.denoiser.field_net import FieldNet
from toch_jax.denoiser.toch import TochDenoiser
from toch_jax.denoiser.window import Denoiser, DenoiserConfig, Network

FORMAT, VERSION = "toch-denoiser", 1
DENOISERS: tuple[type[FieldNet | TochDenoiser], ...] = (FieldNet, TochDenoiser)


Net = TypeVar("Net", bound=Network)


def create_denoiser(config: DenoiserConfig, seed: int) -> FieldNet | TochDenoiser:
    """An untrained denoiser of the architecture that the configuration belongs to."""
    kind: Any = next(kind for kind in DENOISERS if isinstance(config, kind.CONFIG))
    network: FieldNet | TochDenoiser = kind(config, nnx.Rngs(seed))
    return network


def weights(network: Network) -> dict[str, jax.Array]:
    """Weights of a network by name, such as "encoder/0/first/kernel"."""
    return {name: leaf.get_value() for name, leaf in _named(network).items()}


def _named(network: Network) -> dict[str, nnx.Variable]:
    return {"/".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(network, nnx.Param))}


def save_network(network: Network, path: str | Path) -> None:
    """Write one .npz file; an existing file is replaced only when the new one is complete."""
    path = Path(path)
    arrays = {f"weights/{name}": np.asarray(array) for name, array in weights(network).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"format": FORMAT, "version": VERSION, "architecture": network.ARCHITECTURE}
    header["config"] = json.dumps(asdict(network.config))
    write_arrays(path, arrays | {key: np.asarray(value) for key, value in header.items()})


def load_denoiser(path: str | Path = "default") -> FieldNet | TochDenoiser:
    """The denoiser in a file written by `toch train`; "default" is the one that comes with the package.

    Raises InputError if the file is missing, truncated or of another format, or if its weights do not fit its
    architecture.
    """
    if path == "default":
        path = Path(str(files("toch_jax.denoiser") / "weights" / "default.npz"))
    return load_network(path, DENOISERS)


def load_network(path: str | Path, kinds: Sequence[type[Net]]) -> Net:
    """The network in a file written by `save_network`, of one of the architectures `kinds`; raises InputError."""
    path = Path(path)
    if not path.is_file():
        raise bad_input(path, "denoiser", "a file written by `toch train`", "no file")
    arrays = read_arrays(path, "denoiser")
    header = {key: str(arrays.pop(key, "nothing")) for key in ("format", "version", "architecture", "config")}
    stated = f"{header['format']} {header['version']}"
    if stated != f"{FORMAT} {VERSION}":
        raise bad_input(path, "format", f"{FORMAT} {VERSION}", stated)
    by_name = {kind.ARCHITECTURE: kind for kind in kinds}
    if header["architecture"] not in by_name:
        raise bad_input(path, "architecture", " or ".join(by_name), header["architecture"])
    network = _blank(path, by_name[header["architecture"]], header["config"])
    wanted = {f"weights/{name}": leaf.shape for name, leaf in _named(network).items()}
    found = {name: array.shape for name, array in arrays.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise bad_input(path, name, f"{wanted.get(name, 'nothing')}", f"{found.get(name, 'nothing')}")
    for name, leaf in _named(network).items():
        leaf.set_value(put(arrays[f"weights/{name}"], np.float32))
    return network


def as_denoiser(denoiser: Denoiser | str | Path | None) -> Denoiser | None:
    """The denoiser itself, or loaded from its file; "default" is that of the package (loaded once); None stays None."""
    if denoiser == "default":
        return _default_denoiser()
    return load_denoiser(denoiser) if isinstance(denoiser, str | Path) else denoiser


@cache
def _default_denoiser() -> FieldNet | TochDenoiser:
    return load_denoiser()


def _blank(path: Path, kind: type[Net], text: str) -> Net:
    """Network of the configuration `text` (JSON), with shapes in place of weights.

    Raises InputError if the configuration has fields that its dataclass does not have, or lacks one without a default.
    """
    try:
        values = json.loads(text)
        known = {field.name for field in fields(kind.CONFIG)}
        if unknown := sorted(values.keys() - known):
            raise bad_input(path, "config", ", ".join(sorted(known)), ", ".join(unknown))
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return nnx.eval_shape(lambda: kind(kind.CONFIG(**values), nnx.Rngs(0)))
    except (AttributeError, TypeError, json.JSONDecodeError) as error:
        raise bad_input(path, "config", f"the fields of {kind.CONFIG.__name__}", str(error).splitlines()[0]) from None
