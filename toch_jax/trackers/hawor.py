"""HaWoR's `world_space_res.pth`: both hands in the world of the moving camera.

A list, written by joblib, of pred_trans (2, T, 3), pred_rot (2, T, 3), pred_hand_pose (2, T, 45), pred_betas
(2, T, 10) and pred_valid (2, T), axis-angle and absolute; index 0 is the left hand, whose parameters are those of a
left hand already (hawor/utils/process.py, hawor_video.py of ThunderVVV/HaWoR). The translation is smplx's. Beside it
`SLAM/hawor_slam_w_scale_<a>_<b>.npz` has the camera: traj (T, 7), camera to world as translation and quaternion xyzw,
to be multiplied by scale, and img_focal, img_center.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import MIRROR_AXIS_ANGLE, Camera, ManoTrack, Tracked, mirrored_pose

NAME = "world_space_res.pth"
_SHAPES = ("2 T 3", "2 T 3", "2 T 45", "2 T 10", "2 T")


def fits(source: Source) -> bool:
    if source.is_folder:
        return NAME in source.content
    content = source.content
    if not isinstance(content, list | tuple) or len(content) != 5:
        return False
    shapes = [np.shape(each) for each in content if isinstance(each, np.ndarray)]
    return len(shapes) == 5 and all(len(shape) > 1 and shape[0] == 2 for shape in shapes) and shapes[2][-1] == 45


def read(source: Source, reading: Reading) -> Tracked:
    """The file, or the folder that it is in. Raises InputError."""
    path = source.path / NAME if source.is_folder else source.path
    content = open_source(path).content if source.is_folder else source.content
    if not isinstance(content, list | tuple) or len(content) != 5:
        raise bad_input(path, "file", "a list of trans, rot, hand_pose, betas and valid", type(content).__name__)
    names = ("pred_trans", "pred_rot", "pred_hand_pose", "pred_betas", "pred_valid")
    trans, rot, pose, betas, valid = (
        array(path, name, value, shape) for name, value, shape in zip(names, content, _SHAPES, strict=True)
    )
    seen = valid > 0.5
    hands = [hand for hand in (0, 1) if seen[hand].any()]
    if not hands:
        raise bad_input(path, "pred_valid", "a frame with a hand", "none")
    if reading.left_hands == "mirrored":
        rot[0], pose[0] = rot[0] * MIRROR_AXIS_ANGLE, mirrored_pose(pose[0])
    trans, rot, pose = (np.where(seen[..., None], each, np.nan)[hands] for each in (trans, rot, pose))
    camera, said = _camera(path.parent, trans.shape[1])
    return Tracked(
        format="hawor",
        sides=tuple(("left", "right")[hand] for hand in hands),  # type: ignore[misc]
        mano=ManoTrack(rot, pose, trans, betas[hands]),
        is_world=True,
        camera=camera,
        said=said,
    )


def _camera(folder: Path, n_frames: int) -> tuple[Camera | None, tuple[str, ...]]:
    files = sorted((folder / "SLAM").glob("hawor_slam_w_scale_*.npz"))
    if len(files) != 1:
        return None, (f"no camera ({len(files)} files SLAM/hawor_slam_w_scale_*.npz beside it)",)
    (path,) = files
    content = open_source(path).content
    trajectory = array(path, "traj", need(path, content, "traj"), "T 7")
    if len(trajectory) != n_frames:
        return None, (f"no camera ({path.name} has {len(trajectory)} frames of {n_frames})",)
    scale = float(array(path, "scale", need(path, content, "scale"), ""))
    to_world = np.tile(np.eye(4), (n_frames, 1, 1))
    to_world[:, :3, :3] = Rotation.from_quat(trajectory[:, 3:]).as_matrix()
    to_world[:, :3, 3] = scale * trajectory[:, :3]
    intrinsics = None
    if "img_focal" in content and "img_center" in content:
        focal = float(array(path, "img_focal", content["img_focal"], ""))
        cx, cy = array(path, "img_center", content["img_center"], "2")
        intrinsics = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
    return Camera(intrinsics, None, np.linalg.inv(to_world)), ("camera from SLAM",)
