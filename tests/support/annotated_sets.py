"""Folders of data sets with annotated hands and objects, each after its public layout; they share no code with the
readers."""

import json
import pickle
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from support.torch_writer import tensor_pickle
from support.tracker_clip import Clip


def wrists(clip: Clip) -> np.ndarray:
    """Where the wrist is in each frame, (T, 3)."""
    return clip.joints[:, 0]


def write_mesh(path: Path, mesh: trimesh.Trimesh, scale: float = 1.0, shift: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = mesh.copy()
    changed.vertices = changed.vertices * scale + shift
    changed.export(path)
    return path


def write_taco(root: Path, clips: list[Clip], other: np.ndarray) -> Path:
    """A sequence of TACO with its tool (the clips' object), its target (at `other`), meshes and camera; its folder."""
    triplet, name = "(stir, spoon, bowl)", "20231105_019"
    folder = root / "Hand_Poses" / triplet / name
    folder.mkdir(parents=True)
    for clip in clips:
        frames = {
            f"{t + 1:05d}": {
                "hand_pose": np.concatenate([clip.orient[t], clip.pose[t]]).astype(np.float32),
                "hand_trans": wrists(clip)[t].astype(np.float32),
            }
            # not in the frames' order
            for t in reversed(range(clip.n_frames))
        }
        (folder / f"{clip.side}_hand.pkl").write_bytes(tensor_pickle(frames))
        shape = {"hand_shape": clip.betas.astype(np.float32)}
        (folder / f"{clip.side}_hand_shape.pkl").write_bytes(tensor_pickle(shape))
    objects = root / "Object_Poses" / triplet / name
    objects.mkdir(parents=True)
    np.save(objects / "tool_007.npy", clips[0].object_poses)
    np.save(objects / "target_101.npy", other)
    write_mesh(root / "Object_Models" / "007_cm.obj", clips[0].mesh, 100.0)
    camera = root / "Egocentric_Camera_Parameters" / triplet / name
    camera.mkdir(parents=True)
    np.savetxt(camera / "egocentric_intrinsic.txt", [[900.0, 0, 960], [0, 901.0, 540], [0, 0, 1]])
    from_world = np.tile(np.eye(4), (clips[0].n_frames, 1, 1))
    from_world[:, 2, 3] = np.linspace(0.1, 0.2, clips[0].n_frames)
    np.save(camera / "egocentric_frame_extrinsic.npy", from_world)
    return folder


def quaternions(clip: Clip) -> np.ndarray:
    """(T, 16, 4), w x y z, by the half angle; some are of another length or sign, which are the same rotations."""
    vectors = np.concatenate([clip.orient[:, None], clip.pose.reshape(-1, 15, 3)], axis=1)
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axis = vectors / np.where(angle > 0, angle, 1)
    found = np.concatenate([np.cos(angle / 2), np.sin(angle / 2) * axis], axis=-1)
    found[::2] *= -1
    found[1, 0] *= 1.3
    return found


CAMERA = np.eye(4)
CAMERA[:3, :3] = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix()
CAMERA[:3, 3] = [0.1, 0.2, 0.4]
"""World to camera."""


def write_oakink(root: Path, clip: Clip, frames: list[int], with_joints: bool = True) -> list[Path]:
    """Files of OakInk-Image of both persons of a handover before two cameras, with the object's mesh; those of the
    clip, which is person 1 before camera 2. `frames` are the frames' numbers."""
    info, joints = root / "image" / "anno" / "general_info", root / "image" / "anno" / "hand_j"
    info.mkdir(parents=True)
    joints.mkdir()
    turns = quaternions(clip)
    files = []
    for person, camera in ((0, 0), (0, 2), (1, 0), (1, 2)):
        for t, number in enumerate(frames):
            away = 1.0 - person
            from_world = CAMERA.copy()
            from_world[0, 3] += 2 - camera
            content = {
                "hand_anno": {
                    "hand_tsl": (wrists(clip)[t] + away).astype(np.float32),
                    "hand_shape": clip.betas.astype(np.float32),
                    "hand_pose": turns[t].astype(np.float32),
                },
                "obj_anno": clip.object_poses[t].astype(np.float32),
                "cam_extr": from_world.astype(np.float32),
                "cam_intr": np.array([[600.0, 0, 424], [0, 601.0, 240], [0, 0, 1]], np.float32),
            }
            name = f"A01001_0004_0001_0003__2021-09-26-19-59-58__{person}__{number}__{camera}.pkl"
            (info / name).write_bytes(tensor_pickle(content))
            if with_joints:
                before = (clip.joints[t] + away) @ from_world[:3, :3].T + from_world[:3, 3]
                (joints / name).write_bytes(pickle.dumps(before.astype(np.float32)))
            if (person, camera) == (1, 2):
                files.append(info / name)
    write_mesh(root / "image" / "obj" / "A01001.obj", clip.mesh, shift=0.25)
    return files


OAKINK2_OBJECTS = ("O02@0010@00001", "C10@0010@00002")


def write_oakink2(root: Path, clips: list[Clip], lost: int, step: int = 2, without: str = "") -> Path:
    """A recording of OakInk2 from mocap frame 400, with two objects, the second of which is the clips', and its mesh;
    frame `lost` of the clips has no hands, and no frame has the key `without`."""
    count = clips[0].n_frames
    frames = range(400, 400 + step * count, step)
    hands = {
        # not in the frames' order
        frames[t]: {
            key: value[None].astype(np.float32)
            for clip in clips
            for key, value in {
                f"{clip.side[0]}h__pose_coeffs": quaternions(clip)[t],
                f"{clip.side[0]}h__tsl": wrists(clip)[t],
                f"{clip.side[0]}h__betas": clip.betas,
            }.items()
            if key != without
        }
        for t in reversed(range(count))
        if t != lost
    }
    still = {frame: np.eye(4) for frame in frames}
    images = list(range(400, 400 + step * count, 4))
    content = {
        "cam_def": {"0123": "allocentric_top"},
        "cam_selection": ["egocentric", "allocentric_top"],
        "frame_id_list": images,
        "cam_intr": {"allocentric_top": {f: np.array([[610.0, 0, 424], [0, 611, 240], [0, 0, 1]]) for f in images}},
        "cam_extr": {"egocentric": {f: np.eye(4) for f in images}, "allocentric_top": dict.fromkeys(images, CAMERA)},
        "mocap_frame_id_list": list(frames),
        "obj_list": list(OAKINK2_OBJECTS),
        "obj_transf": {
            OAKINK2_OBJECTS[0]: still,
            OAKINK2_OBJECTS[1]: dict(zip(frames, clips[0].object_poses, strict=True)),
        },
        "raw_smplx": {frame: {"world_tsl": np.zeros((1, 3), np.float32)} for frame in frames},
        "raw_mano": hands,
    }
    path = root / "anno_preview" / "scene_01__A001++seq__4c966751912ef4687b87__2023-04-27-18-41-04.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tensor_pickle(content))
    write_mesh(root / "object_raw" / "align_ds" / OAKINK2_OBJECTS[1] / "scan.ply", clips[0].mesh)
    return path


GIGAHANDS_OBJECT = ("17_instruments", "ukelele_scan")


def write_gigahands(root: Path, clips: list[Clip], means: dict[str, np.ndarray], places: list[np.ndarray]) -> Path:
    """A sequence of GigaHands from frame 10 of the video: the left hand is not seen in frame 13, and no hand in frame
    15. `means` are MANO's mean poses, `places` where EasyMocap puts each hand's origin: its Th."""
    session = root / "hand_poses" / "p003-instrument"
    count = clips[0].n_frames
    frames = [frame for frame in range(10, 10 + count) if frame != 15]
    rows = [frame - 10 for frame in frames]
    hands = {
        clip.side: {
            "poses": np.concatenate([np.zeros((count, 3)), clip.pose - means[clip.side]], axis=1)[rows].tolist(),
            "Rh": clip.orient[rows].tolist(),
            "Th": place[rows].tolist(),
            "shapes": clip.betas[None].tolist(),
        }
        for clip, place in zip(clips, places, strict=True)
    }
    (session / "params").mkdir(parents=True)
    path = session / "params" / "033.json"
    path.write_text(json.dumps(hands))
    keypoints = session / "keypoints_3d" / "033"
    keypoints.mkdir(parents=True)
    (keypoints / "chosen_frames_left.json").write_text(json.dumps([frame for frame in frames if frame != 13]))
    # sets of frames have no order
    (keypoints / "chosen_frames_right.json").write_text(json.dumps(frames[::-1]))
    objects = root / "object_poses" / Path(*GIGAHANDS_OBJECT) / "p003-instrument_0033" / "pose"
    objects.mkdir(parents=True)
    write_gigahands_object(objects / "optimized_pose.json", clips[0].object_poses, 10, as_quaternions=True)
    write_mesh(root / "object_meta" / Path(*GIGAHANDS_OBJECT) / "ukelele-simplified1_1.obj", clips[0].mesh)
    return path


def write_gigahands_object(path: Path, poses: np.ndarray, first: int, as_quaternions: bool) -> Path:
    """Poses in every second frame; as quaternions w x y z they are those of the transposed matrices."""
    matrices = poses[:, :3, :3].swapaxes(1, 2) if as_quaternions else poses[:, :3, :3]
    turns = Rotation.from_matrix(matrices)
    rows = turns.as_quat()[:, [3, 0, 1, 2]] if as_quaternions else turns.as_rotvec()
    content = {
        f"{first + t:06d}": {"mesh_translation": [poses[t, :3, 3].tolist()], "mesh_rotation": rows[t].tolist()}
        for t in range(0, len(poses), 2)
    }
    path.write_text(json.dumps(content))
    return path


def write_hograspnet(
    root: Path, clip: Clip, object_file: str, size: float = 1.0, camera: str = "mas", mesh_scale: float = 1.0
) -> Path:
    """A trial of HOGraspNet: a file for each frame but the fifth; centimetres. `size` is the hand's, as a factor of
    MANO's, `mesh_scale` the factor with which the set's code multiplies the mesh."""
    trial = root / "data" / "labeling_data" / "230905_S01_obj_16_grasp_14" / "trial_0"
    folder = trial / "annotation" / camera
    folder.mkdir(parents=True)
    from_world = np.eye(4) if camera == "mas" else CAMERA
    joints = wrists(clip)[:, None] + size * (clip.joints - wrists(clip)[:, None])
    for t in range(clip.n_frames):
        if t == 5:
            continue
        before = joints[t] @ from_world[:3, :3].T + from_world[:3, 3]
        pose, extrinsic = clip.object_poses[t].copy(), from_world[:3].copy()
        pose[:3, 3] *= 100
        extrinsic[:, 3] *= 100
        content = {
            "actor": {"id": "1", "handsize": 17.5},
            "object": {"id": "16"},
            "calibration": {
                "error": 0.4,
                "extrinsic": extrinsic.tolist(),
                "intrinsic": [[[905.0, 0, 960], [0, 906, 540], [0, 0, 1]]],
            },
            "annotations": [{"class_id": 14, "data": [(100 * joints[t]).tolist()]}],
            "Mesh": [
                {
                    "object_file": object_file,
                    "object_mat": pose.tolist(),
                    "mano_side": clip.side,
                    "mano_trans": [clip.orient[t].tolist()],
                    "mano_pose": [clip.pose[t].tolist()],
                    "mano_betas": [clip.betas.tolist()],
                }
            ],
            "hand": {
                "mano_scale": 10 / size,
                "mano_xyz_root": (100 * wrists(clip)[0]).tolist(),
                "3D_pose_per_cam": (100 * before).tolist(),
            },
            "contact": [0.0] * 4,
        }
        # with the mark of UTF-8 at the beginning
        (folder / f"{camera}_{t + 3}.json").write_text(json.dumps(content), encoding="utf-8-sig")
    name = Path(object_file).stem
    write_mesh(root / "data" / "obj_scanned_models" / name / f"{name}.obj", clip.mesh, 100 / mesh_scale)
    return trial


def write_fhab(root: Path, clip: Clip, first: int = 0) -> Path:
    """A sequence of the First-Person Hand Action Benchmark, with the object's poses, in two versions, and its mesh; the
    object was not annotated in the fourth frame. `first` is the number of the first line of skeleton.txt."""
    place = Path("Subject_1") / "pour_juice_bottle" / "3"
    # wrist; first joint of each finger; then the others, thumb to little finger
    order = [0, *range(1, 21, 4), *(1 + 4 * finger + joint for finger in range(5) for joint in (1, 2, 3))]
    rows = 1000 * clip.joints[:, order].reshape(clip.n_frames, 63)
    numbers = np.arange(clip.n_frames)
    hands = root / "Hand_pose_annotation_v1" / place
    hands.mkdir(parents=True)
    np.savetxt(hands / "skeleton.txt", np.column_stack([first + numbers, rows]), fmt="%.6f")
    poses = clip.object_poses.copy()
    poses[:, :3, 3] *= 1000
    # column by column
    lines = np.column_stack([numbers, poses.swapaxes(1, 2).reshape(-1, 16)])
    for version, shift in (("v1", 10.0), ("v1_1", 0.0)):
        objects = root / f"Object_6D_pose_annotation_{version}" / place
        objects.mkdir(parents=True)
        moved = np.delete(lines, 3, axis=0)
        moved[:, 13:16] += shift
        np.savetxt(objects / "object_pose.txt", moved, fmt="%.9g")
    write_mesh(root / "Object_models" / "juice_bottle_model" / "juice_bottle_model.ply", clip.mesh)
    return hands / "skeleton.txt"
