"""Ultraleap (Leap Motion): frames of its WebSocket server as JSON, version 6 of the protocol, a list or a line each.

A frame has timestamp (microseconds), hands [{id, type ("left" or "right"), wrist}] and pointables [{handId, type (0
thumb to 4 little finger), mcpPosition, pipPosition, dipPosition, btipPosition}]: millimetres before the device,
right-handed, y up, z to the user (leapmotiontechnology.com, Leap_JSON; leapmotion/leapjs, lib/hand.js, lib/finger.js).
The thumb has no metacarpal: its mcpPosition is the joint at the wrist's end of its first bone, as OpenPose's first
joint of the thumb.
"""

from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import Detection, tracked_hands
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import Tracked

JOINTS = ("mcpPosition", "pipPosition", "dipPosition", "btipPosition")


def fits(source: Source) -> bool:
    return isinstance(source.content, list) and any(_is_frame(frame) for frame in source.content)


def _is_frame(value: Any) -> bool:
    return isinstance(value, dict) and {"hands", "pointables", "timestamp"} <= set(value)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of a recording. Raises InputError."""
    where = source.path
    # the server says its version first, and of a device that is plugged in
    frames = [frame for frame in source.content if _is_frame(frame)]
    stamps = array(where, "timestamp", [frame["timestamp"] for frame in frames], "T")
    index, fps, said = on_grid(where, 1e-6 * (stamps - stamps[0]))
    found = [(int(at), _hands(source, frame)) for at, frame in zip(index, frames, strict=True)]
    return tracked_hands(source, "leap", found, None, said, fps)


def _hands(source: Source, frame: dict[str, Any]) -> list[Detection]:
    where = source.path
    if not isinstance(frame["hands"], list) or not isinstance(frame["pointables"], list):
        raise bad_input(where, "hands", "lists of hands and pointables", type(frame["hands"]).__name__)
    hands = []
    for hand in frame["hands"]:
        side: Side
        match need(where, hand, "type"):
            case "left" | "right" as side:
                joints = np.full((21, 3), np.nan)
            case other:
                raise bad_input(where, "type", '"left" or "right"', f"{other}")
        joints[0] = array(where, "wrist", need(where, hand, "wrist"), "3")
        for finger in frame["pointables"]:
            if need(where, finger, "handId") != need(where, hand, "id") or finger.get("tool"):
                continue
            number = int(array(where, "type", need(where, finger, "type"), ""))
            if not 0 <= number < 5:
                raise bad_input(where, "type", "a finger, 0 to 4", f"{number}")
            for place, name in enumerate(JOINTS, 1 + 4 * number):
                joints[place] = array(where, name, need(where, finger, name), "3")
        joints *= METRES["mm"]
        hands.append(Detection(side, joints[0], joints - joints[0]))
    return hands
