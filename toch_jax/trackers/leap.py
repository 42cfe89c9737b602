"""Ultraleap (Leap Motion): frames of its WebSocket server as JSON, version 6 of the protocol, a list or a line each.

A frame has timestamp (microseconds), hands [{id, type ("left" or "right"), wrist}] and pointables [{handId, type (0
thumb to 4 little finger), mcpPosition, pipPosition, dipPosition, btipPosition}]: millimetres before the device,
right-handed, y up, z to the user (leapmotiontechnology.com, Leap_JSON; leapmotion/leapjs, lib/hand.js, lib/finger.js).
The thumb has no metacarpal: its mcpPosition is the joint at the wrist's end of its first bone, as OpenPose's first
joint of the thumb.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import Detection, tracked_hands
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.stamps import Grid, on_grid
from toch_jax.trackers.tracked import Tracked

JOINTS = ("mcpPosition", "pipPosition", "dipPosition", "btipPosition")


def fits(source: Source) -> bool:
    return isinstance(source.content, list) and any(is_frame(frame) for frame in source.content)


def is_frame(value: Any) -> bool:
    """Whether an entry is a frame, not a word of the server's."""
    return isinstance(value, dict) and {"hands", "pointables", "timestamp"} <= set(value)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of a recording. Raises InputError."""
    frames = [frame for frame in source.content if is_frame(frame)]
    index, fps, said, seconds = _grid(source)
    found = [(int(at), _hands(source, frame)) for at, frame in zip(index, frames, strict=True)]
    return replace(tracked_hands(source, "leap", found, None, said, fps), seconds=seconds)


def frame_indices(source: Source) -> list[int]:
    """The clip's frame of each frame of the recording. Raises InputError."""
    return _grid(source).frames.tolist()


def _grid(source: Source) -> Grid:
    # the server says its version first, and of a device that is plugged in
    times = [frame["timestamp"] for frame in source.content if is_frame(frame)]
    stamps = array(source.path, "timestamp", times, "T")
    return on_grid(source.path, 1e-6 * stamps)


def _hands(source: Source, frame: dict[str, Any]) -> list[Detection]:
    where = source.path
    if not isinstance(frame["hands"], list) or not isinstance(frame["pointables"], list):
        raise bad_input(where, "hands", "lists of hands and pointables", type(frame["hands"]).__name__)
    hands = []
    for hand in frame["hands"]:
        side: Side
        match need(where, hand, "type"):
            case "left" | "right" as side:
                joints = hand_joints(source, hand, frame["pointables"])
            case other:
                raise bad_input(where, "type", '"left" or "right"', f"{other}")
        hands.append(Detection(side, joints[0], joints - joints[0]))
    return hands


def hand_joints(source: Source, hand: dict[str, Any], fingers: list[dict[str, Any]]) -> Float[np.ndarray, "21 3"]:
    """A hand's joints in OpenPose's order, metres; its fingers are among `fingers`. Raises InputError."""
    where, joints = source.path, np.full((21, 3), np.nan)
    joints[0] = array(where, "wrist", need(where, hand, "wrist"), "3")
    for finger in fingers:
        if need(where, finger, "handId") != need(where, hand, "id") or finger.get("tool"):
            continue
        number = int(array(where, "type", need(where, finger, "type"), ""))
        if not 0 <= number < 5:
            raise bad_input(where, "type", "a finger, 0 to 4", f"{number}")
        for place, name in enumerate(JOINTS, 1 + 4 * number):
            joints[place] = array(where, name, need(where, finger, name), "3")
    return joints * METRES["mm"]
