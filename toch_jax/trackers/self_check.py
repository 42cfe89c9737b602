"""The self-check after a tracker's file was read: what is likely wrong, and which option mends it.

It uses the checks of the sequence (sizes, units, hand near the object, lost and jumping frames) and of the fit (order
of the joints, lengths of the bones) and adds those of conventions that only a reader can have wrong: the side, MANO's
mean pose, the form of the object's rotations.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import InputError, bad_input, caught, raise_all
from toch_jax.hand.conventions import from_openpose, to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, Side, skin_frames
from toch_jax.sequence.checks import MIDDLE_CHAIN
from toch_jax.sequence.mirror import OTHER_SIDE
from toch_jax.sequence.types import Sequence
from toch_jax.track.registration_checks import bone_change, check_order
from toch_jax.trackers.conventions import (
    CLOSE,
    bend,
    likely_mean_pose,
    likely_option,
    nearest_joint,
    parameter_fault,
)
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.tracked import Tracked

LEAST_BEND = 0.1
"""Mean sine of the fingers' bends from which the side is judged; a flat hand tells none. Measured: see
`conventions.bend`."""
MOST_BONE_CHANGE = 0.4
"""Change of the bones' lengths above which the points are not a hand's; noise of 5 mm a coordinate gives 0.25."""
MOST_LOST = 0.9
"""Largest share of lost frames."""
FASTEST_HAND = 3.0
"""Largest median speed of the wrist, m/s; fast reaches are at 2 for moments. Above it the frame rate is wrong."""


@dataclasses.dataclass(frozen=True)
class CheckedSequence:
    """A sequence read from a tracker's file, and the lines of the self-check."""

    sequence: Sequence
    lines: tuple[str, ...]


def checked(sequence: Sequence, tracked: Tracked, reading: Reading) -> CheckedSequence:
    """The sequence with at most five lines on it. Raises InputError with a line for each fault and what mends it."""
    where, faults = sequence.source, list[InputError]()
    valid = np.asarray(sequence.hand_valid)
    hands = []
    for hand, side in enumerate(sequence.hand_side):
        joints = hand_joints(sequence, hand)
        with caught(faults):
            _check_lost(where, side, valid[hand])
        if joints is None:
            hands.append(f"{side}: points of the skin")
            continue
        seen = np.where(valid[hand][:, None, None], joints, np.nan)
        with caught(faults):
            hands.append(_check_hand(where, side, seen, sequence.fps, reading))
        if sequence.hands.params is not None:
            with caught(faults):
                _check_parameters(where, sequence, hand, tracked)
    with caught(faults):
        touch = _check_object(where, sequence, reading)
    raise_all(faults)
    rate = f"{sequence.n_frames} frames at {sequence.fps:.4g} fps"
    lost = ", ".join(f"{side} lost in {int((~valid[hand]).sum())}" for hand, side in enumerate(sequence.hand_side))
    lines = [f"read as {tracked.format}: {rate}; {lost}", f"hands: {'; '.join(hands)}", f"object: {touch}"]
    if tracked.said:
        lines.append(f"taken: {'; '.join(tracked.said)}")
    if sequence.notes:
        more = f" (and {len(sequence.notes) - 1} more)" if len(sequence.notes) > 1 else ""
        lines.append(f"note: {sequence.notes[0]}{more}")
    return CheckedSequence(sequence, tuple(lines))


def hand_joints(sequence: Sequence, hand: int) -> Float[np.ndarray, "T 21 3"] | None:
    """The joints of one hand in OpenPose's order, metres; None for a hand of vertices."""
    if sequence.hands.params is not None:
        model = load_hand(sequence.hand_model or "open", sequence.hand_side[hand])
        params = HandParams(
            **{key: value[hand] for key, value in vars(sequence.hands.params).items() if value is not None}
        )
        return to_openpose(np.asarray(skin_frames(model, params)[1]))
    return None if sequence.hands.joints is None else np.asarray(sequence.hands.joints[hand])


def _check_lost(where: str | Path, side: Side, valid: np.ndarray) -> None:
    if (~valid).mean() > MOST_LOST:
        found = f"{(~valid).sum()} of {len(valid)} lost"
        raise bad_input(where, f"{side} hand", f"at most {MOST_LOST:.0%} of the frames lost", found)


def _check_hand(
    where: str | Path, side: Side, joints: Float[np.ndarray, "T 21 3"], fps: float, reading: Reading
) -> str:
    """Words on a hand's size, bones and side. Raises InputError."""
    model = load_hand("open", side)
    try:
        check_order(where, model, from_openpose(joints[np.isfinite(joints[:, 0, 0])]))
    except InputError as fault:
        raise InputError(f"{fault} (--joint-order)") from fault
    change = bone_change(from_openpose(joints))
    if change > MOST_BONE_CHANGE:
        expected = f"finger bones whose lengths change by at most {MOST_BONE_CHANGE:.0%}"
        raise bad_input(where, f"{side} hand", expected, f"{change:.0%}: are these a hand's joints (--joint-order)?")
    speed = np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1) * fps
    typical = float(np.nanmedian(speed)) if np.isfinite(speed).any() else 0.0
    if typical > FASTEST_HAND:
        expected = f"a wrist of at most {FASTEST_HAND:g} m/s"
        raise bad_input(where, "frame rate", expected, f"{typical:.3g} m/s at {fps:g} fps: is --fps right?")
    bent = bend(joints) * (1 if side == "right" else -1)
    if bent < -LEAST_BEND:
        other = OTHER_SIDE[side]
        mend = "own" if reading.left_hands == "mirrored" else "mirrored"
        how = f"--side {other}" if reading.side else f"--side {other} or --left-hands {mend}"
        expected = f"fingers that bend as a {side} hand's"
        raise bad_input(where, f"{side} hand", expected, f"a {other} hand's ({how})")
    length = float(np.nanmedian(np.linalg.norm(np.diff(joints[:, MIDDLE_CHAIN], axis=1), axis=-1).sum(axis=-1)))
    told = f"bends as a {side} hand" if bent > LEAST_BEND else "too flat to tell its side"
    return f"{side}: {1e3 * length:.0f} mm to the middle tip, bones change by {100 * change:.1f} %, {told}"


def _check_parameters(where: str | Path, sequence: Sequence, hand: int, tracked: Tracked) -> None:
    """Raise InputError if MANO's parameters have another mean pose, translation or mirror image than was taken."""
    params = sequence.hands.params
    assert params is not None
    side = sequence.hand_side[hand]
    model = load_hand(sequence.hand_model or "open", side)
    seen = np.asarray(sequence.hand_valid[hand])
    arrays: Mapping[str, np.ndarray] = {key: np.asarray(value[hand])[seen] for key, value in vars(params).items()}
    given = None if tracked.joints is None else tracked.joints[hand][seen]
    fault = None if given is None else parameter_fault(model, arrays, given)
    if fault is not None:
        raise bad_input(where, f"{side} hand", "parameters that agree with the joints of the file", fault)
    option = likely_mean_pose(model, arrays["pose"])
    if option is not None and given is None:
        expected = "a finger pose as people have it"
        raise bad_input(where, f"{side} hand", expected, f"one that is likelier with --mean-pose {option}")


def _check_object(where: str | Path, sequence: Sequence, reading: Reading) -> str:
    """Words on the object's size and its distance from the hands. Raises InputError."""
    vertices = np.asarray(sequence.object_vertices)
    size = float((vertices.max(axis=0) - vertices.min(axis=0)).max())
    points = _points(sequence)
    option = likely_option(sequence, points, reading)
    if option is not None:
        raise bad_input(where, "object poses", "an object that moves with the hand that holds it", option)
    distance = nearest_joint(sequence, points)
    near = int((distance < CLOSE).sum())
    seen = int(np.isfinite(distance).sum())
    tracked = sequence.object_valid
    lost = 0 if tracked is None else int((~np.asarray(tracked)).any(axis=0).sum())
    nearest = f"nearest point of a hand {1e3 * np.nanmin(distance):.0f} mm off"
    return f"{size:.3g} m long, lost in {lost}; {nearest}, within {1e3 * CLOSE:.0f} mm in {near} of {seen} frames"


def _points(sequence: Sequence) -> Float[np.ndarray, "T K 3"]:
    """Joints, or some of the vertices, of all hands; NaN where lost."""
    found = []
    for hand in range(len(sequence.hand_side)):
        points = hand_joints(sequence, hand)
        if points is None:
            assert sequence.hands.vertices is not None
            points = np.asarray(sequence.hands.vertices[hand])[:, ::20]
        found.append(np.where(np.asarray(sequence.hand_valid[hand])[:, None, None], points, np.nan))
    return np.concatenate(found, axis=1)
