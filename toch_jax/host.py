"""Cutting, stacking and padding on the host: JAX would compile each of these anew for every shape that it meets."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

Tree = TypeVar("Tree")


def take(tree: Tree, index: Any) -> Tree:
    """`leaf[index]` of every array; `index` is whatever numpy takes."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[index]), tree)


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of one form as one, with a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)


def pad_last(values: Shaped[Array, "..."], size: int, axis: int = 0) -> Shaped[Array, "..."]:
    """The last entry along an axis repeated up to `size` entries."""
    widths = [(0, size - length if along == axis else 0) for along, length in enumerate(values.shape)]
    return jnp.asarray(np.pad(np.asarray(values), widths, mode="edge"))


def repeat(values: Shaped[Array, "*axes"], count: int) -> Shaped[Array, "count *axes"]:
    """The same `count` times over, along a new first axis."""
    return jnp.asarray(np.broadcast_to(np.asarray(values), (count, *values.shape)))
