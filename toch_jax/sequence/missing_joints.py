"""Single joints that a tracker missed in frames where it observed the rest of the hand. Metres, OpenPose order."""

import numpy as np
from jaxtyping import Bool, Float

from toch_jax.hand.model import Side

LEAST_JOINTS = 8
KNUCKLES, LEAST_KNUCKLES = (5, 9, 13, 17), 2
"""First joints of index, middle, ring and pinky. The wrist and two of these fix the pose of the palm. A frame without
them, or with fewer than LEAST_JOINTS joints in all, is lost."""
ENOUGH = f"the wrist, {LEAST_KNUCKLES} fingers' first joints and {LEAST_JOINTS} joints in all"
PREVIOUS = (0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Parent of each joint, towards the wrist; the wrist is its own."""


def mark_missing(joints: Float[np.ndarray, "H T 21 3"]) -> Float[np.ndarray, "H T 21 3"]:
    """The joints with NaN in all coordinates of each missing joint.

    A joint is missing if it is not finite, or if it is (0, 0, 0) and other joints of the frame are not. If the wrist is
    at the origin in every frame, the data are relative to the wrist, which is then not missing.
    """
    at_origin = (joints == 0).all(axis=-1)
    zeros = at_origin & ~at_origin.all(axis=-1, keepdims=True)
    zeros[at_origin[..., 0].all(axis=1), :, 0] = False
    missing = zeros | ~np.isfinite(joints).all(axis=-1)
    return np.where(missing[..., None], np.nan, joints)


def enough_joints(joints: Float[np.ndarray, "*batch 21 3"]) -> Bool[np.ndarray, "*batch"]:
    """Whether a frame has enough joints to fix the pose of the hand: the wrist, LEAST_KNUCKLES, LEAST_JOINTS."""
    known = np.isfinite(joints).all(axis=-1)
    placed = known[..., 0] & (known[..., KNUCKLES].sum(axis=-1) >= LEAST_KNUCKLES)
    return placed & (known.sum(axis=-1) >= LEAST_JOINTS)


def missing_notes(
    sides: tuple[Side, ...], joints: Float[np.ndarray, "H T 21 3"], valid: Bool[np.ndarray, "H T"]
) -> tuple[str, ...]:
    """A line of text for each hand with missing joints in valid frames."""
    notes = []
    for hand, (side, missing) in enumerate(zip(sides, np.isnan(joints).any(axis=-1) & valid[..., None], strict=True)):
        if missing.any():
            frames, never = int(missing.any(axis=-1).sum()), int(missing[valid[hand]].all(axis=0).sum())
            count = f"{int(missing.sum())} single joints are missing (NaN or all zero) in {frames} frames"
            absent = f", {never} of the 21 in all frames" if never else ""
            notes.append(f"hand {hand} ({side}): {count}{absent}: estimated from the other joints")
    return tuple(notes)


def bridge_joints(joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """The joints with missing ones interpolated linearly in time, constant at the ends.

    A joint that is missing in all frames continues the previous bone, in its direction and with its length.
    """
    filled, frames = joints.copy(), np.arange(len(joints))
    for joint in np.flatnonzero(np.isnan(joints).any(axis=(0, 2))):
        known = np.isfinite(joints[:, joint]).all(axis=-1)
        if known.any():
            for axis in range(3):
                filled[:, joint, axis] = np.interp(frames, frames[known], joints[known, joint, axis])
    for joint in np.flatnonzero(np.isnan(filled).any(axis=(0, 2))):
        start = PREVIOUS[joint]
        filled[:, joint] = 2 * filled[:, start] - filled[:, PREVIOUS[start]]
    return filled
