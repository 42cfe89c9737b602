"""Input of SPIDER's retargeting (facebookresearch/spider): what its process_datasets write, before the mesh is
decomposed. The folder is its `dataset_dir`, the data set's name is toch, the task's that of the clip.

spider/process_datasets/lifted.py and spider/io.py:

    processed/toch/mano/<right|left|bimanual>/<task>/0/trajectory_keypoints.npz
    processed/toch/mano/<right|left|bimanual>/<task>/task_info.json
    processed/toch/assets/objects/<task>/visual.obj

trajectory_keypoints.npz has, for right and left, qpos_wrist_right (T, 7), qpos_finger_right (T, 5, 7), the five tips,
and qpos_obj_right (T, 7): position (metres) and quaternion (w, x, y, z). The wrist's frame has z from the wrist to the
middle finger's first joint, y across from ring to index finger (from index to ring on a left hand); tips have no
orientation. A hand that is not there, and the object of the other hand, are at the origin. The world's z points up, and
the object's lowest vertex is at 0 in the first frame. Paths in task_info.json are relative to dataset_dir.
"""

import json
import re
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder, write_arrays, write_text
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.mano import known_frames
from toch_jax.exporters.meshes import DIGITS
from toch_jax.exporters.skeleton import upward
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import Side
from toch_jax.sequence.types import Sequence

DATASET = "toch"
TIPS = [4, 8, 12, 16, 20]
"""The tips in OpenPose's order."""


def write_spider(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write a task. Raises InputError for hinged objects, two hands of a side, and lost frames."""
    sides, motion = sequence.hand_side, sequence.object_motion
    if len(set(sides)) < len(sides):
        raise bad_input(sequence.source, "hands", "one of each side at most", ", ".join(sides))
    if len(motion.translation) > 1:
        raise bad_input(sequence.source, "object", "a rigid one", f"{len(motion.translation)} parts")
    if not known_frames(sequence).all():
        lost = int((~known_frames(sequence)).sum())
        raise bad_input(sequence.source, "hands", "a repaired clip (toch denoise)", f"{lost} lost frames")
    # the clip's axis that points up to z
    turn = Rotation.from_euler("x", 90, degrees=True) * upward(writing.up)
    vertices = np.asarray(sequence.object_vertices, np.float64)
    place = turn.apply(np.asarray(motion.translation, np.float64)[0])
    orient = turn * Rotation.from_matrix(np.asarray(motion.rotation, np.float64)[0])
    drop = np.array([0, 0, (orient[0].apply(vertices) + place[0])[:, 2].min()])
    joints = {side: _turned(own, turn) - drop for side, own in zip(sides, joints_of(sequence), strict=True)}
    record: dict[str, np.ndarray] = {}
    for side in ("right", "left"):
        record |= _hand(joints.get(side), side, sequence.n_frames)
    held: Side = "right" if "right" in joints else "left"
    other: Side = "left" if held == "right" else "right"
    record[f"qpos_obj_{held}"] = _poses(place - drop, orient)
    record[f"qpos_obj_{other}"] = _rest(sequence.n_frames)
    task = re.sub(r"[^\w-]+", "_", Path(sequence.source).stem) or "clip"
    hands = "bimanual" if len(joints) == 2 else held
    assets = f"processed/{DATASET}/assets/objects/{task}"
    info = {
        "task": task,
        "dataset_name": DATASET,
        "robot_type": "mano",
        "embodiment_type": hands,
        "data_id": 0,
        f"{held}_object_mesh_dir": assets,
        f"{other}_object_mesh_dir": None,
        "ref_dt": 1 / sequence.fps,
    }
    with atomic_folder(path) as folder:
        target = folder / "processed" / DATASET / "mano" / hands / task
        write_text(target / "task_info.json", json.dumps(info, indent=2))
        (target / "0").mkdir()
        write_arrays(target / "0" / "trajectory_keypoints.npz", record)
        (folder / assets).mkdir(parents=True)
        mesh = trimesh.Trimesh(vertices, np.asarray(sequence.object_faces), process=False)
        mesh.export(folder / assets / "visual.obj", include_normals=False, digits=DIGITS, header=None)
    return (f"task {task}, {hands}: next is spider/preprocess/decompose_fast.py --dataset-name {DATASET}",)


def _turned(joints: Float[np.ndarray, "T 21 3"], turn: Rotation) -> Float[np.ndarray, "T 21 3"]:
    return turn.apply(joints.reshape(-1, 3)).reshape(joints.shape)


def _hand(joints: Float[np.ndarray, "T 21 3"] | None, side: Side, n_frames: int) -> dict[str, np.ndarray]:
    """Wrist and tips of a hand, at rest at the origin if there is none."""
    wrist, tips = _rest(n_frames), np.repeat(_rest(n_frames)[:, None], len(TIPS), axis=1)
    if joints is not None:
        wrist = _poses(joints[:, 0], Rotation.from_matrix(_wrist_frame(joints, side)))
        tips[:, :, :3] = joints[:, TIPS]
    return {f"qpos_wrist_{side}": wrist, f"qpos_finger_{side}": tips}


def _wrist_frame(joints: Float[np.ndarray, "T 21 3"], side: Side) -> Float[np.ndarray, "T 3 3"]:
    along = joints[:, 9] - joints[:, 0]
    across = (joints[:, 5] - joints[:, 13]) * (1 if side == "right" else -1)
    z = along / np.linalg.norm(along, axis=1, keepdims=True)
    x = np.cross(across, z)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=2)


def _poses(place: Float[np.ndarray, "T 3"], turn: Rotation) -> Float[np.ndarray, "T 7"]:
    return np.concatenate([place, turn.as_quat(scalar_first=True)], axis=1)


def _rest(n_frames: int) -> Float[np.ndarray, "T 7"]:
    return np.tile([0.0, 0, 0, 1, 0, 0, 0], (n_frames, 1))
