"""NVIDIA Video-to-Data's tracks: a folder with a folder for each hand, with a JSON file for each frame.

`<track>/<frame>.json` has is_right, frame_idx, image_size, mano {betas, global_orient (3), hand_pose (45)}, absolute
and in MANO's right hand, and either camera {pred_cam_t_full, scaled_focal_length} (v2d_hamer/lib/masks_to_hands.py) or,
after the alignment of the depth, intrinsics {fx, fy, cx, cy} and cam_t of the real camera (align_hands.py). x of left
hands is negated before the translation is added. Frames without a file are lost.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.camera import read_camera, to_real_camera
from toch_jax.trackers.detections import Detection, axis_angle, is_right, tracked_hands, unmirrored
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import MOST_FRAMES, Source, array, need, open_source
from toch_jax.trackers.tracked import Camera, Tracked


def track_files(source: Source) -> list[Path]:
    """The JSON files of a folder of tracks, or of one track."""
    if not source.is_folder:
        return []
    files = [file for child in source.content.values() if child.is_dir() for file in sorted(child.glob("*.json"))]
    return [*files, *(child for child in source.content.values() if child.suffix == ".json" and child.stem.isdigit())]


def fits(source: Source) -> bool:
    files = track_files(source)
    return bool(files) and is_track(open_source(files[0]).content)


def is_track(content: Any) -> bool:
    """Whether a file's content is a hand in a frame."""
    return isinstance(content, dict) and {"mano", "is_right", "frame_idx"} <= set(content)


def read(source: Source, reading: Reading) -> Tracked:
    """The folder of the tracks, or the folder of one track. Raises InputError."""
    files = track_files(source)
    if len(files) > 2 * MOST_FRAMES:
        raise bad_input(source.path, "folder", f"at most {2 * MOST_FRAMES:,} files", f"{len(files):,}")
    camera = read_camera(reading.camera) if reading.camera else None
    frames: dict[int, list[Detection]] = {}
    scales: list[float] = []
    for file in files:
        record = open_source(file).content
        if not is_track(record):
            continue
        number = int(array(file, "frame_idx", record["frame_idx"], ""))
        mano = need(file, record, "mano")
        place, camera = _place(file, record, camera, scales)
        found = Detection(
            side="right" if is_right(file, record) else "left",
            place=place,
            orient=axis_angle(file, "global_orient", need(file, mano, "global_orient"), 1),
            pose=axis_angle(file, "hand_pose", need(file, mano, "hand_pose"), 15),
            betas=array(file, "betas", need(file, mano, "betas"), "S"),
        )
        mirrored = found.side == "left" and reading.left_hands != "own"
        frames.setdefault(number, []).append(unmirrored(found) if mirrored else found)
    said = [f"depth x {np.median(scales):.4g}"] if scales else []
    return tracked_hands(source, "v2d-tracks", list(frames.items()), camera, said)


def _place(
    file: Path, record: dict[str, Any], camera: Camera | None, scales: list[float]
) -> tuple[np.ndarray, Camera | None]:
    """The hand's place before the real camera, and that camera."""
    if "cam_t" in record:
        found = need(file, record, "intrinsics")
        fx, fy, cx, cy = (float(array(file, key, need(file, found, key), "")) for key in ("fx", "fy", "cx", "cy"))
        return array(file, "cam_t", record["cam_t"], "3"), Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
    virtual = need(file, record, "camera")
    focal = float(array(file, "scaled_focal_length", need(file, virtual, "scaled_focal_length"), ""))
    place = array(file, "pred_cam_t_full", need(file, virtual, "pred_cam_t_full"), "3")
    width, height = array(file, "image_size", need(file, record, "image_size"), "2")
    real = to_real_camera(file, place, focal, camera, (float(width), float(height)))
    scales.append(real[2] / place[2])
    return real, camera
