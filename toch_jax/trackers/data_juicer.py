"""Data-Juicer's HaWoR operator: the tags of one video, as JSON.

{fov_x, img_focal, left, right: {frame_ids, global_orient (T, 3), hand_pose (T, 45), betas (T, 10), transl (T, 3),
joints_cam (T, 21, 3) or null}}, or a sample, or lines of samples, that has them below hand_reconstruction_hawor_tags (a
list with an entry for each video). Axis-angle and absolute; left hands are in MANO_LEFT's own parameters, with mended
shape directions; metres before the camera, joints in OpenPose's order (datajuicer/data-juicer,
ops/mapper/video_hand_reconstruction_hawor_mapper.py). Frames that are not in frame_ids are lost.
"""

from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import MOST_FRAMES, Source, array, need
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

TAGS = "hand_reconstruction_hawor_tags"
_SHAPES = {"global_orient": "K 3", "hand_pose": "K 45", "betas": "K 10", "transl": "K 3"}
SIDES: tuple[Side, Side] = ("left", "right")


def _is_video(value: Any) -> bool:
    return isinstance(value, dict) and {"img_focal", "left", "right"} <= set(value)


def _videos(value: Any) -> list[dict[str, Any]]:
    """The tags of all videos in a sample, in lines of samples, or alone."""
    if _is_video(value):
        return [value]
    if isinstance(value, list):
        return [video for each in value[:MOST_FRAMES] if isinstance(each, dict) for video in _videos(each)]
    if isinstance(value, dict):
        tags = value.get(TAGS)
        if isinstance(tags, list):
            return [each for each in tags if _is_video(each)]
        # Fields.meta of data-juicer
        return _videos(value["__dj__meta__"]) if isinstance(value.get("__dj__meta__"), dict) else []
    return []


def fits(source: Source) -> bool:
    return not source.is_folder and bool(_videos(source.content))


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of the only video. Raises InputError."""
    where, videos = source.path, _videos(source.content)
    if len(videos) > 1:
        raise bad_input(where, TAGS, "the tags of one video alone", f"{len(videos)} videos")
    found = {side: each for side in SIDES if (each := _hand(source, videos[0][side])) is not None}
    if not found:
        raise bad_input(where, "frame_ids", "a hand in one frame at least", "none")
    last = max(int(numbers.max()) for numbers, _, _ in found.values())
    if last >= MOST_FRAMES:
        raise bad_input(where, "frame_ids", f"at most {MOST_FRAMES:,} frames", f"{last:,}")

    def track(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
        full = np.full((last + 1, *values.shape[1:]), np.nan)
        full[numbers] = values
        return full

    mano = {key: np.stack([track(at, params[key]) for at, params, _ in found.values()]) for key in _SHAPES}
    joints = None
    if all(points is not None for _, _, points in found.values()):
        joints = np.stack([track(at, points) for at, _, points in found.values() if points is not None])
    focal = float(array(where, "img_focal", videos[0]["img_focal"], ""))
    return Tracked(
        format="data-juicer",
        sides=tuple(found),
        joints=joints,
        mano=ManoTrack(mano["global_orient"], mano["hand_pose"], mano["transl"], mano["betas"]),
        numbers=np.arange(last + 1),
        camera=Camera(np.array([[focal, 0, np.nan], [0, focal, np.nan], [0, 0, 1]])),
        said=(f"depth as for the file's focal length of {focal:.0f} pixels",),
    )


def _hand(source: Source, record: Any) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None] | None:
    """Frames, parameters and joints of one hand; None if it is in no frame."""
    where = source.path
    numbers = array(where, "frame_ids", need(where, record, "frame_ids") or np.zeros(0), "K").astype(np.int64)
    if not len(numbers):
        return None
    if (numbers < 0).any() or len(set(numbers.tolist())) < len(numbers):
        raise bad_input(where, "frame_ids", "frames from 0 on, each once", f"{numbers.min()}, or repeated ones")
    params = {key: array(where, key, need(where, record, key), shape) for key, shape in _SHAPES.items()}
    points = record.get("joints_cam")
    joints = None if points is None else array(where, "joints_cam", points, "K 21 3")
    for key, value in {**params, "joints_cam": joints}.items():
        if value is not None and len(value) != len(numbers):
            raise bad_input(where, key, f"the {len(numbers)} frames of frame_ids", str(len(value)))
    return numbers, params, joints
