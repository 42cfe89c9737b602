"""What a method of the benchmark is, and what it returns for a clip."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from toch_jax.base.errors import bad_input
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.derived import PosedHand, pose_hands
from toch_jax.sequence.types import Sequence


@dataclass(frozen=True)
class Prediction:
    """A method's output for a tracked clip."""

    hands: list[PosedHand]
    object_motion: ObjectMotion


Repair = Callable[[Sequence, ObjectModel], Prediction]
"""Function from the tracked clip and its object (built beforehand) to the method's prediction."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """One method with its settings. A subclass gives its name and implements `load`."""

    name: str
    """Name in the results; no two methods of a benchmark have the same."""
    label: str | None = None
    """Name in tables; None: `name`."""
    noises: tuple[str, ...] | None = None
    """The only noises under which it is run; None: all."""
    reads_truth: ClassVar[bool] = False
    """Whether it is given the ground truth: an upper bound for methods, not a method. Others cannot read it."""

    @abstractmethod
    def load(self) -> Repair:
        """The function to be run on each clip. Raises InputError for weights that are missing or not this method's."""


@dataclass(frozen=True)
class Learnt(Method):
    """A method with learnt weights."""

    checkpoint: str = "default"
    """File of the weights; "default" is the shipped one."""
    shipped: ClassVar[Path | None] = None
    """File of the weights that come with the package."""

    @property
    def weights(self) -> Path:
        """The file of the weights. Raises InputError if there is no such file."""
        path = self.shipped if self.checkpoint == "default" else Path(self.checkpoint)
        if path is None or not path.is_file():
            found = self.checkpoint if path else "none"
            raise bad_input("benchmark", f"weights of {self.name}", "a file written by training", found)
        return path


def predict(sequence: Sequence) -> Prediction:
    """The prediction that is a sequence with hand parameters: its skinned hands and its object's motion."""
    name = sequence.hand_model or "open"
    models = {side: hand_model(name, side) for side in sequence.hand_side}
    return Prediction(pose_hands(sequence, models), sequence.object_motion)


@cache
def hand_model(name: str, side: Side) -> HandModel:
    """`load_hand`, cached."""
    return load_hand(name, side)
