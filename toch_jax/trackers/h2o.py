"""H2O: the folder of one camera of a sequence (subject1/h1/0/cam4), with a text file for each frame in its folders.

- hand_pose: of the left hand, then the right: 1 if it is annotated, and 21 joints in OpenPose's order, metres.
- hand_pose_mano: of the left hand, then the right: 1 if it is annotated, smplx's translation, 48 absolute numbers
  (flat_hand_mean=True), 10 betas: 62 numbers each (its documentation says 59).
- obj_pose_rt: the object's number (0: none) and its pose, 4 x 4. cam_pose: camera to world, 4 x 4.
- cam_intrinsics.txt: fx, fy, cx, cy, width, height.

Hands and object are before the camera, z forward; they are moved into the world here, as the camera of the head (cam4)
moves. The left hand is MANO_LEFT.pkl as it is. `--object-key NAME` chooses one of several objects. The meshes,
object/<name>/<name>.obj, are in metres (taeinkwon/h2odataset: README.md; taeinkwon/h2oplayer). 30 frames a second.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.detections import rotation_vectors
from toch_jax.trackers.frame_numbers import numbered_files
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, Table, array, model_beside, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

FPS = 30.0
"""Frames per second of the cameras."""
SIDES: tuple[Side, Side] = ("left", "right")
"""The hands in the order of the files."""
NAMES = ("none", "book", "espresso", "lotion", "spray", "milk", "cocoa", "chips", "cappuccino")
"""The objects by their number."""
FOLDERS = {"hand_pose": 128, "hand_pose_mano": 124, "obj_pose_rt": 17, "cam_pose": 16}
"""What is read, and how many numbers each file has."""


def _folder(path: Path, name: str) -> Path | None:
    """The folder of this name: some copies have MANO and RT in capitals."""
    return next((each for each in path.iterdir() if each.is_dir() and each.name.lower() == name), None)


def fits(source: Source) -> bool:
    return source.is_folder and {"hand_pose", "hand_pose_mano", "obj_pose_rt"} <= {
        key.lower() for key in source.content
    }


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence as one camera saw it, in the world. Raises InputError."""
    files: dict[str, list[Path]] = {}
    for name in FOLDERS:
        folder = _folder(source.path, name)
        files[name] = [] if folder is None else sorted(folder.glob("*.txt"))
    every, _ = numbered_files(source.path / "hand_pose_mano", files["hand_pose_mano"])
    rows = {name: _rows(source.path / name, files[name], every, size) for name, size in FOLDERS.items()}
    to_world = rows["cam_pose"].reshape(-1, 4, 4)
    if np.isnan(rotation_vectors(source.path, "cam_pose", to_world[:, :3, :3])).any():
        raise bad_input(source.path, "cam_pose", "a pose of the camera in each frame", "zeros or NaN")
    joints = rows["hand_pose"].reshape(-1, 2, 64)
    points = np.where(joints[..., :1] == 1, joints[..., 1:], np.nan).reshape(-1, 2, 21, 3)
    points = np.einsum("tab,thjb->htja", to_world[:, :3, :3], points) + to_world[:, None, :3, 3]
    hands = rows["hand_pose_mano"].reshape(-1, 2, 62)
    hands = np.where(hands[..., :1] == 1, hands[..., 1:], np.nan).swapaxes(0, 1)
    kept = [hand for hand in range(2) if np.isfinite(hands[hand]).any()]
    if not kept:
        raise bad_input(source.path, "hand_pose_mano", "a frame with a hand", "none")
    name, poses = _object(source.path, rows["obj_pose_rt"], reading)
    given = _intrinsics(source.path / "cam_intrinsics.txt")
    return Tracked(
        format="h2o",
        sides=tuple(SIDES[hand] for hand in kept),
        joints=points[kept],
        mano=ManoTrack(
            hands[kept, :, 3:6],
            hands[kept, :, 6:51],
            hands[kept, :, :3],
            hands[kept, :, 51:],
            has_left_fault=True,
            moved_by=np.tile(to_world, (len(kept), 1, 1, 1)),
        ),
        is_world=True,
        fps=FPS,
        numbers=every,
        camera=Camera(given[0], given[1], np.linalg.inv(to_world)),
        object_poses=to_world @ poses,
        object_name=name,
        object_mesh=_mesh(source.path, name),
        said=(f"the object {name}",),
    )


def _rows(folder: Path, files: list[Path], every: np.ndarray, size: int) -> Float[np.ndarray, "T N"]:
    """The numbers of each frame's file. Raises InputError if one is missing."""
    numbers, index = numbered_files(folder, files)
    if not np.array_equal(numbers[index], every):
        raise bad_input(folder, "files", f"the {len(every)} frames of hand_pose_mano", f"{len(files)} others")
    found = []
    for file in files:
        content = open_source(file).content
        numbers = content.numbers(file).ravel() if isinstance(content, Table) else content
        found.append(array(file, folder.name, numbers, f"{size}"))
    return np.stack(found)


def _object(folder: Path, rows: Float[np.ndarray, "T 17"], reading: Reading) -> tuple[str, Float[np.ndarray, "T 4 4"]]:
    """The name of the object, and its pose before the camera; NaN where another object, or none, is annotated."""
    numbers = rows[:, 0]
    if not np.isin(numbers, np.arange(len(NAMES))).all():
        raise bad_input(folder / "obj_pose_rt", "the object's number", f"0 to {len(NAMES) - 1}", f"{numbers.max():g}")
    names = [NAMES[int(number)] for number in np.unique(numbers) if number]
    name = reading.object_key or (names[0] if len(names) == 1 else "none")
    if name not in names:
        raise bad_input(folder / "obj_pose_rt", "--object-key", f"one of {', '.join(names) or 'none'}", name)
    is_it = numbers == NAMES.index(name)
    return name, np.where(is_it[:, None, None], rows[:, 1:].reshape(-1, 4, 4), np.nan)


def _intrinsics(path: Path) -> tuple[Float[np.ndarray, "3 3"], tuple[float, float]]:
    content = open_source(path).content
    numbers = content.numbers(path).ravel() if isinstance(content, Table) else content
    fx, fy, cx, cy, width, height = array(path, "intrinsics", numbers, "6").tolist()
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), (width, height)


def _mesh(folder: Path, name: str) -> Path | None:
    file = "lotion_spray.obj" if name == "spray" else f"{name}.obj"
    return model_beside(folder, "object", name, file)
