"""Files as trackers write them, each after its public layout; they share no code with the readers."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from support.torch_writer import tensor_pickle
from support.tracker_clip import TURN, Clip, X, matrices

SKIN = 778
VIRTUAL_FOCAL = 5000 / 256 * 1280
SIZE = (1280, 720)
INTRINSICS = np.array([[950.0, 0, 650], [0, 940.0, 350], [0, 0, 1]])


def skin(clip: Clip) -> np.ndarray:
    """As many points of the skin as MANO has vertices."""
    return clip.vertices[:, np.arange(SKIN) % clip.vertices.shape[1]]


def right_hand(clip: Clip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation, pose and a factor of points: the hand as the right hand that HaMeR sees in a mirrored image."""
    if clip.side == "right":
        return clip.orient, clip.pose, np.ones(3)
    return clip.orient * TURN, clip.pose * np.tile(TURN, 15), X


def virtual_place(place: np.ndarray) -> np.ndarray:
    """A place before the real camera (INTRINSICS) as pred_cam_t_full of the virtual one: the pixel is the same."""
    x, y, z = place.T
    pixel = np.stack([950 * x / z + 650, 940 * y / z + 350], axis=1)
    depth = z * VIRTUAL_FOCAL / 950
    lateral = (pixel - np.array(SIZE) / 2) * depth[:, None] / VIRTUAL_FOCAL
    return np.column_stack([lateral, depth])


def hamer_frames(clip: Clip, lost: tuple[int, ...] = ()) -> list[list[dict[str, Any]]]:
    """For each frame the detections as HaMeR's demo has them in memory, with its axis of the batch."""
    orient, pose, flip = right_hand(clip)
    place = virtual_place(clip.transl)
    frames: list[list[dict[str, Any]]] = []
    for t in range(clip.n_frames):
        about = (clip.joints[t] - clip.transl[t]) * flip
        detection = {
            "pred_keypoints_3d": about[None].astype(np.float32),
            "pred_vertices": ((skin(clip)[t] - clip.transl[t]) * flip)[None].astype(np.float32),
            "pred_cam_t_full": place[t : t + 1],
            "pred_mano_params": {
                "global_orient": matrices(orient[t])[None],
                "hand_pose": matrices(pose[t])[None],
                "betas": clip.betas[None],
            },
            "is_right": np.array([clip.side == "right"]),
            "img_size": np.array([SIZE], float),
        }
        frames.append([] if t in lost else [detection])
    return frames


def wilor_mini_frames(clip: Clip) -> list[list[dict[str, Any]]]:
    """For each frame what WiLoR-mini's pipeline returns: left hands are mirrored back."""
    place = virtual_place(clip.transl)
    return [
        [
            {
                "hand_bbox": [0.0, 0.0, 9.0, 9.0],
                "is_right": float(clip.side == "right"),
                "wilor_preds": {
                    "pred_keypoints_3d": (clip.joints[t] - clip.transl[t])[None].astype(np.float32),
                    "pred_vertices": (skin(clip)[t] - clip.transl[t])[None].astype(np.float32),
                    "pred_cam_t_full": place[t : t + 1],
                    "global_orient": clip.orient[t].reshape(1, 1, 3),
                    "hand_pose": clip.pose[t].reshape(1, 15, 3),
                    "betas": clip.betas[None],
                    "scaled_focal_length": VIRTUAL_FOCAL,
                },
            }
        ]
        for t in range(clip.n_frames)
    ]


def write_camera(folder: Path) -> Path:
    path = folder / "cam_K.txt"
    np.savetxt(path, INTRINSICS)
    return path


def write_camera_json(folder: Path) -> Path:
    """The camera with the image's size, as Video-to-Data writes it."""
    path = folder / "camera.json"
    names = {"fx": 950.0, "fy": 940.0, "cx": 650.0, "cy": 350.0, "width": SIZE[0], "height": SIZE[1]}
    path.write_text(json.dumps(names))
    return path


def write_hawor(folder: Path, left: Clip, right: Clip, seen: np.ndarray) -> tuple[Path, np.ndarray]:
    """world_space_res.pth and SLAM/ of both hands in a moving camera's world; also world to camera, (T, 4, 4)."""
    clips = (left, right)
    content = [
        np.stack([each.transl for each in clips]),
        np.stack([each.orient for each in clips]),
        np.stack([each.pose for each in clips]),
        np.stack([np.tile(each.betas, (each.n_frames, 1)) for each in clips]),
        seen,
    ]
    (folder / "world_space_res.pth").write_bytes(
        tensor_pickle([each.astype(np.float32) if each.dtype.kind == "f" else each for each in content])
    )
    count = left.n_frames
    turn = Rotation.from_rotvec(np.linspace([0, 0, 0], [0.1, 0.4, -0.2], count))
    place = np.linspace([0, 0, 0], [0.2, 0.1, 0.3], count)
    (folder / "SLAM").mkdir()
    np.savez(
        folder / "SLAM" / f"hawor_slam_w_scale_0_{count}.npz",
        traj=np.column_stack([place / 2.5, turn.as_quat()]),
        scale=2.5,
        img_focal=600.0,
        img_center=np.array([640.0, 360.0]),
    )
    to_world = np.tile(np.eye(4), (count, 1, 1))
    to_world[:, :3, :3], to_world[:, :3, 3] = turn.as_matrix(), place
    return folder / "world_space_res.pth", np.linalg.inv(to_world)


def write_dyn_hamr(path: Path, clips: list[Clip], **more: Any) -> Path:
    """*_world_results.npz: all hands in the right hand's parameters, mirrored after the translation."""
    hands = [right_hand(each) for each in clips]
    count = clips[0].n_frames
    np.savez(
        path,
        trans=np.stack([each.transl * flip for each, (_, _, flip) in zip(clips, hands, strict=True)]),
        root_orient=np.stack([orient for orient, _, _ in hands]),
        pose_body=np.stack([pose.reshape(count, 15, 3) for _, pose, _ in hands]),
        latent_pose=np.zeros((len(clips), count, 45)),
        betas=np.stack([each.betas for each in clips]),
        is_right=np.stack([np.full(count, float(each.side == "right")) for each in clips]),
        cam_R=np.tile(np.eye(3), (len(clips), count, 1, 1)),
        cam_t=np.tile([0.0, 0.0, 0.25], (len(clips), count, 1)),
        intrins=np.array([950.0, 940.0, 650.0, 350.0]),
        world_scale=np.ones((len(clips), 1)),
        **more,
    )
    return path


def write_vitra(path: Path, clips: list[Clip], from_world: np.ndarray, lost: int) -> Path:
    """An episode; frame `lost` of each hand is not kept."""
    count = clips[0].n_frames
    kept = [int(frame != lost) for frame in range(count)]
    episode: dict[str, Any] = {
        "extrinsics": from_world,
        "intrinsics": INTRINSICS,
        "video_decode_frame": list(range(100, 100 + count)),
        "video_name": "kitchen",
        "text": {"left": [("hold", (0, 5))], "right": []},
    }
    for clip in clips:
        _, pose, _ = right_hand(clip)
        where = np.array(kept, bool)[:, None]
        episode[clip.side] = {
            "beta": clip.betas,
            "global_orient_worldspace": matrices(clip.orient)[:, 0] * where[..., None],
            "hand_pose": matrices(pose) * where[..., None, None],
            "transl_worldspace": clip.joints[:, 0] * where,
            "kept_frames": kept,
            "joints_worldspace": clip.joints * where[..., None],
        }
    np.save(path, np.array(episode, dtype=object), allow_pickle=True)
    return path


def write_v2d(folder: Path, clip: Clip, aligned: bool, skip: int) -> Path:
    """Tracks of Video-to-Data; there is no file for frame `skip`."""
    orient, pose, _ = right_hand(clip)
    track = folder / ("3" if clip.side == "right" else "2")
    track.mkdir(parents=True)
    place = virtual_place(clip.transl)
    for t in range(clip.n_frames):
        record: dict[str, Any] = {
            "track_id": int(track.name),
            "is_right": clip.side == "right",
            "frame_idx": t,
            "image_size": list(SIZE),
            "mano": {
                "betas": clip.betas.tolist(),
                "global_orient": orient[t].tolist(),
                "hand_pose": pose[t].tolist(),
            },
        }
        if aligned:
            record["intrinsics"] = {"fx": 950.0, "fy": 940.0, "cx": 650.0, "cy": 350.0}
            record["cam_t"] = clip.transl[t].tolist()
        else:
            record["camera"] = {"pred_cam_t_full": place[t].tolist(), "scaled_focal_length": VIRTUAL_FOCAL}
        if t != skip:
            (track / f"{t:06d}.json").write_text(json.dumps(record))
    return folder


def write_aria(folder: Path, clip: Clip, missing: int, trajectory: bool) -> tuple[Path, np.ndarray]:
    """hand_tracking_results.csv of one hand, with frame `missing` marked, and the hand's joints in the world."""
    order = {0: 4, 1: 8, 2: 12, 3: 16, 4: 20, 5: 0, 6: 2, 7: 3}
    order |= {8 + 3 * finger + joint: 5 + 4 * finger + joint for finger in range(4) for joint in range(3)}
    turn = Rotation.from_rotvec(np.linspace([0.1, 0, 0], [0.1, 0.4, -0.2], clip.n_frames))
    place = np.linspace([0, 0, 0], [0.2, 0.1, 0.3], clip.n_frames)
    local = np.stack(
        [each.inv().apply(points) for each, points in zip(turn, clip.joints - place[:, None], strict=True)]
    )
    header = ["tracking_timestamp_us"]
    for side in ("left", "right"):
        header += [f"{side}_tracking_confidence"]
        header += [f"t{axis}_{side}_landmark_{joint}_device" for joint in range(21) for axis in "xyz"]
        header += [f"t{axis}_{side}_device_wrist" for axis in "xyz"] + [
            f"q{axis}_{side}_device_wrist" for axis in "xyzw"
        ]
    lines = [",".join(header)]
    for t in range(clip.n_frames):
        row = [str(1_000_000 + 50_000 * t)]
        for side in ("left", "right"):
            if side != clip.side or t == missing:
                row += ["-1", *["0"] * 70]
                continue
            landmarks = np.zeros((21, 3))
            landmarks[20] = local[t].mean(axis=0)
            for aria, joint in order.items():
                landmarks[aria] = local[t, joint]
            row += ["0.9", *map(repr, landmarks.ravel().tolist()), *["0"] * 7]
        lines.append(",".join(row))
    (folder / "hand_tracking").mkdir()
    path = folder / "hand_tracking" / "hand_tracking_results.csv"
    path.write_text("\n".join(lines) + "\n")
    if trajectory:
        (folder / "slam").mkdir()
        names = [f"t{axis}_world_device" for axis in "xyz"] + [f"q{axis}_world_device" for axis in "xyzw"]
        rows = [",".join(["graph_uid", "tracking_timestamp_us", "utc_timestamp_ns", *names])]
        for t, (where, quaternion) in enumerate(zip(place, turn.as_quat(), strict=True)):
            numbers = map(repr, [*where.tolist(), *quaternion.tolist()])
            rows.append(",".join(["a-b-c", str(1_000_000 + 50_000 * t), "0", *numbers]))
        (folder / "slam" / "closed_loop_trajectory.csv").write_text("\n".join(rows) + "\n")
    return path, local


def mediapipe_frames(clip: Clip, lost: int) -> list[dict[str, Any]]:
    """HandLandmarkerResult of each frame, as the Python API's dataclasses."""

    def points(rows: np.ndarray) -> list[dict[str, float]]:
        return [{"x": x, "y": y, "z": z, "visibility": 0.0, "presence": 0.0} for x, y, z in rows.tolist()]

    frames = []
    for t in range(clip.n_frames):
        centre = clip.joints[t].mean(axis=0)
        projected = clip.joints[t] @ INTRINSICS.T
        image = projected[:, :2] / projected[:, 2:] / np.array(SIZE)
        depth = (clip.joints[t, :, 2] - clip.joints[t, 0, 2])[:, None]
        word = {"index": 0, "score": 0.9, "display_name": clip.side.title(), "category_name": clip.side.title()}
        found = t != lost
        frames.append(
            {
                "handedness": [[word]] if found else [],
                "hand_landmarks": [points(np.column_stack([image, depth]))] if found else [],
                "hand_world_landmarks": [points(clip.joints[t] - centre)] if found else [],
                "timestamp_ms": 40 * t,
            }
        )
    return frames


def write_haptic(folder: Path, clip: Clip) -> Path:
    """A pickle of tensors for each frame, as save_as_frames writes them."""
    for t in range(clip.n_frames):
        record = {
            "right": [np.array([clip.side == "right"])],
            "intr": INTRINSICS[None].astype(np.float32),
            "img_file": [f"{t:05d}.jpg"],
            "img_size": np.array([SIZE]),
            "cHands": skin(clip)[t : t + 1].astype(np.float32),
            "cJoints": clip.joints[t : t + 1].astype(np.float32),
            "cam_full": np.zeros((1, 3), np.float32),
            "hand_pose": matrices(clip.pose[t])[None].astype(np.float32),
            "global_orient": matrices(clip.orient[t])[None].astype(np.float32),
            "betas": clip.betas[None].astype(np.float32),
        }
        (folder / f"{t:05d}.pkl").write_bytes(tensor_pickle(record))
    return folder


def write_hold(folder: Path, clip: Clip, mean: np.ndarray) -> tuple[Path, Path]:
    """data.npy with a tensor in it, and the object's mesh in HOLD's normalised frame."""
    norm = np.diag([5.0, 5.0, 5.0, 1.0])
    norm[:3, 3] = [0.1, -0.2, 0.3]
    scale = 0.5
    content = {
        "seq_name": "clip",
        "cameras": {"scale_mat_0": np.eye(4)},
        "entities": {
            clip.side: {
                "hand_poses": np.concatenate([clip.orient, clip.pose - mean], axis=1),
                "hand_trans": clip.transl,
                "mean_shape": clip.betas,
            },
            "object": {
                "obj_scale": scale,
                "pts.cano": np.zeros((5, 3)),
                "norm_mat": norm.astype(np.float32),
                "object_poses": np.column_stack(
                    [Rotation.from_matrix(clip.object_poses[:, :3, :3]).as_rotvec(), clip.object_poses[:, :3, 3]]
                ),
            },
        },
    }
    header = io.BytesIO()
    shape = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(header, shape)
    path = folder / "data.npy"
    path.write_bytes(header.getvalue() + tensor_pickle(np.array(content, object)))
    mesh = clip.mesh.copy()
    mesh.vertices = mesh.vertices / scale @ norm[:3, :3].T + norm[:3, 3]
    mesh.export(folder / "mesh_cano.obj")
    return path, folder / "mesh_cano.obj"


def leap_frames(left: Clip, right: Clip, lost: int) -> list[dict[str, Any]]:
    """Frames of Ultraleap's server, after its greeting: millimetres, microseconds; no hand in frame `lost`."""
    frames: list[dict[str, Any]] = [{"serviceVersion": "2.3.1", "version": 6}]
    for t in range(left.n_frames):
        hands, pointables = [], []
        for number, clip in ((7, right), (9, left)) if t != lost else ():
            place = 1000 * clip.joints[t]
            hands.append({"id": number, "type": clip.side, "wrist": place[0].tolist(), "confidence": 1})
            for finger in (1, 0, 4, 3, 2):
                knuckle, middle, last, tip = place[1 + 4 * finger : 5 + 4 * finger].tolist()
                bone = {"mcpPosition": knuckle, "pipPosition": middle, "dipPosition": last, "btipPosition": tip}
                pointables.append({"handId": number, "type": finger, "tool": False, "carpPosition": knuckle, **bone})
        stamp = 236_771_514_099 + 9_000 * t
        frames.append({"id": t, "timestamp": stamp, "hands": hands, "pointables": pointables, "currentFrameRate": 110})
    return frames


def write_hot3d(folder: Path, clips: list[Clip], lost: int) -> Path:
    """A recording's hands, with a second stamp 0.09 ms after each, and two objects; frame `lost` of the hands is empty.

    The coefficients are those of components that are the identity, of poses whose other numbers are the mean's.
    """
    (folder / "hand_data").mkdir(parents=True)
    (folder / "ground_truth").mkdir()
    lines, rows = [], ["object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z"]
    for t in range(clips[0].n_frames):
        for extra in (0, 90_000):
            stamp = 38_000_000_000_000 + 33_333_333 * t + extra
            hands = {
                "1" if clip.side == "right" else "0": {
                    "wrist_xform": {
                        "q_wxyz": Rotation.from_rotvec(clip.orient[t]).as_quat()[[3, 0, 1, 2]].tolist(),
                        "t_xyz": clip.transl[t].tolist(),
                    },
                    "pose": clip.pose[t, :15].tolist(),
                    "betas": clip.betas.tolist(),
                }
                for clip in clips
            }
            lines.append(json.dumps({"timestamp_ns": stamp, "hand_poses": hands if t != lost else {}}))
            for uid, shift in ((106957734975303, 0.0), (225397651484143, 1.0)):
                pose = clips[0].object_poses[t]
                quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()[[3, 0, 1, 2]]
                rows.append(",".join(map(repr, [uid, stamp, *(pose[:3, 3] + shift).tolist(), *quaternion.tolist()])))
    (folder / "hand_data" / "mano_hand_pose_trajectory.jsonl").write_text("\n".join(lines))
    (folder / "ground_truth" / "dynamic_objects.csv").write_text("\n".join(rows))
    return folder


def dump(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path
