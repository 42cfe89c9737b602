"""The user's own skeleton of joints, moved as the repair moved the hand, with its bone lengths kept.

Repaired joints are those of a fitted hand, whose bones may be millimetres longer or shorter than the user's. Where the
file's palm is rigid it is moved as it is, as near as possible (Kabsch) to the repaired one, and what is beside the 21
joints (metacarpals, palm, forearm) with it. A finger's bone that keeps its length in the file keeps it, and points as
the repaired bone does. Bones whose length changes in the file, of trackers that estimate each frame anew, are as the
repair gave them.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.base.rotations import nearest_rotation

PALM = (0, 1, 5, 9, 13, 17)
"""The wrist and the first joint of each finger, in OpenPose's order."""
FINGERS = tuple(tuple(range(first, first + 4)) for first in (1, 5, 9, 13, 17))
RIGID = 1e-4
"""Metres by which a length of a rigid skeleton may differ from its median; as much as files are written to."""


class Motion(NamedTuple):
    """How the palm of each frame of the file is moved to the repaired one: R (p - before) + after."""

    frame: Int[np.ndarray, "T"]
    """The frame of the file whose palm is moved: the same, or the nearest that has one."""
    rotation: Float[np.ndarray, "T 3 3"]
    before: Float[np.ndarray, "T 3"]
    after: Float[np.ndarray, "T 3"]

    def apply(self, points: Float[np.ndarray, "F K 3"]) -> Float[np.ndarray, "T K 3"]:
        """Points of the file's F frames, moved."""
        return self.turn(points[self.frame] - self.before[:, None]) + self.after[:, None]

    def turn(self, vectors: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
        """Directions of each frame, turned."""
        return np.einsum("tab,tkb->tka", self.rotation, vectors)


def best_motion(
    before: Float[np.ndarray, "T K 3"], after: Float[np.ndarray, "T K 3"]
) -> tuple[Float[np.ndarray, "T 3 3"], Float[np.ndarray, "T 3"], Float[np.ndarray, "T 3"]]:
    """The rotation, and the centres before and after, that take points nearest to others (Kabsch)."""
    centre, target = before.mean(axis=1), after.mean(axis=1)
    across = np.einsum("tka,tkb->tab", after - target[:, None], before - centre[:, None])
    return nearest_rotation(across), centre, target


def palm_motion(own: Float[np.ndarray, "T 21 3"], new: Float[np.ndarray, "T 21 3"]) -> Motion | None:
    """The motion from the file's palm to the repaired one, to NaN where that is lost; None if the file has no palm."""
    palm = _palm(own)
    seen = np.flatnonzero(np.isfinite(own[:, palm]).all(axis=(1, 2)))
    if len(palm) < 3 or not len(seen):
        return None
    frame = nearest_of(seen, len(new))
    known = np.isfinite(new[:, palm]).all(axis=(1, 2))
    rotation, before, after = best_motion(own[frame][:, palm], np.where(known[:, None, None], new[:, palm], 0.0))
    after[~known] = np.nan
    return Motion(frame, rotation, before, after)


def nearest_of(seen: Int[np.ndarray, "N"], count: int) -> Int[np.ndarray, "T"]:
    """For each of `count` frames the nearest of those that are seen."""
    return seen[np.abs(np.arange(count)[:, None] - seen).argmin(axis=1)]


def _palm(own: Float[np.ndarray, "T 21 3"]) -> list[int]:
    """The palm's joints that the file has."""
    return [joint for joint in PALM if np.isfinite(own[:, joint]).any()]


def with_own_bones(own: Float[np.ndarray, "T 21 3"], new: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """Repaired joints with the bone lengths of the file's, metres; NaN of the repaired ones remain."""
    moved, palm, motion = new.copy(), _palm(own), palm_motion(own, new)
    pairs = [(first, second) for number, first in enumerate(palm) for second in palm[:number]]
    if motion is not None and all(_is_rigid(_lengths(own, *pair)) for pair in pairs):
        moved[:, palm] = motion.apply(own)[:, palm]
    for finger in FINGERS:
        _set_bones(own, new, moved, finger)
    return moved


def bones_remark(own: Float[np.ndarray, "H T 21 3"] | None, new: Float[np.ndarray, "H T 21 3"]) -> tuple[str, ...]:
    """A remark on how far joints with the file's bone lengths are from the repaired ones at most; lost ones do not
    count."""
    off = 0.0
    for before, repaired in zip(own if own is not None else (), new.astype(np.float64), strict=False):
        distance = np.linalg.norm(with_own_bones(before, repaired) - repaired, axis=-1)
        off = max(off, float(np.max(distance, initial=0.0, where=np.isfinite(distance))))
    said = f"your bone lengths are kept, which puts joints at most {1e3 * off:.1f} mm from the repaired ones"
    return (said,) if off > RIGID else ()


def _set_bones(
    own: Float[np.ndarray, "T 21 3"],
    new: Float[np.ndarray, "T 21 3"],
    moved: Float[np.ndarray, "T 21 3"],
    finger: tuple[int, ...],
) -> None:
    """Set the joints of a finger beyond its first one."""
    for first, second in pairwise(finger):
        bone, lengths = new[:, second] - new[:, first], _lengths(own, first, second)
        if _is_rigid(lengths):
            bone = bone * (np.nanmedian(lengths) / np.linalg.norm(bone, axis=1, keepdims=True).clip(min=1e-9))
        moved[:, second] = moved[:, first] + bone


def _lengths(joints: Float[np.ndarray, "T 21 3"], first: int, second: int) -> Float[np.ndarray, "T"]:
    return np.linalg.norm(joints[:, second] - joints[:, first], axis=-1)


def _is_rigid(lengths: Float[np.ndarray, "T"]) -> bool:
    known: Bool[np.ndarray, "T"] = np.isfinite(lengths)
    return bool(known.any() and np.abs(lengths[known] - np.median(lengths[known])).max() <= RIGID)
