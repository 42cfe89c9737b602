"""Arrays from a record (key -> array), each checked for its type and shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input

KINDS = {"f": "numbers", "b": "true or false", "U": "text", "i": "whole numbers"}
FIRST_AXES = {"H": "hands", "P": "object parts"}
ROTATIONS = ("rotation", "global_orient", "pose")
JOINT_HINTS = {
    16: ": these lack the fingertips, which are OpenPose's 4, 8, 12, 16, 20",
    25: ": of WebXR's 25 leave out 5, 10, 15, 20 (the metacarpals)",
    26: ": of OpenXR's 26 leave out 0 (the palm), 6, 11, 16, 21 (the metacarpals)",
}


@dataclass
class Reader:
    """A record to read arrays from; `axes` keeps the length of each axis and the key that it was first read from."""

    where: str | Path
    record: Mapping[str, np.ndarray]
    axes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def need(self, key: str, why: str = "") -> np.ndarray:
        """The array of `key`. Raises InputError if it is missing; `why` follows "this key" in the message."""
        if key not in self.record:
            raise bad_input(self.where, key, f"this key{why}", "none")
        return np.asarray(self.record[key])

    def array(self, key: str, shape: str, kinds: str = "fiu", why: str = "") -> np.ndarray:
        """The array of `key`, checked. Raises InputError for another type or shape.

        `shape` has numbers, and letters for lengths that must agree between all arrays; `kinds` are the letters of
        numpy's dtype kinds.
        """
        value = self.need(key, why)
        if value.dtype.kind not in kinds:
            raise bad_input(self.where, key, KINDS[kinds[0]], f"{value.dtype}")
        axes = shape.split()
        expected = [int(a) if a.isdigit() else self.axes.get(a, (None, ""))[0] for a in axes]
        fits = len(value.shape) == len(axes) and all(
            e is None or e == n for e, n in zip(expected, value.shape, strict=True)
        )
        if not fits:
            known = [f"{a} = {self.axes[a][0]} from {self.axes[a][1]}" for a in axes if a in self.axes]
            wanted = f"shape ({', '.join(axes)})" + (f" with {', '.join(known)}" if known else "")
            raise bad_input(self.where, key, wanted, f"{value.shape}{_shape_hint(key, axes, expected, value.shape)}")
        for axis, length in zip(axes, value.shape, strict=True):
            if length == 0:
                raise bad_input(self.where, key, f"at least one along {axis}", str(value.shape))
            if not axis.isdigit():
                self.axes.setdefault(axis, (length, key))
        return value

    def text(self, key: str) -> str:
        return str(self.array(key, "", "U")[()])


def _shape_hint(key: str, axes: list[str], expected: list[int | None], shape: tuple[int, ...]) -> str:
    """The end of the error message: what the array seems to be instead, or nothing."""
    name = key.partition("_")[2]
    if name in ROTATIONS and shape[-2:] == (3, 3):
        return ": rotation matrices, where files hold axis-angle"
    if name in ROTATIONS and shape[-1:] == (4,):
        return ": quaternions, where files hold axis-angle"
    if name == "joints" and len(shape) >= 2 and shape[-2] in JOINT_HINTS:
        return JOINT_HINTS[shape[-2]]
    lacks_first = len(shape) == len(axes) - 1 and all(
        e is None or e == n for e, n in zip(expected[1:], shape, strict=True)
    )
    if lacks_first and axes[0] in FIRST_AXES:
        return f": the axis of the {FIRST_AXES[axes[0]]} comes first, with length 1 where there is one"
    return ""
