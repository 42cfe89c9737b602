"""OakInk-Image: one of the files of a sequence in `image/anno/general_info`, or a folder of one sequence's.

<object>_<intent>_<subjects>__<time>__<hand>__<frame>__<camera>.pkl is of one frame and camera: hand_anno {hand_pose
(16, 4) quaternions w x y z, hand_shape (10,), hand_tsl (3,)} and obj_anno (4, 4), the object's pose, in the world;
cam_extr (4, 4), world to camera, cam_intr (3, 3). manotorch with center_idx=0: absolute poses, hand_tsl is the wrist's
place (oakink/OakInk, docs/datasets.md, oikit/oi_image/oi_image.py). All hands are right hands; a handover has two
persons', <hand> 0 and 1, of which that of the file is read. 30 frames a second (oakink/OakInk issue 11).

`../hand_j`, beside it, has the 21 joints in OpenPose's order before the camera, `../../obj` the meshes: the poses are
of a mesh whose bounding box has its centre at the origin, which its file's has not (oi_image/utils.py).
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.trackers.detections import quaternion_vectors
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

KEYS = {"hand_anno", "obj_anno", "cam_extr", "cam_intr"}
FPS = 30.0
SIZE = (848.0, 480.0)
"""Of the images, pixels (oi_image.py)."""


class Name(NamedTuple):
    """The parts of a file's name."""

    sequence: str
    time: str
    hand: str
    frame: int
    camera: str

    @property
    def clip(self) -> tuple[str, ...]:
        return self.sequence, self.time, self.hand, self.camera


def _name(path: Path) -> Name | None:
    parts = path.stem.split("__")
    if path.suffix != ".pkl" or len(parts) != 5 or not parts[3].isdigit():
        return None
    return Name(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


def fits(source: Source) -> bool:
    if not source.is_folder:
        return _is_frame(source.content)
    first = next((path for path in source.content.values() if _name(path) is not None), None)
    return first is not None and _is_frame(open_source(first).content)


def _is_frame(content: Any) -> bool:
    return isinstance(content, dict) and set(content) >= KEYS


def _clip(source: Source) -> dict[int, Path]:
    """The files of the clip, by frame, in its order. Raises InputError."""
    expected = "<sequence>__<time>__<hand>__<frame>__<camera>.pkl"
    wanted = None if source.is_folder else _name(source.path)
    if wanted is None and not source.is_folder:
        raise bad_input(source.path, "file name", expected, source.path.name)
    folder = source.path if source.is_folder else source.path.parent
    named = [(name, path) for path in folder.iterdir() if (name := _name(path)) is not None]
    clips = {name.clip for name, _ in named} if wanted is None else {wanted.clip}
    if len(clips) > 1:
        found = f"files of {len(clips)} clips"
        raise bad_input(source.path, "folder", "one file of the clip, or files of one hand before one camera", found)
    return dict(sorted((name.frame, path) for name, path in named if name.clip in clips))


def read(source: Source, reading: Reading) -> Tracked:
    """The clip that a file is of, or that a folder holds. Raises InputError."""
    files = _clip(source)
    every, index = frame_grid(source.path, list(files))
    rows = [_frame(path) for path in files.values()]
    tracks = {key: np.full((len(every), *value.shape), np.nan) for key, value in rows[0].items()}
    for frame, row in zip(index, rows, strict=True):
        for key, value in row.items():
            tracks[key][frame] = value
    joints = _joints(list(files.values()), [row["camera"] for row in rows])
    if joints is not None:
        tracks["joints"] = np.full((len(every), 21, 3), np.nan)
        tracks["joints"][index] = joints
    # a camera at rest: as in the frame before where there is no file
    before = np.searchsorted(index, np.arange(len(every)), side="right") - 1
    from_world = np.stack([row["camera"] for row in rows])[before]
    orient, pose, wrist, betas = (tracks[key][None] for key in ("orient", "pose", "wrist", "betas"))
    path = next(iter(files.values()))
    name = path.stem.split("_")[0]
    meshes = [path.parent.parent.parent / "obj" / f"{name}.{ending}" for ending in ("obj", "ply")]
    return Tracked(
        format="oakink",
        sides=("right",),
        joints=tracks["joints"][None] if joints is not None else None,
        mano=ManoTrack(orient, pose, wrist, betas, places_wrist=True),
        is_world=True,
        fps=FPS,
        numbers=every,
        camera=Camera(rows[0]["intrinsics"], SIZE, from_world),
        object_poses=tracks["object"],
        centre_mesh=True,
        object_name=name,
        object_mesh=next((mesh for mesh in meshes if mesh.is_file()), None),
        said=(f"object {name}, with the centre of its mesh's bounding box at the origin",),
    )


def _frame(path: Path) -> dict[str, np.ndarray]:
    """The hand, the object and the camera in one file."""
    content = open_source(path).content
    hand = need(path, content, "hand_anno")

    def take(record: Any, key: str, *shapes: str) -> np.ndarray:
        return array(path, key, need(path, record, key), *shapes)

    turns = quaternion_vectors(take(hand, "hand_pose", "16 4", "64").reshape(16, 4))
    return {
        "orient": turns[0],
        "pose": turns[1:].ravel(),
        "wrist": take(hand, "hand_tsl", "3"),
        "betas": take(hand, "hand_shape", "10"),
        "object": take(content, "obj_anno", "4 4"),
        "camera": take(content, "cam_extr", "4 4"),
        "intrinsics": take(content, "cam_intr", "3 3"),
    }


def _joints(files: list[Path], cameras: list[Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, "N 21 3"] | None:
    """The joints in the world, where all frames' lie beside the files."""
    beside = [path.parent.parent / "hand_j" / path.name for path in files]
    if not all(path.is_file() for path in beside):
        return None
    before = [array(path, "hand_j", open_source(path).content, "21 3") for path in beside]
    return np.stack([(each - pose[:3, 3]) @ pose[:3, :3] for each, pose in zip(before, cameras, strict=True)])
