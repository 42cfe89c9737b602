"""Sequences as data sets with images annotate them, each after its public layout; they share no code with the readers.

Parameters are those of the hand that `tracker_clip.write_hand` stands for MANO with.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.spatial.transform import Rotation

from support.tracker_clip import ORDER, Clip

FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
YCB = "025_mug"


def turned(turn: np.ndarray, orient: np.ndarray) -> np.ndarray:
    """Rotation vectors (T, 3) after a rotation, (3, 3) or (T, 3, 3)."""
    return Rotation.from_matrix(turn @ Rotation.from_rotvec(orient).as_matrix()).as_rotvec()


def write_ycb(root: Path, clip: Clip) -> Path:
    """The object's mesh as YCB-Video names it."""
    folder = root / "models" / YCB
    folder.mkdir(parents=True, exist_ok=True)
    clip.mesh.export(folder / "textured_simple.obj")
    return folder / "textured_simple.obj"


def write_ho3d(root: Path, hands: dict[str, Clip], lost: int, protocol: int = 2) -> Path:
    """A sequence of HO-3D (`hands` {"hand": right}) or H2O-3D ("rightHand", "leftHand"), OpenGL's axes.

    smplx turns the hand about the template's wrist w: a point is at R (x - w) + w + t. With F the change of axes and
    R' = F R, it is t' = F (w + t) - w.
    """
    folder = root / "train" / "ABF10" / "meta"
    folder.mkdir(parents=True)
    first = next(iter(hands.values()))
    for frame in range(first.n_frames):
        pose = first.object_poses[frame]
        record: dict[str, Any] = {
            "objRot": Rotation.from_matrix(FROM_OPENGL @ pose[:3, :3]).as_rotvec()[:, None],
            "objTrans": FROM_OPENGL @ pose[:3, 3],
            "objName": YCB,
            "objLabel": 14,
            "camMat": np.array([[614.0, 0, 320], [0, 615.0, 240], [0, 0, 1]]),
            "handBeta": first.betas,
            "handVertContact": np.zeros(778, bool),
        }
        for prefix, clip in hands.items():
            wrist = clip.wrist_offset
            orient = turned(FROM_OPENGL, clip.orient[frame : frame + 1])[0]
            record[f"{prefix}Pose"] = np.concatenate([orient, clip.pose[frame]])
            record[f"{prefix}Trans"] = FROM_OPENGL @ (wrist + clip.transl[frame]) - wrist
            record[f"{prefix}Joints3D"] = clip.joints[frame][np.argsort(ORDER)] * [1, -1, -1]
        if frame == lost:
            record = dict.fromkeys(record) | {"camMat": record["camMat"]}
        (folder / f"{frame:04d}.pkl").write_bytes(pickle.dumps(record, protocol=protocol))
    return folder.parent


def inside(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Matrices (T, 4, 4) or (4, 4)."""
    found = np.zeros((*np.shape(place)[:-1], 4, 4))
    found[..., :3, :3], found[..., :3, 3], found[..., 3, 3] = turn, place, 1
    return found


def smplx_after(motion: np.ndarray, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """smplx's orientation and translation of the hand after a rigid motion, (4, 4) or (T, 4, 4).

    The hand is turned about the template's wrist w: M (R (x - w) + w + t) = M R (x - w) + w + (M (w + t) - w).
    """
    turn, wrist = motion[..., :3, :3], clip.wrist_offset
    place = np.einsum("...ab,tb->ta" if motion.ndim == 2 else "tab,tb->ta", turn, wrist + clip.transl)
    return turned(turn, clip.orient), place + motion[..., :3, 3] - wrist


def write_yaml(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def numbers(matrix: np.ndarray) -> list[float]:
    """The first three rows of a 4 x 4 matrix, row by row."""
    return matrix[:3].ravel().tolist()


def lens(fx: float) -> dict[str, Any]:
    return {"color": {"fx": fx, "fy": 615.0, "ppx": 320.0, "ppy": 240.0}}


TO_WORLD = inside(Rotation.from_rotvec([0.3, -1.2, 0.4]).as_matrix(), np.array([0.5, 0.1, -0.8]))


def write_dexycb(root: Path, clip: Clip, hands: dict[str, np.ndarray], lost: int) -> Path:
    """A sequence with one camera, which sees the clip; the world is after TO_WORLD. `hands` has mean and components.

    Of two objects the second is grasped; in frame `lost` there is neither the hand nor the grasped object.
    """
    sequence = root / "20200709-weiy" / "20200709_141754"
    serial, count = "836212060125", clip.n_frames
    (sequence / serial).mkdir(parents=True)
    meta = {"serials": [serial], "num_frames": count, "extrinsics": "20200702_151821"}
    meta |= {"ycb_ids": [12, 14], "ycb_grasp_ind": 1, "mano_sides": [clip.side], "mano_calib": ["20200709-weiy_right"]}
    write_yaml(sequence / "meta.yml", meta)
    calibration = root / "calibration"
    write_yaml(calibration / "mano_20200709-weiy_right" / "mano.yml", {"betas": clip.betas.tolist()})
    write_yaml(calibration / "intrinsics" / f"{serial}_640x480.yml", lens(614.0))
    extrinsics = {"master": serial, "extrinsics": {serial: numbers(TO_WORLD), "apriltag": numbers(np.eye(4))}}
    write_yaml(calibration / "extrinsics_20200702_151821" / "extrinsics.yml", extrinsics)
    coefficients = (clip.pose - hands["mean"]) @ hands["components"].T
    orient, transl = smplx_after(TO_WORLD, clip)
    whole = np.column_stack([orient, coefficients, transl])
    seen = np.column_stack([clip.orient, coefficients, clip.transl])
    poses = np.stack([inside(np.zeros((3, 3)), np.array([1, 0, 0])) + clip.object_poses, clip.object_poses], axis=1)
    poses[:, 0, 3, 3] = 1
    in_world = TO_WORLD @ poses
    items = np.concatenate(
        [
            Rotation.from_matrix(in_world[..., :3, :3].reshape(-1, 3, 3)).as_quat().reshape(count, 2, 4),
            in_world[..., :3, 3],
        ],
        axis=-1,
    )
    items[lost, 1] = [0, 0, 0, 1, 0, 0, 0]
    whole[lost], seen[lost], poses[lost, 1] = 0, 0, 0
    np.savez(sequence / "pose.npz", pose_m=whole[:, None].astype(np.float32), pose_y=items.astype(np.float32))
    for frame in range(count):
        np.savez(
            sequence / serial / f"labels_{frame:06d}.npz",
            seg=np.zeros((4, 4), np.uint8),
            pose_y=poses[frame, :, :3].astype(np.float32),
            pose_m=seen[frame : frame + 1].astype(np.float32),
            joint_3d=(clip.joints[frame : frame + 1] if frame != lost else -np.ones((1, 21, 3))).astype(np.float32),
            joint_2d=np.zeros((1, 21, 2), np.float32),
        )
    return sequence / serial


def write_hocap(root: Path, clips: dict[str, Clip], hands: dict[str, dict[str, np.ndarray]], lost: int) -> Path:
    """A sequence in the world; frame `lost` has no right hand and no first object."""
    sequence = root / "subject_1" / "20231025_165502"
    first = clips["right"]
    poses = np.full((2, first.n_frames, 51), -1.0)
    for index, side in enumerate(("right", "left")):
        if side in clips:
            clip = clips[side]
            coefficients = (clip.pose - hands[side]["mean"]) @ hands[side]["components"].T
            poses[index] = np.column_stack([clip.orient, coefficients, clip.transl])
    poses[0, lost] = -1
    motion = np.column_stack(
        [Rotation.from_matrix(first.object_poses[:, :3, :3]).as_quat(), first.object_poses[:, :3, 3]]
    )
    items = np.stack([motion, motion + np.eye(7)[4]])
    items[0, lost] = -1
    meta = {"num_frames": first.n_frames, "object_ids": ["G01_1", "G01_2"], "mano_sides": list(clips), "task_id": 1}
    meta |= {"subject_id": "subject_1", "extrinsics": "extrinsics_20231014.yaml"}
    write_yaml(sequence / "meta.yaml", meta)
    np.save(sequence / "poses_m.npy", poses.astype(np.float32))
    np.save(sequence / "poses_o.npy", items.astype(np.float32))
    calibration = root / "calibration"
    write_yaml(calibration / "mano" / "subject_1.yaml", {"betas": first.betas.tolist()})
    write_yaml(calibration / "intrinsics" / "043422252387.yaml", lens(610.0))
    extrinsics = {"043422252387": numbers(np.eye(4)), "tag_1": numbers(TO_WORLD), "tag_0": numbers(np.eye(4))}
    write_yaml(
        calibration / "extrinsics" / "extrinsics_20231014.yaml", {"rs_master": "043422252387", "extrinsics": extrinsics}
    )
    folder = root / "models" / "G01_1"
    folder.mkdir(parents=True)
    first.mesh.export(folder / "cleaned_mesh_10000.obj")
    return sequence


def write_h2o(root: Path, clips: dict[str, Clip], lost: int, capitals: bool = False) -> tuple[Path, np.ndarray]:
    """A sequence before a moving camera, and the camera's poses in the clip's world; frame `lost` has no annotation."""
    folder = root / "subject1" / "h1" / "0" / "cam4"
    first = clips["right"]
    count = first.n_frames
    turn = Rotation.from_rotvec(np.linspace([0.1, 0, 0], [0.1, 0.4, -0.2], count)).as_matrix()
    to_world = inside(turn, np.linspace([0, 0, 0], [0.2, 0.1, 0.3], count))
    from_world = np.linalg.inv(to_world)
    rows = {"cam_pose": to_world.reshape(count, 16)}
    joints, mano = np.zeros((count, 2, 64)), np.zeros((count, 2, 62))
    for index, side in enumerate(("left", "right")):
        clip = clips[side]
        orient, transl = smplx_after(from_world, clip)
        points = np.einsum("tab,tjb->tja", from_world[:, :3, :3], clip.joints) + from_world[:, None, :3, 3]
        joints[:, index] = np.column_stack([np.ones(count), points.reshape(count, 63)])
        betas = np.tile(clip.betas, (count, 1))
        mano[:, index] = np.column_stack([np.ones(count), transl, orient, clip.pose, betas])
    joints[lost], mano[lost] = 0, 0
    poses = (from_world @ first.object_poses).reshape(count, 16)
    labels = np.where(np.arange(count) == lost, 0.0, 8.0)
    names = ("hand_pose_MANO", "obj_pose_RT") if capitals else ("hand_pose_mano", "obj_pose_rt")
    rows |= {"hand_pose": joints.reshape(count, 128), names[0]: mano.reshape(count, 124)}
    rows[names[1]] = np.column_stack([labels, poses])
    for name, values in rows.items():
        (folder / name).mkdir(parents=True)
        for frame, each in enumerate(values):
            (folder / name / f"{frame:06d}.txt").write_text(" ".join(map(repr, each.tolist())) + "\n")
    (folder / "cam_intrinsics.txt").write_text("636.6 636.2 635.3 366.9 1280 720 ")
    (root / "object" / "cappuccino").mkdir(parents=True)
    first.mesh.export(root / "object" / "cappuccino" / "cappuccino.obj")
    return folder, to_world


def write_hoi4d(root: Path, clip: Clip, lost: int, unsure: int) -> Path:
    """A sequence of a mug; no files of frame `lost`, and an object that is not effective in frame `unsure`.

    The object's place is the centre of its box.
    """
    sequence = Path("ZY20210800001") / "H1" / "C2" / "N05" / "S100" / "s02" / "T1"
    hands, notes = (
        root / "handpose" / "refinehandpose_right" / sequence,
        root / "HOI4D_annotations" / sequence / "objpose",
    )
    hands.mkdir(parents=True)
    notes.mkdir(parents=True)
    for frame in range(clip.n_frames):
        if frame == lost:
            continue
        record = {"poseCoeff": np.concatenate([clip.orient[frame], clip.pose[frame]]), "beta": clip.betas}
        record |= {"trans": clip.transl[frame], "kps2D": np.zeros((21, 2))}
        (hands / f"{frame}.pickle").write_bytes(pickle.dumps(record, protocol=2))
        r = clip.object_poses[frame, :3, :3]
        centre = r @ clip.mesh.bounds.mean(axis=0) + clip.object_poses[frame, :3, 3]
        # R = X(a) Y(b) Z(c)
        angles = (np.arctan2(-r[1, 2], r[2, 2]), np.arcsin(r[0, 2]), np.arctan2(-r[0, 1], r[0, 0]))
        item = {"label": "Mug", "rotation": dict(zip("xyz", angles, strict=True))}
        item |= {
            "center": dict(zip("xyz", centre, strict=True)),
            "dimensions": {"length": 0.1, "width": 0.1, "height": 0.1},
        }
        content = {"isEffective": int(frame != unsure), "dataList": [item]}
        (notes / f"{frame}.json").write_text(json.dumps(content))
    (root / "camera_params" / "ZY20210800001").mkdir(parents=True)
    np.save(
        root / "camera_params" / "ZY20210800001" / "intrin.npy",
        np.array([[1376.8, 0, 967], [0, 1376.2, 526], [0, 0, 1]]),
    )
    models = root / "HOI4D_CAD_Model_for_release" / "rigid" / "Mug"
    models.mkdir(parents=True)
    clip.mesh.export(models / "005.obj")
    return hands


def as_pose(matrix: np.ndarray) -> dict[str, list[float]]:
    """ContactPose's record of a pose."""
    quaternion = Rotation.from_matrix(matrix[:3, :3]).as_quat()[[3, 0, 1, 2]]
    return {"translation": matrix[:3, 3].tolist(), "rotation": quaternion.tolist()}


def write_contactpose(root: Path, clip: Clip, grasp: dict[str, np.ndarray]) -> tuple[Path, np.ndarray]:
    """A grasp of the right hand, which moves in the object's frame, and where its fit is in the world, (T, 4, 4).

    `grasp` has pose (18), 21 joints in the fit's frame, and to_hand (4, 4), from the fit's frame to the hand's.
    """
    folder = root / "full28_use" / "mug"
    folder.mkdir(parents=True)
    count, to_hand = clip.n_frames, grasp["to_hand"]
    turn = Rotation.from_rotvec(np.linspace([0.2, 0, 1], [0.1, 0.1, 1.2], count)).as_matrix()
    in_object = inside(turn, np.linspace([0.01, 0, 0], [0.02, 0.01, 0.03], count))
    joints = grasp["joints"] @ to_hand[:3, :3].T + to_hand[:3, 3]
    frames = [
        {
            "oTw": as_pose(np.linalg.inv(clip.object_poses[frame])),
            "hTo": [as_pose(np.eye(4)), as_pose(np.linalg.inv(in_object[frame]))],
            "object_pose_optimized": True,
        }
        for frame in range(count)
    ]
    lens = {"fx": 365.0, "fy": 366.0, "cx": 260.0, "cy": 206.0, "width": 540, "height": 960}
    cameras = {"kinect2_left": {"valid": False}, "kinect2_middle": {"valid": True, "wTc": as_pose(TO_WORLD), "K": lens}}
    absent = {"valid": False, "moving": False, "joints": []}
    hands = [absent, {"valid": True, "moving": True, "joints": joints.tolist()}]
    (folder / "annotations.json").write_text(json.dumps({"hands": hands, "frames": frames, "cameras": cameras}))
    fit = {"valid": True, "pose": grasp["pose"].tolist(), "betas": clip.betas.tolist()}
    fit |= {"mTc": as_pose(np.linalg.inv(to_hand))}
    empty = {"valid": False, "pose": [0.0] * 18, "betas": [0.0] * 10, "mTc": as_pose(np.eye(4))}
    (folder / "mano_fits_15.json").write_text(json.dumps([empty, fit]))
    clip.mesh.export(folder / "mug.ply")
    return folder, clip.object_poses @ in_object @ to_hand
