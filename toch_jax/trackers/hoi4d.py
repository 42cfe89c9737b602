"""HOI4D: the folder of a sequence's hand, handpose/refinehandpose_right/<camera>/<H>/<C>/<N>/<S>/<s>/<T>.

Each frame's pickle, <frame>.pickle, has poseCoeff (48): orientation and 45 absolute numbers (manopth with
use_pca=False, flat_hand_mean=True), beta (10) and trans (3): smplx's, metres, before the camera, z forward. Beside the
folder handpose lie HOI4D_annotations/<the same path>/objpose/<frame>.json, camera_params/<camera>/intrin.npy and
HOI4D_CAD_Model_for_release/rigid/<category>/<N>.obj.

A pose is in dataList or objects: center {x, y, z}, the centre of the mesh's bounding box, metres, and rotation {x, y,
z}: Euler angles about the object's own axes x, then y, then z (scipy's "XYZ"); a frame with isEffective 0 has none. A
hinged object has an entry for each part: `--object-key` is which, from 0; its mesh is given by `--object`
(leolyliu/HOI4D-Instructions: README.md). The camera, on a head, moves, and hand and object stay before it. 15 frames a
second.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.trackers.frame_numbers import numbered_files
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, first_has, need, open_source, read_pickled
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

FPS = 15.0
"""Frames per second of the videos."""
LEVELS = 7
"""Folders of a sequence below refinehandpose_right and HOI4D_annotations: camera, H, C, N, S, s, T."""
CATEGORIES = {
    **{1: "ToyCar", 2: "Mug", 3: "Laptop", 4: "StorageFurniture", 5: "Bottle", 6: "Safe", 7: "Bowl", 8: "Bucket"},
    **{9: "Scissors", 11: "Pliers", 12: "Kettle", 13: "Knife", 14: "TrashCan", 17: "Lamp", 18: "Stapler", 20: "Chair"},
}
"""Categories by the number of C."""


def _files(source: Source) -> list[Path]:
    return sorted(source.path.glob("*.pickle")) if source.is_folder else []


def fits(source: Source) -> bool:
    return first_has(_files(source), "poseCoeff", "beta", "trans")


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence's hand, and the object where it lies beside. Raises InputError."""
    files = _files(source)
    every, index = numbered_files(source.path, files)
    pose, transl, betas = (np.full((1, len(every), size), np.nan) for size in (48, 3, 10))
    for frame, file in zip(index, files, strict=True):
        record = read_pickled(file)
        for key, values in (("poseCoeff", pose), ("trans", transl), ("beta", betas)):
            values[0, frame] = array(file, key, need(file, record, key), f"{values.shape[-1]}")
    folder = source.path.absolute()
    is_left = "refinehandpose_left" in folder.parts
    sequence, root = folder.parts[-LEVELS:], folder.parents[min(LEVELS + 1, len(folder.parents) - 1)]
    notes = root / "HOI4D_annotations" / Path(*sequence) / "objpose"
    lens = root / "camera_params" / sequence[0] / "intrin.npy"
    name, mesh = _object(root, sequence)
    return Tracked(
        format="hoi4d",
        sides=("left",) if is_left else ("right",),
        mano=ManoTrack(pose[..., :3], pose[..., 3:], transl, betas, has_left_fault=True),
        fps=FPS,
        numbers=every,
        camera=Camera(array(lens, "intrin", open_source(lens).content, "3 3")) if lens.is_file() else None,
        object_poses=_poses(notes, every, reading) if notes.is_dir() and reading.object_poses is None else None,
        centre_mesh=True,
        object_name=name,
        object_mesh=mesh,
    )


def _object(root: Path, sequence: tuple[str, ...]) -> tuple[str | None, Path | None]:
    """The object's category and number, and its mesh if it is rigid, from the names of the folders."""
    numbers = {part[0]: int(part[1:]) for part in sequence if part[:1] in ("C", "N") and part[1:].isdigit()}
    category, number = CATEGORIES.get(numbers.get("C", 0)), numbers.get("N")
    if category is None or number is None:
        return None, None
    mesh = root / "HOI4D_CAD_Model_for_release" / "rigid" / category / f"{number:03d}.obj"
    return f"{category} {number:03d}", mesh if mesh.is_file() else None


def _poses(folder: Path, every: np.ndarray, reading: Reading) -> Float[np.ndarray, "T 4 4"]:
    """The object's pose in each frame; NaN where there is none."""
    found = np.full((len(every), 4, 4), np.nan)
    for frame, number in enumerate(every):
        # some copies have the numbers with leading zeros
        files = [file for file in (folder / f"{number}.json", folder / f"{number:05d}.json") if file.is_file()]
        if not files:
            continue
        content = open_source(files[0]).content
        parts = _parts(files[0], content)
        if not parts or not content.get("isEffective", 1):
            continue
        item = parts[_part(files[0], parts, reading)]
        angles, centre = (_xyz(files[0], item, key) for key in ("rotation", "center"))
        found[frame] = np.eye(4)
        found[frame, :3, :3] = Rotation.from_euler("XYZ", angles).as_matrix()
        found[frame, :3, 3] = centre
    return found


def _parts(file: Path, content: Any) -> list[Any]:
    parts = need(file, content, "dataList") if "dataList" in content else need(file, content, "objects")
    if not isinstance(parts, list):
        raise bad_input(file, "dataList", "a list", type(parts).__name__)
    return parts


def _part(file: Path, parts: list[Any], reading: Reading) -> int:
    key = reading.object_key or ("0" if len(parts) == 1 else "none")
    if not (key.isdigit() and int(key) < len(parts)):
        raise bad_input(file, "--object-key", f"which of {len(parts)} parts, from 0", key)
    return int(key)


def _xyz(file: Path, item: Any, key: str) -> Float[np.ndarray, "3"]:
    values = need(file, item, key)
    return array(file, key, [need(file, values, axis) for axis in "xyz"], "3")
