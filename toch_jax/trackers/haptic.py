"""HaPTIC: a folder with a pickle for each frame (JudyYe/haptic, demo.py, `save_as_frames`).

Each has one hand: right (1,), intr (1, 3 or 4, 3 or 4) and cHands (1, 778, 3): the skin in the camera's frame, metres,
in MANO's order, with left hands as left hands. Its parameters are not read: their translation is not smplx's.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.hand.model import Side
from toch_jax.trackers.detections import Detection, is_right, tracked_hands
from toch_jax.trackers.frame_numbers import frame_number
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, open_source
from toch_jax.trackers.tracked import Camera, Tracked


def pickles_of(source: Source) -> list[Path]:
    """The pickles of a folder."""
    return [child for child in source.content.values() if child.suffix == ".pkl"] if source.is_folder else []


def fits(source: Source) -> bool:
    files = pickles_of(source)
    return bool(files) and is_frame(open_source(files[0]).content)


def is_frame(content: Any) -> bool:
    """Whether a pickle's content is a hand in a frame."""
    return isinstance(content, dict) and {"cHands", "cJoints", "intr"} <= set(content)


def read(source: Source, reading: Reading) -> Tracked:
    """The folder of one video. Raises InputError."""
    found: list[tuple[int, list[Detection]]] = []
    camera = None
    for index, file in enumerate(pickles_of(source)):
        record = open_source(file).content
        if not is_frame(record):
            continue
        side: Side = "right" if is_right(file, record) else "left"
        hand = Detection(side, np.zeros(3), vertices=array(file, "cHands", record["cHands"], "778 3"))
        number = frame_number(file.name)
        found.append((index if number is None else number, [hand]))
        intrinsics = array(file, "intr", record["intr"], "3 3", "4 4")[:3, :3]
        camera = Camera(np.where(np.eye(3) > 0, intrinsics, np.triu(intrinsics)))
    return tracked_hands(source, "haptic", found, camera, ())
