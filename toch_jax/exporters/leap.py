"""Ultraleap's frames, the other way round than trackers/leap.py reads them, where their layout stands.

`--like` is the recording's own file. The wrist and the bones' ends of each hand are replaced, in millimetres; other
positions of a hand and its fingers (palmPosition, carpPosition, ...) move with the palm, and directions turn
with it; a finger's is that of its last bone. A
hand that a frame has not, and the repair has filled in, is made from that of the nearest frame.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.files import write_text
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import is_json_of_lines, json_text, like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.own_skeleton import Motion, bones_remark, palm_motion, with_own_bones
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.leap import JOINTS, frame_indices, hand_joints, is_frame
from toch_jax.trackers.reading import METRES

PLACES = ("palmPosition", "stabilizedPalmPosition", "sphereCenter", "elbow", "carpPosition", "stabilizedTipPosition")
DIRECTIONS = ("direction", "palmNormal")
Hand = tuple[dict[str, Any], list[dict[str, Any]]]
"""A hand of a frame and its fingers."""


def write_leap(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the frames. Raises InputError, also without the recording's own file."""
    source, tracked = like_tracked(sequence, writing, "leap")
    frames = [frame for frame in source.content if is_frame(frame)]
    indices = frame_indices(source)
    own = [_own(frames, indices, side) for side in tracked.sides]
    known, said = (
        known_frames(sequence),
        (
            *bones_remark(tracked.joints, joints_of(sequence)),
            *lost_remark(sequence, "have no hand"),
        ),
    )
    changed: dict[int, tuple[list[Any], list[Any]]] = {frame: ([], []) for frame in indices}
    for hand, hands in enumerate(own):
        before = np.full((sequence.n_frames, 21, 3), np.nan)
        for frame, (record, fingers) in hands.items():
            before[frame] = hand_joints(source, record, fingers)
        repaired = joints_of(sequence)[hand].astype(np.float64)
        motion, joints = palm_motion(before, repaired), with_own_bones(before, repaired)
        assert motion is not None, "the hand is in one frame at least"
        for frame in set(indices) & set(np.flatnonzero(known[hand]).tolist()):
            record, fingers = hands[int(motion.frame[frame])]
            new = _changed(record, fingers, joints[frame] / METRES["mm"], motion, frame)
            changed[frame][0].append(new[0])
            changed[frame][1].extend(new[1])
    at = iter(indices)
    content = []
    for entry in source.content:
        if not is_frame(entry):
            content.append(entry)
            continue
        new_hands, new_fingers = changed[next(at)]
        tools = [each for each in entry["pointables"] if each.get("tool")]
        content.append({**entry, "hands": new_hands, "pointables": [*new_fingers, *tools]})
    write_text(path, json_text(content, lines=is_json_of_lines(source.path)))
    left = sequence.n_frames - len(indices)
    return (*((f"{left} frames that the file has not left out",) if left else ()), *said)


def _own(frames: list[dict[str, Any]], indices: list[int], side: str) -> dict[int, Hand]:
    """The hand of a side in each frame that has one."""
    found: dict[int, Hand] = {}
    for index, frame in zip(indices, frames, strict=True):
        for hand in frame["hands"]:
            if hand["type"] == side:
                fingers = [each for each in frame["pointables"] if each["handId"] == hand["id"]]
                found.setdefault(index, (hand, fingers))
    return found


def _changed(
    hand: dict[str, Any],
    fingers: list[dict[str, Any]],
    joints: Float[np.ndarray, "21 3"],
    motion: Motion,
    frame: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A hand and its fingers with other joints, millimetres."""
    turn = motion.rotation[frame]
    before, after = motion.before[frame] / METRES["mm"], motion.after[frame] / METRES["mm"]

    def moved(record: dict[str, Any]) -> dict[str, Any]:
        places = {key: (turn @ (np.array(record[key]) - before) + after).tolist() for key in PLACES if key in record}
        turned = {key: (turn @ np.array(record[key])).tolist() for key in DIRECTIONS if key in record}
        return {**record, **places, **turned}

    new = []
    for finger in fingers:
        first = 1 + 4 * int(finger["type"])
        own = {key: joints[first + place].tolist() for place, key in enumerate(JOINTS)}
        pointing = joints[first + 3] - joints[first + 2]
        more = {"tipPosition": own["btipPosition"], "direction": (pointing / np.linalg.norm(pointing)).tolist()}
        new.append({**moved(finger), **own, **{key: value for key, value in more.items() if key in finger}})
    return {**moved(hand), "wrist": joints[0].tolist()}, new
