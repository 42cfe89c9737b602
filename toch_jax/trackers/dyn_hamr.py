"""Dyn-HaMR's `*_world_results.npz`, also as NVIDIA's Video-to-Data aligns it, and the latter's `mano_params*.npz`.

Dyn-HaMR (ZhengdiYu/Dyn-HaMR, dyn-hamr/optim/base_scene.py, body_model/): B tracks, trans (B, T, 3), root_orient
(B, T, 3), pose_body (B, T, 15, 3) (older files: latent_pose (B, T, 45)), betas (B, 10), is_right (B, T), cam_R
(B, T, 3, 3) and cam_t (B, T, 3), world to camera, intrins (4,): fx, fy, cx, cy. The pose is absolute: its layer never
adds MANO's mean, whatever the settings say (v2d_hand_alignment/lib/recover_mano_params.py says the same). All hands are
in MANO's right hand: the hand is rotated about its wrist, trans is added, **then** x of left hands is negated.

Video-to-Data (nvidia-isaac/video_to_data, v2d_hand_alignment/lib) adds trans_aligned, to be used for trans, and
object_pose_world (T, 4, 4). Its mano_params npz has betas, global_orient, transl, hand_pose, is_right and
flat_hand_mean (True) in the camera's frame, and left hands in MANO's left hand.
"""

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.tracked import FLIP, MIRROR_AXIS_ANGLE, Camera, ManoTrack, Tracked, mirrored_pose


def fits(source: Source) -> bool:
    return _has(source, "trans", "root_orient", "is_right") and _has_pose(source)


def fits_params(source: Source) -> bool:
    return _has(source, "global_orient", "transl", "hand_pose", "is_right", "betas", "flat_hand_mean")


def _has(source: Source, *keys: str) -> bool:
    return not source.is_folder and isinstance(source.content, dict) and set(keys) <= set(source.content)


def _has_pose(source: Source) -> bool:
    return "pose_body" in source.content or "latent_pose" in source.content


def read(source: Source, reading: Reading) -> Tracked:
    """Dyn-HaMR's world results. Raises InputError."""
    where, content = source.path, source.content
    key = "trans_aligned" if "trans_aligned" in content else "trans"
    transl = array(where, key, content[key], "B T 3")
    tracks, frames, _ = transl.shape
    pose_key = "pose_body" if "pose_body" in content else "latent_pose"
    pose = array(where, pose_key, content[pose_key], f"{tracks} {frames} 15 3", f"{tracks} {frames} 45")
    pose = pose.reshape(tracks, frames, 45)
    orient = array(where, "root_orient", need(where, content, "root_orient"), f"{tracks} {frames} 3")
    betas = array(where, "betas", need(where, content, "betas"), f"{tracks} S", f"{tracks} {frames} S")
    right = _sides(source, tracks)
    if reading.left_hands != "own":
        for track in np.flatnonzero(~right):
            orient[track], pose[track] = orient[track] * MIRROR_AXIS_ANGLE, mirrored_pose(pose[track])
            transl[track] *= FLIP
    poses = None
    if "object_pose_world" in content:
        poses = array(where, "object_pose_world", content["object_pose_world"], f"{frames} 4 4")
    said = [f"translation from {key}"] if key != "trans" else []
    if not right.all():
        said.append("left hands taken as they are" if reading.left_hands == "own" else "left hands mirrored here")
    scale = float(array(where, "world_scale", content.get("world_scale", 1.0), "B 1", "B", "").ravel()[0])
    if abs(scale - 1) > 1e-3:
        said.append(f"world_scale {scale:.4g} is not applied: hands have MANO's size")
    return Tracked(
        format="dyn-hamr",
        sides=tuple("right" if each else "left" for each in right),
        mano=ManoTrack(orient, pose, transl, betas),
        is_world=True,
        camera=_camera(source, frames),
        object_poses=poses,
        said=tuple(said),
    )


def _sides(source: Source, tracks: int) -> np.ndarray:
    flags = array(source.path, "is_right", source.content["is_right"], f"{tracks} T", f"{tracks}")
    share = flags.reshape(tracks, -1).mean(axis=1)
    if ((share > 0.2) & (share < 0.8)).any():
        track = int(np.flatnonzero((share > 0.2) & (share < 0.8))[0])
        raise bad_input(
            source.path, "is_right", "one side for each track", f"track {track} right in {share[track]:.0%}"
        )
    return share > 0.5


def _camera(source: Source, frames: int) -> Camera | None:
    where, content = source.path, source.content
    if "cam_R" not in content or "cam_t" not in content:
        return None
    rotation = array(where, "cam_R", content["cam_R"], "B T 3 3", "T 3 3")
    translation = array(where, "cam_t", content["cam_t"], "B T 3", "T 3")
    # the same camera stands with each track
    rotation, translation = (rotation[0], translation[0]) if rotation.ndim == 4 else (rotation, translation)
    if len(rotation) != frames:
        raise bad_input(where, "cam_R", f"the {frames} frames of trans", str(len(rotation)))
    from_world = np.tile(np.eye(4), (frames, 1, 1))
    from_world[:, :3, :3], from_world[:, :3, 3] = rotation, translation
    intrinsics = None
    if "intrins" in content:
        fx, fy, cx, cy = array(where, "intrins", content["intrins"], "T 4", "4").reshape(-1, 4)[0]
        intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return Camera(intrinsics, None, from_world)


def read_params(source: Source, reading: Reading) -> Tracked:
    """Video-to-Data's mano_params. Raises InputError."""
    where, content = source.path, source.content
    transl = array(where, "transl", content["transl"], "B T 3")
    tracks, frames, _ = transl.shape
    orient = array(where, "global_orient", content["global_orient"], f"{tracks} {frames} 3")
    pose = array(where, "hand_pose", content["hand_pose"], f"{tracks} {frames} 45")
    betas = array(where, "betas", content["betas"], f"{tracks} S", f"{tracks} {frames} S")
    right = _sides(source, tracks)
    if reading.left_hands == "mirrored":
        for track in np.flatnonzero(~right):
            orient[track], pose[track] = orient[track] * MIRROR_AXIS_ANGLE, mirrored_pose(pose[track])
    flat = bool(array(where, "flat_hand_mean", content["flat_hand_mean"], ""))
    return Tracked(
        format="v2d-mano",
        sides=tuple("right" if each else "left" for each in right),
        mano=ManoTrack(orient, pose, transl, betas, is_relative=not flat),
        said=(f"pose {'absolute' if flat else 'relative to MANO mean'} by flat_hand_mean",),
    )
