"""First-Person Hand Action Benchmark: skeleton.txt of a sequence, or its folder, in
Hand_pose_annotation_v1/<subject>/<action>/<repetition>.

A line is a frame: its number, then 21 joints of the right hand before the depth camera, millimetres: the wrist, the
first joints of thumb, index, middle, ring and little finger, then the other three of each (guiggh/hand_pose_action,
README.md, load_example.py). The clip's frames are counted from its first, as the images are.

`Object_6D_pose_annotation_v1_1/<subject>/<action>/<repetition>/object_pose.txt`, of four of the objects: a line has the
frame and a matrix column by column, millimetres, of `Object_models/<object>_model/<object>_model.ply`, metres. The
object's name is the action's without its verb.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.trackers.frame_numbers import frame_grid, frame_numbers
from toch_jax.trackers.joint_orders import to_openpose
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, Table, array, open_source
from toch_jax.trackers.tracked import Camera, Tracked

NAME = "skeleton.txt"
COLUMNS = 64
MM = 0.001
FPS = 30.0
"""Of the videos (Garcia-Hernando et al. 2018, section 3.2)."""
INTRINSICS = np.array([[1395.749023, 0, 935.732544], [0, 1395.749268, 540.681030], [0, 0, 1]])
"""Of the colour camera, pixels (README.md)."""
FROM_DEPTH = np.array(
    [
        [0.999988496304, -0.00468848412856, 0.000982563360594, 0.0257],
        [0.00469115935266, 0.999985218048, -0.00273845880292, 0.00122],
        [-0.000969709653873, 0.00274303671904, 0.99999576807, 0.003902],
        [0, 0, 0, 1],
    ]
)
"""From the frame of the depth camera to the colour camera's, metres (README.md)."""
SIZE = (1920.0, 1080.0)
"""Of the colour images, pixels."""


def fits(source: Source) -> bool:
    if source.is_folder:
        return NAME in source.content and _is_table(open_source(source.path / NAME).content)
    return _is_table(source.content)


def _is_table(content: object) -> bool:
    return isinstance(content, Table) and not content.names and len(content.text.partition("\n")[0].split()) == COLUMNS


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence's hand, and its object where the set has its poses. Raises InputError."""
    path = source.path / NAME if source.is_folder else source.path
    numbers, values = _rows(path, COLUMNS - 1)
    every, index = frame_grid(path, numbers.tolist())
    joints = np.full((len(every), 21, 3), np.nan)
    joints[index] = MM * values.reshape(-1, 21, 3)
    frames = every - every[0]
    poses, name, mesh = _object(path, frames, reading)
    return Tracked(
        format="fhab",
        sides=("right",),
        joints=to_openpose(path, joints[None], "fhab")[0],
        is_world=True,
        fps=FPS / (int(frames[1]) if len(frames) > 1 else 1),
        numbers=frames,
        camera=Camera(INTRINSICS, SIZE, np.tile(FROM_DEPTH, (len(every), 1, 1))),
        object_poses=poses,
        object_name=name,
        object_mesh=mesh,
        said=() if name is None else (f"object {name}",),
    )


def _rows(path: Path, width: int) -> tuple[np.ndarray, Float[np.ndarray, "N W"]]:
    """The frames' numbers, and the numbers beside them."""
    content = open_source(path).content
    if not isinstance(content, Table):
        raise bad_input(path, "file", f"lines of {width + 1} numbers", type(content).__name__)
    values = array(path, "line", content.numbers(path), f"N {width + 1}")
    numbers = frame_numbers(path, "frame", values[:, 0])
    if not (np.diff(numbers) > 0).all():
        raise bad_input(path, "frame", "numbers that increase", f"{numbers[:4]}")
    return numbers, values[:, 1:]


def _object(
    path: Path, frames: np.ndarray, reading: Reading
) -> tuple[Float[np.ndarray, "T 4 4"] | None, str | None, Path | None]:
    """The object's poses of the latest version, its name and mesh, where they lie beside the hand."""
    own = path.resolve().parent
    root = list(own.parents)[:4][-1]
    kinds = sorted(root.glob("Object_6D_pose_annotation_*"))
    files = [file for kind in kinds if (file := kind.joinpath(*own.parts[-3:], "object_pose.txt")).is_file()]
    if not files or reading.object_poses is not None:
        return None, None, None
    numbers, values = _rows(files[-1], 16)
    poses = np.full((len(frames), 4, 4), np.nan)
    matrices = values.reshape(-1, 4, 4).swapaxes(1, 2)
    matrices[:, :3, 3] *= MM
    at = {int(number): pose for number, pose in zip(numbers, matrices, strict=True)}
    for row, frame in enumerate(frames.tolist()):
        poses[row] = at.get(frame, np.nan)
    name = own.parent.name.partition("_")[2]
    mesh = root / "Object_models" / f"{name}_model" / f"{name}_model.ply"
    return poses, name, mesh if mesh.is_file() else None
