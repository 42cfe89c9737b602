"""MediaPipe Tasks' hand landmarks, the other way round than trackers/mediapipe.py reads them.

`--like` is the tracker's own file; its frames, what else they hold and the names of its keys are kept. Of each hand
hand_world_landmarks are the joints about their centre, and hand_landmarks their places in the image of `--camera`, with
z as MediaPipe has it: depth from the wrist, on the scale of x (weak perspective). A hand that a frame has not, which
the repair has filled in, is made from that of the nearest frame.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.files import write_text
from toch_jax.exporters.dyn_hamr import whole_intrinsics
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import frame_numbers, is_json_of_lines, json_text, like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.mediapipe import frame_indices, hand_is_right, keys_of

Hand = tuple[list[Any], list[Any], Any]
"""Landmarks in the image and of the world, and the side, of one hand in one frame."""


def write_mediapipe(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the frames. Raises InputError, also without the camera and the tracker's own file."""
    source, tracked = like_tracked(sequence, writing, "mediapipe")
    intrinsics = whole_intrinsics(str(writing.camera))
    camera = read_camera(str(writing.camera))
    size = np.array(camera.size or (2 * intrinsics[0, 2], 2 * intrinsics[1, 2]))
    joints, known = joints_of(sequence).astype(np.float64), known_frames(sequence)
    swapped = writing.left_hands == "mirrored"
    frames = source.content
    at = dict(zip(map(frame_numbers(tracked).get, frame_indices(source)), range(len(frames)), strict=True))
    names = next(keys for frame in frames if (keys := keys_of(frame)) is not None)
    hands: dict[tuple[int, int], Hand] = {}
    for frame, index in at.items():
        if frame is None or keys_of(frames[index]) is None:
            continue
        images, worlds, sides, name = names
        own = frames[index]
        for each in zip(own[images], own[worlds], own[sides], strict=False):
            right = hand_is_right(source, each[2], name) != swapped
            side = "right" if right else "left"
            if side in tracked.sides:
                hands.setdefault((tracked.sides.index(side), frame), each)
    left_out = sum(1 for frame in range(tracked.n_frames) if frame not in at and known[:, frame].any())
    new = []
    for index, frame in enumerate(frames):
        own_at = next(each for each, place in at.items() if place == index)
        found = []
        for hand in range(len(tracked.sides)):
            if own_at is None or not known[hand, own_at]:
                continue
            templates = [other for own_hand, other in hands if own_hand == hand]
            template = hands[hand, min(templates, key=lambda other: abs(other - own_at))]
            found.append(_hand(template, joints[hand, own_at], intrinsics, size))
        whole = dict(frame) if isinstance(frame, dict) else {}
        new.append(
            {
                **whole,
                **dict(zip(names[:3], map(list, zip(*found, strict=True)) if found else ([], [], []), strict=True)),
            }
        )
    write_text(path, json_text(new, lines=is_json_of_lines(source.path)))
    said = (f"{left_out} frames that the file has not left out",) if left_out else ()
    return (*said, *lost_remark(sequence, "have no hand"))


def _hand(
    template: Hand, joints: Float[np.ndarray, "21 3"], intrinsics: Float[np.ndarray, "3 3"], size: np.ndarray
) -> Hand:
    """One hand's landmarks and side; what else the landmarks hold is the template's."""
    pixels = joints @ intrinsics.T
    depth = (joints[:, 2] - joints[0, 2]) * intrinsics[0, 0] / joints[0, 2] / size[0]
    image = np.column_stack([pixels[:, :2] / pixels[:, 2:] / size, depth])
    world = joints - joints.mean(axis=0)
    return _points(template[0], image), _points(template[1], world), template[2]


def _points(template: list[Any], points: Float[np.ndarray, "21 3"]) -> list[Any]:
    return [
        {**dict(old), **dict(zip("xyz", row, strict=True))} for old, row in zip(template, points.tolist(), strict=True)
    ]
