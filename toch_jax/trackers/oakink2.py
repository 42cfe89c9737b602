"""OakInk2: a file of `anno_preview`, a pickled dict of one recording of both hands and many objects, in the world.

raw_mano {frame: {rh__pose_coeffs (1, 16, 4) quaternions w x y z, rh__tsl (1, 3), rh__betas (1, 10), lh__...}},
obj_transf {object: {frame: (4, 4)}}, cam_extr {camera: {frame: (4, 4)}} world to camera, cam_intr (oakink/OakInk2,
README.md). manotorch with center_idx=0: absolute poses, tsl is the wrist's place, left hands are those of MANO_LEFT.pkl
as it is (launch/viz/seg_3d.py). Parts of an articulated object are objects of their own.

The frames of mocap_frame_id_list are numbered as the motion capture took them, 120 a second (oakink2_toolkit/meta.py);
those of frame_id_list have images. Beside `anno_preview` lie the meshes, in metres, in
`object_repair/align_ds/<object>`, else object_raw's or object_preview's.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import quaternion_vectors
from toch_jax.trackers.frame_numbers import at_frames, frame_grid, frame_numbers, numbered
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

KEYS = {"raw_mano", "obj_transf", "mocap_frame_id_list"}
HANDS: tuple[tuple[Side, str], ...] = (("left", "lh"), ("right", "rh"))
FPS = 120.0
"""Of the frames' numbers."""
CAMERA = "allocentric_top"
"""The camera at rest that OakInk2's own pictures use (launch/viz/seg_3d.py)."""
SIZE = (848.0, 480.0)
"""Of its images, pixels (oakink2_toolkit/meta.py)."""
MESHES = ("object_repair", "object_raw", "object_preview")


def fits(source: Source) -> bool:
    return not source.is_folder and isinstance(source.content, dict) and set(source.content) >= KEYS


def read(source: Source, reading: Reading) -> Tracked:
    """The hands, and the object that `--object-key` names. Raises InputError."""
    where, content = source.path, source.content
    frames = np.unique(frame_numbers(where, "mocap_frame_id_list", content["mocap_frame_id_list"]))
    every, index = frame_grid(where, frames.tolist())
    step = int(every[1] - every[0]) if len(every) > 1 else 1
    hands = numbered(where, content["raw_mano"])
    tracks = [_hand(where, [hands.get(int(frame)) for frame in frames], start) for _, start in HANDS]

    keys = "orient", "pose", "wrist", "betas"
    orient, pose, wrist, betas = (
        at_frames(np.stack([track[key] for track in tracks]), index, len(every)) for key in keys
    )
    name = _object(where, content, reading)
    poses = None
    if name is not None:
        moved = numbered(where, content["obj_transf"][name])
        lost = np.full((4, 4), np.nan)
        poses = array(where, f"obj_transf {name}", [moved.get(int(frame), lost) for frame in every], "T 4 4")
    return Tracked(
        format="oakink2",
        sides=tuple(side for side, _ in HANDS),
        mano=ManoTrack(orient, pose, wrist, betas, places_wrist=True, has_left_fault=True),
        is_world=True,
        fps=FPS / step,
        numbers=every,
        camera=_camera(where, content, len(every)),
        object_poses=poses,
        object_name=name,
        object_mesh=None if name is None else _mesh(where, name),
        said=() if name is None else (f"object {name}",),
    )


def recorded_objects(path: Path) -> list[str]:
    """The objects of a recording's file. Raises InputError."""
    names = need(path, open_source(path).content, "obj_transf")
    if not isinstance(names, dict):
        raise bad_input(path, "obj_transf", "a record with a key for each object", type(names).__name__)
    return list(map(str, names))


def _hand(where: Path, rows: list[Any], start: str) -> dict[str, Float[np.ndarray, "N K"]]:
    """One hand in each of the frames; NaN where the record has none."""
    sizes = {"pose_coeffs": 64, "tsl": 3, "betas": 10}
    found = {}
    for key, size in sizes.items():
        lost = np.full(size, np.nan)
        given = [lost if row is None else np.ravel(need(where, row, f"{start}__{key}")) for row in rows]
        found[key] = array(where, f"{start}__{key}", given, f"N {size}")
    vectors = quaternion_vectors(found["pose_coeffs"].reshape(-1, 16, 4))
    pose = vectors[:, 1:].reshape(-1, 45)
    return {"orient": vectors[:, 0], "pose": pose, "wrist": found["tsl"], "betas": found["betas"]}


def _object(where: Path, content: dict[str, Any], reading: Reading) -> str | None:
    """The object that is chosen, or the only one; None if its poses are given by a file."""
    if reading.object_poses is not None:
        return None
    names = list(map(str, content["obj_transf"])) if isinstance(content["obj_transf"], dict) else []
    name = reading.object_key or (names[0] if len(names) == 1 else None)
    if name not in names:
        raise bad_input(where, "--object-key", f"one of {', '.join(names)}", name or "none")
    return name


def _mesh(where: Path, name: str) -> Path | None:
    """The only mesh in the object's folder (oakink2_toolkit/dataset.py)."""
    for kind in MESHES:
        folder = where.resolve().parent.parent / kind / "align_ds" / name
        files = [path for ending in ("obj", "ply") for path in folder.glob(f"*.{ending}")]
        if len(files) == 1:
            return files[0]
    return None


def _camera(where: Path, content: dict[str, Any], count: int) -> Camera | None:
    """The camera at rest, in its first frame's place."""
    found = [content.get(key, {}).get(CAMERA) for key in ("cam_extr", "cam_intr")]
    if not all(found):
        return None
    pose, lens = (next(iter(numbered(where, each).values())) for each in found)
    from_world = array(where, "cam_extr", pose, "4 4")
    return Camera(array(where, "cam_intr", lens, "3 3"), SIZE, np.tile(from_world, (count, 1, 1)))
