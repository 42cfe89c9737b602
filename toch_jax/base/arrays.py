"""Arrays between the host and JAX, cut, stacked and padded on the host: JAX compiles each of these for every shape."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Shaped
from numpy.typing import ArrayLike, DTypeLike

Tree = TypeVar("Tree")


def put(values: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """`jnp.asarray` of what lies on the host, which would compile a copy for every shape."""
    return jax.device_put(np.asarray(values, dtype))


def take(tree: Tree, index: Any) -> Tree:
    """`leaf[index]` of every array; `index` is whatever numpy takes."""
    return jax.tree.map(lambda leaf: put(np.asarray(leaf)[index]), tree)


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of one form as one, with a new first axis."""
    return jax.tree.map(lambda *leaves: put(np.stack(leaves)), *trees)


def pad_last(values: Shaped[Array, "..."], size: int, axis: int = 0) -> Shaped[Array, "..."]:
    """The last entry along an axis repeated up to `size` entries."""
    widths = [(0, size - length if along == axis else 0) for along, length in enumerate(values.shape)]
    return put(np.pad(np.asarray(values), widths, mode="edge"))


def repeat(values: Shaped[Array, "*axes"], count: int) -> Shaped[Array, "count *axes"]:
    """The same `count` times over, along a new first axis."""
    return put(np.broadcast_to(np.asarray(values), (count, *values.shape)))
