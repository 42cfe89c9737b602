"""HaPTIC's folder of pickles, the other way round than trackers/haptic.py reads it, where its layout stands.

`--like` is the tracker's own folder. cHands is the repaired skin; cJoints is moved with the skin around each joint;
wHands and wJoints, the same in the world, by the camera's pose, which is what takes the file's cHands to its wHands
(JudyYe/haptic, demo.py). Its parameters (hand_pose, global_orient, betas, cam_full), which are not read, are left out.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder
from toch_jax.base.tensor_writing import pickled
from toch_jax.exporters.like import as_given, frame_numbers, has_tensors, like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.own_skeleton import best_motion
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.detections import is_right
from toch_jax.trackers.frame_numbers import frame_number
from toch_jax.trackers.haptic import is_frame, pickles_of
from toch_jax.trackers.plain import N_MANO
from toch_jax.trackers.source import array, open_source

PARAMS = ("hand_pose", "global_orient", "betas", "cam_full")
AROUND = 20
"""Vertices around a joint whose motion it follows; chosen by hand."""


def write_haptic(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write a pickle for each frame of the tracker's own folder. Raises InputError, also without it."""
    source, tracked = like_tracked(sequence, writing, "haptic")
    vertices = hand_meshes(sequence).vertices
    if vertices is None or vertices.shape[2] != N_MANO:
        found = "joints alone" if vertices is None else f"{vertices.shape[2]}"
        raise bad_input(sequence.source, "hand", f"MANO's {N_MANO} vertices", found)
    frame_of, known = frame_numbers(tracked), known_frames(sequence)
    gone: set[str] = set()
    written = 0
    with atomic_folder(path) as folder:
        for index, file in enumerate(pickles_of(source)):
            record = open_source(file).content
            if is_frame(record):
                number = frame_number(file.name)
                frame = frame_of[index if number is None else number]
                hand = tracked.sides.index("right" if is_right(file, record) else "left")
                if known[hand, frame]:
                    record = _changed(file, record, np.asarray(vertices[hand, frame], np.float64), gone)
                    written += 1
            (folder / file.name).write_bytes(pickled(record, has_tensors(file)))
    left = int(known.sum()) - written
    said = [f"{left} hands of frames for which there is no file left out"] if left else []
    if gone:
        said.append(f"left out, as they are not read: {', '.join(sorted(gone))}")
    return (*said, *lost_remark(sequence, "are as they were"))


def _changed(file: Path, record: dict[str, Any], skin: Float[np.ndarray, "778 3"], gone: set[str]) -> dict[str, Any]:
    """A frame's record with another skin; keys that are taken out are put into `gone`."""
    gone |= set(PARAMS) & set(record)
    before = array(file, "cHands", record["cHands"], "778 3")
    joints = with_skin(array(file, "cJoints", record["cJoints"], "J 3"), before, skin)
    new = {"cHands": skin, "cJoints": joints}
    if "wHands" in record:
        world = array(file, "wHands", record["wHands"], "778 3")
        turn, centre, target = (each[0] for each in best_motion(before[None], world[None]))
        new |= {f"w{key[1:]}": (value - centre) @ turn.T + target for key, value in new.items()}
    changed = {key: as_given(record[key], value) for key, value in new.items() if key in record}
    return {key: value for key, value in {**record, **changed}.items() if key not in PARAMS}


def with_skin(
    points: Float[np.ndarray, "K 3"], before: Float[np.ndarray, "V 3"], after: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "K 3"]:
    """Points inside a skin, each moved as the vertices around it are."""
    _, near = KDTree(before).query(points, AROUND)
    turn, centre, target = best_motion(before[near], after[near])
    return np.einsum("kab,kb->ka", turn, points - centre) + target
