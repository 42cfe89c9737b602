"""A clip as a tracker sees it, from the package's example, posed by NumPy alone: what readers are compared with."""

import dataclasses
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from support.mano_files import pose_hand

# OpenPose's joints among MANO's 16 and the tips of thumb, index, middle, ring, pinky
ORDER = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
X = np.array([-1.0, 1.0, 1.0])
TURN = np.array([1.0, -1.0, -1.0])
EVERY = 4


@dataclasses.dataclass(frozen=True)
class Clip:
    """A hand of `side` that grasps an object before a camera (z forward). Metres, radians."""

    side: str
    orient: np.ndarray
    pose: np.ndarray
    transl: np.ndarray
    betas: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray
    wrist_offset: np.ndarray
    """The wrist of the template, about which the hand is turned."""
    object_poses: np.ndarray
    mesh: trimesh.Trimesh

    @property
    def n_frames(self) -> int:
        return len(self.orient)


def hand_arrays(side: str) -> dict[str, np.ndarray]:
    """The open hand with the keys of a MANO file; its mean pose has bent fingers, as MANO's has."""
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        arrays = {key: asset[key] for key in asset.files}
    flip = X if side == "left" else np.ones(3)
    mean = np.zeros((15, 3))
    mean[:12, 2] = np.tile([0.4, 0.7, 0.3], 4)
    mean[6:12, 0] = -0.3
    mean[12:] = [[0.8, -0.3, 0.1], [-0.5, 0, 0], [0.5, 0, 0.3]]
    components = np.eye(45)
    return {
        "v_template": arrays["v_template"] * flip,
        "shapedirs": arrays["shapedirs"] * flip[:, None],
        "posedirs": np.zeros((len(arrays["v_template"]), 3, 135)),
        "J_regressor": arrays["joint_regressor"],
        "weights": arrays["weights"],
        "f": arrays["faces"] if side == "right" else arrays["faces"][:, ::-1],
        "kintree_table": np.stack([np.where(arrays["parents"] < 0, 2**32 - 1, arrays["parents"]), np.arange(16)]),
        "hands_components": components,
        "hands_mean": (mean * (TURN if side == "left" else 1)).ravel(),
        "tips": arrays["tips"],
    }


def write_hand(folder: Path) -> Path:
    """MANO_RIGHT.npz and MANO_LEFT.npz with the open hand in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for side in ("right", "left"):
        arrays = hand_arrays(side)
        del arrays["tips"]
        np.savez(folder / f"MANO_{side.upper()}.npz", **arrays)
    return folder


@cache
def clip(side: str = "right") -> Clip:
    """The example's true hand, half a metre before a camera; mirrored for the side that it is not."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path, np.load(path) as archive:
        data = {key: archive[key] for key in archive.files}
    flip, turn = (np.ones(3), np.ones(3)) if side == str(data["hand_side"][0]) else (X, TURN)
    orient = data["truth_global_orient"][0, ::EVERY] * turn
    pose = (data["truth_pose"][0, ::EVERY].reshape(-1, 15, 3) * turn).reshape(-1, 45)
    betas = data["truth_betas"][0].astype(np.float64)
    shift = np.array([0.02, -0.05, 0.6]) - data["truth_transl"][0].mean(axis=0) * flip
    transl = data["truth_transl"][0, ::EVERY] * flip + shift
    arrays = hand_arrays(side)
    template = arrays["v_template"] + arrays["shapedirs"][..., : len(betas)] @ betas
    wrist = arrays["J_regressor"][0] @ template
    vertices = pose_hand(arrays, template, orient, pose, transl)
    joints = np.concatenate([_skeleton(arrays, template, orient, pose, transl), vertices[:, arrays["tips"]]], axis=1)
    poses = np.tile(np.eye(4), (len(orient), 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(data["object_rotation"][0, ::EVERY] * turn).as_matrix()
    poses[:, :3, 3] = data["object_translation"][0, ::EVERY] * flip + shift
    faces = data["object_faces"] if (flip > 0).all() else data["object_faces"][:, ::-1]
    mesh = trimesh.Trimesh(data["object_vertices"] * flip, faces, process=False)
    return Clip(side, orient, pose, transl, betas, joints[:, ORDER], vertices, wrist, poses, mesh)


def _skeleton(
    arrays: dict[str, np.ndarray], template: np.ndarray, orient: np.ndarray, pose: np.ndarray, transl: np.ndarray
) -> np.ndarray:
    """Positions of the 16 joints, (T, 16, 3)."""
    rest = arrays["J_regressor"] @ template
    parents = arrays["kintree_table"][0].astype(np.int64)
    frames = []
    for turn, bend, shift in zip(orient, pose, transl, strict=True):
        local = Rotation.from_rotvec(np.concatenate([turn[None], bend.reshape(15, 3)])).as_matrix()
        world, place = [local[0]], [rest[0]]
        for joint in range(1, 16):
            parent = parents[joint]
            place.append(place[parent] + world[parent] @ (rest[joint] - rest[parent]))
            world.append(world[parent] @ local[joint])
        frames.append(np.stack(place) + shift)
    return np.stack(frames)


def matrices(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3 K) axis-angle as (..., K, 3, 3)."""
    flat = axis_angle.reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape(*axis_angle.shape[:-1], -1, 3, 3)
