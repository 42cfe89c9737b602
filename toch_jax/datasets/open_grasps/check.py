"""The exact test that a grasp must pass: distances of the hand's skin to the true mesh, not to a grid."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.datasets.open_grasps.probe import digit_chains
from toch_jax.evaluate.contact import Mesh, signed_distances
from toch_jax.hand.model import HandModel

TOUCH_M = 0.002
"""A digit touches when a vertex of it comes this near, or lies inside."""
MAX_DEPTH_M = 0.003
MIN_DIGITS = 3


@dataclass(frozen=True)
class Contact:
    """How hands meet an object, one entry for each hand or frame."""

    touching: Bool[np.ndarray, "T 5"]
    """Which digits touch, thumb to pinky."""
    depth: Float[np.ndarray, "T"]
    """How deep the deepest hand vertex lies inside the object, metres; 0 where none does."""

    @property
    def is_clear(self) -> Bool[np.ndarray, "T"]:
        """No vertex is deeper than MAX_DEPTH_M."""
        return self.depth <= MAX_DEPTH_M

    @property
    def is_grasp(self) -> Bool[np.ndarray, "T"]:
        """Enough digits touch, and the hand is clear."""
        return self.is_clear & (self.touching.sum(axis=1) >= MIN_DIGITS)


def measure_contact(model: HandModel, vertices: Float[np.ndarray, "T V 3"], surface: Mesh) -> Contact:
    """`vertices` of the full hand, in the object's frame."""
    distance = signed_distances(vertices, surface, reach=2 * TOUCH_M)
    owner = digit_of_vertex(model)
    touching = np.stack([(distance[:, owner == digit] <= TOUCH_M).any(axis=1) for digit in range(5)], axis=1)
    return Contact(touching=touching, depth=np.maximum(-distance.min(axis=1), 0.0))


def digit_of_vertex(model: HandModel) -> Int[np.ndarray, "V"]:
    """The digit (thumb 0 to pinky 4) whose joints move a vertex most; -1 for the palm."""
    digit = np.full(16, -1)
    for number, chain in enumerate(digit_chains(model)):
        digit[chain] = number
    return digit[np.argmax(np.asarray(model.weights), axis=1)]
