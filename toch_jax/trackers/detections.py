"""From single detections of hands to tracks: one hand of each side, in each frame of the clip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import frame_grid, frame_number
from toch_jax.trackers.source import Source, array, lengths
from toch_jax.trackers.tracked import FLIP, MIRROR_AXIS_ANGLE, Camera, ManoTrack, Tracked, mirrored_pose

FRAME_KEYS = ("frame_idx", "frame_id", "frame", "img_name", "img_path", "image_path", "img_file")
"""Keys of a detection that tell its frame: a number, or the image's name, whose last number it is."""


@dataclass(frozen=True)
class Detection:
    """One hand in one image, as a hand of its own side in the camera's frame. Metres, axis-angle."""

    side: Side
    place: Float[np.ndarray, "3"]
    """What is added to the joints and vertices, and to the model's: its `transl`."""
    joints: Float[np.ndarray, "21 3"] | None = None
    vertices: Float[np.ndarray, "778 3"] | None = None
    orient: Float[np.ndarray, "3"] | None = None
    pose: Float[np.ndarray, "45"] | None = None
    betas: Float[np.ndarray, "S"] | None = None


def axis_angle(where: str | Path, field: str, value: Any, count: int) -> Float[np.ndarray, "n"]:
    """`count` rotations, matrices or axis-angle, as one row of axis-angle numbers. Raises InputError."""
    shapes = ("3 3", "3") if count == 1 else (f"{count} 3 3", f"{count} 3", str(3 * count))
    found = array(where, field, value, *shapes)
    if found.shape[-2:] == (3, 3) and found.ndim > len(shapes[1].split()):
        return rotation_vectors(where, field, found.reshape(-1, 3, 3)).ravel()
    return found.ravel()


def rotation_vectors(
    where: str | Path, field: str, matrices: Float[np.ndarray, "*batch 3 3"]
) -> Float[np.ndarray, "*batch 3"]:
    """Matrices as axis-angle; NaN where a matrix is zero or not finite. Raises InputError for other matrices."""
    flat = np.asarray(matrices, np.float64).reshape(-1, 3, 3)
    given = np.isfinite(flat).all(axis=(1, 2)) & (flat != 0).any(axis=(1, 2))
    off = np.abs(flat[given] @ flat[given].swapaxes(1, 2) - np.eye(3)).max(initial=0)
    if off > 1e-2 or (np.linalg.det(flat[given]) < 0).any():
        raise bad_input(where, field, "rotation matrices", f"others (R R^T differs from the identity by {off:.2g})")
    vectors = np.full((len(flat), 3), np.nan)
    if given.any():
        vectors[given] = Rotation.from_matrix(flat[given]).as_rotvec()
    return vectors.reshape(*np.shape(matrices)[:-2], 3)


def quaternion_vectors(quaternions: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3"]:
    """Quaternions (w, x, y, z) of any length as axis-angle; NaN where one is zero or not finite."""
    flat = np.asarray(quaternions, np.float64).reshape(-1, 4)
    given = np.isfinite(flat).all(axis=1) & (flat != 0).any(axis=1)
    vectors = np.full((len(flat), 3), np.nan)
    if given.any():
        vectors[given] = Rotation.from_quat(np.roll(flat[given], -1, axis=1)).as_rotvec()
    return vectors.reshape(*np.shape(quaternions)[:-1], 3)


def unmirrored(found: Detection) -> Detection:
    """A left hand that was estimated as a right hand in a mirrored image; its place is the mirrored one already."""
    return Detection(
        side="left",
        place=found.place,
        joints=None if found.joints is None else found.joints * FLIP,
        vertices=None if found.vertices is None else found.vertices * FLIP,
        orient=None if found.orient is None else found.orient * MIRROR_AXIS_ANGLE,
        pose=None if found.pose is None else mirrored_pose(found.pose),
        betas=found.betas,
    )


def images(source: Source, is_detection: Callable[[Any], bool]) -> list[tuple[int, list[dict[str, Any]]]]:
    """The detections of each image with the image's number in the clip.

    The content may be a list with an entry for each image, or a dict with an entry for each image's name; an entry is a
    detection, or a list of detections. One dict of arrays with a row for each detection is taken apart into rows. The
    numbers are those that the detections hold (FRAME_KEYS), else those in the images' names, else the order.
    Raises InputError for content of another form.
    """
    content, where = source.content, source.path
    if is_detection(content):
        content = record_rows(content)
    names = [str(name) for name in content] if isinstance(content, dict) else None
    entries = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(entries, list | tuple):
        raise bad_input(where, "file", "a list or a dict of images", type(entries).__name__)
    found: list[tuple[int | None, list[dict[str, Any]]]] = []
    for index, entry in enumerate(entries):
        each = [entry] if isinstance(entry, dict) and is_detection(entry) else entry
        if not isinstance(each, list | tuple) or not all(isinstance(one, dict) and is_detection(one) for one in each):
            if not (isinstance(each, dict) and not each) and each is not None:
                raise bad_input(where, f"image {index}", "a detection or a list of them", f"{type(entry).__name__}")
            each = []
        rows = [row for one in each for row in record_rows(one)]
        own = {number for row in rows if (number := _own_number(row)) is not None}
        for number in sorted(own):
            found.append((number, [row for row in rows if _own_number(row) == number]))
        if not own:
            found.append((frame_number(names[index]) if names else None, rows))
    if all(number is not None for number, _ in found):
        return [(int(number or 0), rows) for number, rows in found]
    each_alone = len(found) > 1 and all(len(rows) <= 1 for _, rows in found)
    if each_alone and len({_side_word(row) for _, rows in found for row in rows}) > 1:
        expected = f"one of {', '.join(FRAME_KEYS)} in each detection, or a list of lists, as there are two sides"
        raise bad_input(where, "frame", expected, "none")
    return [(index, rows) for index, (_, rows) in enumerate(found)]


def row_count(record: dict[str, Any]) -> int:
    """The number of hands in a detection."""
    return (*lengths(record.get("is_right", record.get("right"))), 1)[0]


def record_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A detection whose arrays have a row for each of several hands, as one detection for each."""
    count = row_count(record)
    if count > 1:
        return [{key: _row(value, index, count) for key, value in record.items()} for index in range(count)]
    return [record]


def _row(value: Any, index: int, count: int) -> Any:
    if isinstance(value, dict):
        return {key: _row(each, index, count) for key, each in value.items()}
    return value[index] if lengths(value)[:1] == (count,) else value


def _own_number(row: dict[str, Any]) -> int | None:
    for key in FRAME_KEYS:
        value: Any = row.get(key)
        while lengths(value)[:1] == (1,):
            value = value[0]
        if isinstance(value, str):
            return frame_number(value)
        if isinstance(value, int | float | np.integer | np.floating) and -1e9 < value < 1e9:
            return int(value)
    return None


def _side_word(row: dict[str, Any]) -> str:
    flag: Any = row.get("is_right", row.get("right", True))
    while lengths(flag)[:1] == (1,):
        flag = flag[0]
    return "left" if str(flag) in ("0", "0.0", "False") else "right"


def is_right(where: str | Path, record: dict[str, Any]) -> bool:
    """The flag `is_right` or `right` of a detection. Raises InputError."""
    key = "is_right" if "is_right" in record else "right"
    if key not in record:
        raise bad_input(where, "is_right", "this key (or right) in each detection", "none")
    return float(array(where, key, record[key], "")) > 0.5


def tracked_hands(
    source: Source,
    name: str,
    found: Sequence[tuple[int, Sequence[Detection]]],
    camera: Camera | None,
    said: Sequence[str],
    fps: float | None = None,
) -> Tracked:
    """One hand of each side from the detections of each image; the others of a side are left out, and that is said."""
    where = source.path
    if not any(detections for _, detections in found):
        raise bad_input(where, "file", "a hand in one image at least", f"none in {len(found)} images")
    numbers, index = frame_grid(where, [number for number, _ in found])
    sides = tuple(
        side for side in ("left", "right") if any(one.side == side for _, detections in found for one in detections)
    )
    kept: dict[tuple[int, int], Detection] = {}
    dropped = 0
    for hand, side in enumerate(sides):
        last: Detection | None = None
        for frame, (_, detections) in sorted(zip(index.tolist(), found, strict=True), key=lambda pair: pair[0]):
            candidates = [one for one in detections if one.side == side]
            dropped += max(len(candidates) - 1, 0)
            if candidates:
                before = last.place if last is not None else candidates[0].place
                last = min(candidates, key=lambda one: float(np.linalg.norm(one.place - before)))
                kept[hand, frame] = last
    if dropped:
        said = (*said, f"{dropped} detections of a second hand of one side left out (the nearer to the last is kept)")
    some = next(iter(kept.values()))
    counts = sorted({len(one.betas) for one in kept.values() if one.betas is not None})
    if len(counts) > 1:
        raise bad_input(where, "betas", "as many in each frame", f"{counts[0]} and {counts[-1]}")

    def filled(get: Callable[[Detection], np.ndarray | None], *shape: int) -> np.ndarray | None:
        if get(some) is None or any(get(one) is None for one in kept.values()):
            return None
        track = np.full((len(sides), len(numbers), *shape), np.nan)
        for at, one in kept.items():
            track[at] = get(one)
        return track

    joints = filled(lambda one: None if one.joints is None else one.joints + one.place, 21, 3)
    vertices = None
    if joints is None:
        vertices = filled(lambda one: None if one.vertices is None else one.vertices + one.place, 778, 3)
    orient, pose = filled(lambda one: one.orient, 3), filled(lambda one: one.pose, 45)
    betas = filled(lambda one: one.betas, len(some.betas)) if some.betas is not None else None
    mano = None
    if orient is not None and pose is not None and betas is not None:
        place = filled(lambda one: one.place, 3)
        assert place is not None
        mano = ManoTrack(orient, pose, place, betas)
    return Tracked(
        format=name,
        sides=sides,  # type: ignore[arg-type]
        joints=joints,
        vertices=vertices,
        mano=mano,
        fps=fps,
        numbers=numbers,
        camera=camera,
        said=tuple(said),
    )
