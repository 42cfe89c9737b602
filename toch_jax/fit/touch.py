"""How near each bone's flesh comes to what a hand holds: a density for each of the 16 bones, counted from grasps.

Real fingers rest on a surface: they are seldom 10 mm above it and never 10 mm below it while others hold on. So little
is enough to tell that a hand is off by a centimetre, and which way.
"""

from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int
from scipy.ndimage import gaussian_filter1d

from toch_jax.hand.mesh import farthest_points
from toch_jax.hand.model import HandModel
from toch_jax.host import put

TABLE = Path(__file__).parent / "touch.npz"
"""Counted by experiments/touch.py from generated grasps."""
LOWEST, HIGHEST, WIDTH = -0.015, 0.08, 0.0005
"""Of the table's bins, metres."""
BLUR = 0.0005
ODD = 0.2
"""Share of frames in which a bone may be anywhere: other people's grasps are not the counted ones."""
POINTS_OF_BONE = 16


class Touch(struct.PyTreeNode):
    """Points of the skin of each bone, and the density of the least of their signed distances."""

    vertices: Int[Array, "M"]
    bone: Int[Array, "M"]
    log_density: Float[Array, "16 D"]
    """Per bin."""


def spread_points(model: HandModel) -> tuple[Int[np.ndarray, "M"], Int[np.ndarray, "M"]]:
    """Vertices that stand for the skin of each bone, far from each other; and the bone of each."""
    bone_of = np.asarray(model.weights).argmax(axis=1)
    place = np.asarray(model.v_template)
    chosen = []
    for bone in range(16):
        own = np.flatnonzero(bone_of == bone)
        chosen.append(own[farthest_points(place[own], POINTS_OF_BONE)])
    vertices = np.concatenate(chosen).astype(np.int32)
    return vertices, bone_of[vertices].astype(np.int32)


def least_of_bones(distance: Float[Array, "*frames M"], bone: Int[Array, "M"]) -> Float[Array, "*frames 16"]:
    """The signed distance of each bone's nearest point, metres."""
    return jnp.stack([jnp.min(distance, axis=-1, where=bone == each, initial=jnp.inf) for each in range(16)], axis=-1)


def log_touch(touch: Touch, least: Float[Array, "*frames 16"]) -> Float[Array, "*frames"]:
    """Log density of the 16 distances, as if they were independent; in between bins linear."""
    place = jnp.clip((least - LOWEST) / WIDTH - 0.5, 0, touch.log_density.shape[1] - 1.001)
    low = jnp.floor(place).astype(jnp.int32)
    part, bones = place - low, jnp.arange(16)
    return jnp.sum((1 - part) * touch.log_density[bones, low] + part * touch.log_density[bones, low + 1], axis=-1)


def count_touch(least: Float[np.ndarray, "F 16"]) -> Float[np.ndarray, "16 D"]:
    """The table, of the distances in F frames of grasps."""
    bins = round((HIGHEST - LOWEST) / WIDTH)
    edges = np.linspace(LOWEST, HIGHEST, bins + 1)
    inside = np.clip(least, LOWEST, HIGHEST - WIDTH / 2)
    share = np.stack([np.histogram(each, edges)[0] / len(least) for each in inside.T])
    share = gaussian_filter1d(share, BLUR / WIDTH, axis=1, mode="nearest") + ODD / bins
    return np.log(share / share.sum(axis=1, keepdims=True)).astype(np.float32)


def load_touch(model: HandModel) -> Touch:
    """Of this hand."""
    vertices, bone = spread_points(model)
    return Touch(put(vertices), put(bone), put(_table()))


@cache
def _table() -> Float[np.ndarray, "16 D"]:
    with np.load(TABLE, allow_pickle=False) as stored:
        return stored["log_density"]
