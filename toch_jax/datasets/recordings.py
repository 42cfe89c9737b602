"""Recordings as their authors published them: checks of their files, and their hand shapes as MANO shape directions.

An unposed hand is the template plus a weighted sum of directions, so any given hand (a scan, for example) can be added
as one more direction, and one hand model serves all clips. Each side gets the directions of both hands, the other
hand's mirrored: a mirrored clip then belongs to the other side's model with the same shape coefficients.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.files import write_mano
from toch_jax.hand.model import HandModel, Side

FOLDER = "hand"
_FLIP = np.array([-1.0, 1.0, 1.0])[:, None]


@dataclass(frozen=True)
class Recording:
    """One file to convert."""

    id: str
    """Unique; used as a file name."""
    split: str
    path: Path


def need_file(spec: DatasetSpec, path: Path) -> Path:
    """The path, if it exists; otherwise raises InputError with the instructions for getting the data set."""
    if not path.exists():
        raise bad_input(path, spec.name, f"this file of the data set ({spec.how_to_get})", "nothing there")
    return path


def numbers(where: str | Path, field: str, value: object, shape: tuple[int | None, ...]) -> np.ndarray:
    """`value` as an array of finite numbers of this shape (None: any size). Raises InputError if it is not one."""
    array = plain_array(where, field, value)
    fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "biuf" or not fits or not array.size:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise bad_input(where, field, f"numbers of shape ({wanted})", f"{array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise bad_input(where, field, "finite numbers", f"{(~np.isfinite(array)).sum()} that are not")
    return array


def plain_array(where: str | Path, field: str, value: object) -> np.ndarray:
    """`value` as an array of any dtype. Raises InputError if it is not one (a ragged list)."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise bad_input(where, field, "an array", f"{error!r:.60}") from error


def entry(where: str | Path, holder: object, *keys: str) -> object:
    """The entry of nested dicts at `keys`, outermost first. Raises InputError where a key is missing."""
    for depth, key in enumerate(keys, start=1):
        if not isinstance(holder, dict) or key not in holder:
            raise bad_input(where, ".".join(keys[:depth]), "this entry", "none")
        holder = holder[key]
    return holder


def runs(selected: Bool[np.ndarray, "T"], shortest: int) -> Iterator[slice]:
    """Runs of at least `shortest` consecutive true frames."""
    edges = np.flatnonzero(np.diff(selected.astype(int), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start >= shortest:
            yield slice(start, stop)


def with_shapes(
    models: dict[Side, HandModel], right: Float[np.ndarray, "V 3 R"], left: Float[np.ndarray, "V 3 L"]
) -> dict[Side, HandModel]:
    """The models with S + R + L shape directions: their own S, then the R of the right hand, then the L of the left.

    A direction is the displacement (m) of the unposed hand's vertices per unit of its coefficient.
    """
    added = {"right": (right, left * _FLIP), "left": (right * _FLIP, left)}
    return {
        side: model.replace(
            shapedirs=jnp.asarray(np.concatenate([np.asarray(model.shapedirs), *added[side]], axis=-1), jnp.float32)
        )
        for side, model in models.items()
    }


def write_hands(folder: Path, models: Mapping[Side, HandModel]) -> None:
    """Write the models as MANO files to `folder`/hand, where `load_hand` finds them."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for side, model in models.items():
        write_mano(folder / FOLDER / f"MANO_{side.upper()}.npz", model)
