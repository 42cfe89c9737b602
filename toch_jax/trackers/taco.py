"""TACO: the folder `Hand_Poses/<triplet>/<sequence>` with right_hand.pkl, left_hand.pkl and their *_shape.pkl.

<side>_hand.pkl is {frame: {hand_pose (48,) axis-angle, hand_trans (3,) metres}}, <side>_hand_shape.pkl {hand_shape
(10,)}, tensors, in the world. manopth with its default flat_hand_mean=True and center_idx=0: the pose is absolute and
hand_trans is the wrist's place; left hands are those of MANO_LEFT.pkl as it is (leolyliu/TACO-Instructions,
dataset_utils/hand_pose_loader.py, manopth/manolayer.py). Frames are those of the videos, 30 a second, in order.

Beside Hand_Poses, by triplet and sequence (visualization.py, project_pose_to_egocentric_view.py): `Object_Poses` with
tool_<id>.npy and target_<id>.npy (T, 4, 4), of which `--object-key` chooses one; `Object_Models/<id>_cm.obj` or, as it
is downloaded, `object_models_released/<id>_cm.obj`, centimetres; `Egocentric_Camera_Parameters` with
egocentric_intrinsic.txt and egocentric_frame_extrinsic.npy (T, 4, 4), world to camera.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.frame_numbers import numbered
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

SIDES: tuple[Side, Side] = ("left", "right")
CM = np.diag([0.01, 0.01, 0.01, 1.0])
"""From the models' centimetres to metres."""
MODELS = ("Object_Models", "object_models_released")
"""Folders of the models: as the README shows them, and as they come."""
FPS = 30.0
"""Frame rate of TACO's videos (README.md)."""


def fits(source: Source) -> bool:
    return source.is_folder and any(
        {f"{side}_hand.pkl", f"{side}_hand_shape.pkl"} <= set(source.content) for side in SIDES
    )


def read(source: Source, reading: Reading) -> Tracked:
    """The hands of a sequence, and the object and the camera where they lie beside. Raises InputError."""
    folder = source.path
    sides = tuple(side for side in SIDES if f"{side}_hand.pkl" in source.content)
    hands = {side: _motion(folder / f"{side}_hand.pkl") for side in sides}
    frames = {side: len(motion) for side, motion in hands.items()}
    if len(set(frames.values())) > 1:
        raise bad_input(folder, "frames", "as many of both hands", str(frames))
    count = frames[sides[0]]
    shapes = [folder / f"{side}_hand_shape.pkl" for side in sides]
    betas = np.stack(
        [array(path, "hand_shape", need(path, open_source(path).content, "hand_shape"), "10") for path in shapes]
    )
    motion = np.stack(list(hands.values()))
    poses, name, mesh = _object(folder, count, reading)
    return Tracked(
        format="taco",
        sides=sides,
        mano=ManoTrack(
            motion[..., :3], motion[..., 3:48], motion[..., 48:], betas, places_wrist=True, has_left_fault=True
        ),
        is_world=True,
        fps=FPS,
        camera=_camera(folder, count),
        object_poses=poses,
        mesh_to_object=CM,
        object_name=name,
        object_mesh=mesh,
        said=(
            *([f"the {reading.object_key}'s poses"] if poses is not None else []),
            "mesh x 0.01: TACO's are in centimetres",
        ),
    )


def _motion(path: Path) -> Float[np.ndarray, "T 51"]:
    """Pose and translation in each frame."""
    rows = numbered(path, open_source(path).content)
    pose = array(path, "hand_pose", [need(path, row, "hand_pose") for row in rows.values()], "T 48")
    place = array(path, "hand_trans", [need(path, row, "hand_trans") for row in rows.values()], "T 3")
    return np.concatenate([pose, place], axis=1)


def _beside(folder: Path, name: str, *names: str) -> Path:
    """The folder `name` beside Hand_Poses, or the file or folder in it."""
    return list(folder.resolve().parents)[:3][-1].joinpath(name, *names)


def _object(
    folder: Path, count: int, reading: Reading
) -> tuple[Float[np.ndarray, "T 4 4"] | None, str | None, Path | None]:
    """The poses, number and mesh of the tool or the target, where they lie beside the hands."""
    own = folder.resolve()
    found = sorted(_beside(folder, "Object_Poses", own.parent.name, own.name).glob("t*_*.npy"))
    files = {path.stem.split("_")[0]: path for path in found}
    if not files or reading.object_poses is not None:
        return None, None, None
    if reading.object_key not in files:
        names = ", ".join(f"{name} ({path.stem})" for name, path in files.items())
        raise bad_input(folder, "--object-key", f"one of {names}", reading.object_key or "none")
    path = files[reading.object_key]
    poses = array(path, "object poses", open_source(path).content, f"{count} 4 4")
    name = path.stem.split("_")[-1]
    meshes = [_beside(folder, models, f"{name}_cm.obj") for models in MODELS]
    return poses, name, next((mesh for mesh in meshes if mesh.is_file()), None)


def _camera(folder: Path, count: int) -> Camera | None:
    own = folder.resolve()
    parameters = _beside(folder, "Egocentric_Camera_Parameters", own.parent.name, own.name)
    lens, path = parameters / "egocentric_intrinsic.txt", parameters / "egocentric_frame_extrinsic.npy"
    if not (lens.is_file() and path.is_file()):
        return None
    from_world = array(path, "extrinsic", open_source(path).content, f"{count} 4 4")
    return Camera(read_camera(str(lens)).intrinsics, (1920.0, 1080.0), from_world)
