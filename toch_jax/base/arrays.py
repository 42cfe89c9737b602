"""Records of JAX arrays on the host: sliced, stacked and padded, which JAX would compile for every shape; printed."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Shaped
from numpy.typing import ArrayLike, DTypeLike

Tree = TypeVar("Tree")


def put(values: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """The JAX array of values on the host; `jnp.asarray` would compile a copy for every shape."""
    return jax.device_put(np.asarray(values, dtype))


def take(tree: Tree, index: Any) -> Tree:
    """The tree with `leaf[index]` of every array; `index` is any index of numpy."""
    return jax.tree.map(lambda leaf: put(np.asarray(leaf)[index]), tree)


def stack(trees: Sequence[Tree]) -> Tree:
    """One tree from trees of equal structure and shapes, stacked along a new first axis."""
    if len(trees) == 1:
        # a view: the vertices of a long clip are large
        return take(trees[0], np.s_[None])
    return jax.tree.map(lambda *leaves: put(np.stack(leaves)), *trees)


def pad_last(values: Shaped[Array, "..."], size: int, axis: int = 0) -> Shaped[Array, "..."]:
    """The array padded to `size` entries along `axis` by repeating the last entry."""
    widths = [(0, size - length if along == axis else 0) for along, length in enumerate(values.shape)]
    return put(np.pad(np.asarray(values), widths, mode="edge"))


def repeat(values: Shaped[Array, "*axes"], count: int) -> Shaped[Array, "count *axes"]:
    """The array repeated `count` times along a new first axis."""
    return put(np.broadcast_to(np.asarray(values), (count, *values.shape)))


def short_repr(record: Any, *names: str, **more: Any) -> str:
    """Text such as `Name(array (3, 4), number=5)` of the attributes `names` (default: all dataclass fields) and `more`.

    Values that are None are left out. No values of arrays are read, so that it works while JAX traces.
    """
    given = {name: getattr(record, name) for name in names or (field.name for field in fields(record))} | more
    parts = [_part(name, value) for name, value in given.items() if value is not None]
    return f"{type(record).__name__}({', '.join(parts)})"


def _part(name: str, value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{name}={value!r}" if shape is None else f"{name} {tuple(shape)}"
