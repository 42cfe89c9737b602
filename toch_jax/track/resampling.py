"""A clip at another frame rate: hands and object are interpolated together, so that what touches keeps touching.

Rotations are interpolated by slerp, positions linearly. A hand is interpolated as seen from its frame of reference
(track/reference_frame.py), which is the object's while the hand is near it: a hand that rests on an object that turns
rests on it between the frames too. Interpolated in the world it would cut the corner, by a tenth of a millimetre to
millimetres.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.arrays import put, stack, take
from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.camera import Camera
from toch_jax.sequence.derived import hand_meshes, hand_models
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.part_frame import nearest_part
from toch_jax.track.reference_frame import Pose, fit_frame, part_pose

LONGEST = 100_000
"""Largest number of frames of the result; an hour at 30 fps."""


def resampled(sequence: Sequence, fps: float | int) -> Sequence:
    """The sequence at `fps`, from its first frame to its last, or to the last new frame before it.

    A new frame counts as lost where one of the two frames around it is. Standard deviations are interpolated. Raises
    InputError for a rate that is not above 0, or with which there would be too many frames.
    """
    if not 0 < fps < math.inf:
        raise bad_input(sequence.source, "--fps", "frames per second, above 0", f"{fps:g}")
    count = math.floor((sequence.n_frames - 1) * fps / sequence.fps + 1e-6) + 1
    if count > LONGEST:
        raise bad_input(sequence.source, "--fps", f"a rate that gives at most {LONGEST:,} frames", f"{count:,}")
    if fps == sequence.fps:
        return sequence
    at = np.minimum(np.arange(count) * (sequence.fps / fps), sequence.n_frames - 1)
    parts = range(len(sequence.object_motion.translation))
    poses = [_pose_at(part_pose(sequence, part), at) for part in parts]
    object_valid = sequence.object_valid
    sigma, pose_sigma = sequence.hand_joint_sigma, sequence.object_pose_sigma
    return sequence.replace(
        fps=float(fps),
        hands=_hands_at(sequence, at, truth=False),
        hand_valid=_valid_at(sequence.hand_valid, at),
        truth=None if sequence.truth is None else _hands_at(sequence, at, truth=True),
        object_motion=ObjectMotion(*(put(np.stack(each), np.float32) for each in zip(*poses, strict=True))),
        object_valid=None if object_valid is None else _valid_at(object_valid, at),
        hand_joint_sigma=None if sigma is None else put(_linear(np.asarray(sigma), at, axis=1), np.float32),
        object_pose_sigma=None if pose_sigma is None else put(_linear(np.asarray(pose_sigma), at, axis=1), np.float32),
        camera=None if sequence.camera is None else _camera_at(sequence.camera, at),
    )


def _linear(values: Float[np.ndarray, "*axes"], at: Float[np.ndarray, "N"], axis: int = 0) -> np.ndarray:
    """The values at positions along `axis`, counted in entries; NaN where one of the two that are needed is."""
    values = np.moveaxis(np.asarray(values, np.float64), axis, 0)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(values) - 1)
    share = (at - before).reshape(-1, *[1] * (values.ndim - 1))
    between = values[before] + share * (values[after] - values[before])
    return np.moveaxis(np.where(share == 0, values[before], between), 0, axis)


def _slerp(turns: Float[np.ndarray, "T 3 3"], at: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N 3 3"]:
    rotations = Rotation.from_matrix(np.asarray(turns, np.float64))
    if len(turns) == 1:
        return np.repeat(rotations.as_matrix(), len(at), axis=0)
    return Slerp(np.arange(len(turns)), rotations)(at).as_matrix()


def _pose_at(pose: Pose, at: Float[np.ndarray, "N"]) -> Pose:
    return Pose(_slerp(pose.rotation, at), _linear(pose.translation, at))


def _camera_at(camera: Camera, at: Float[np.ndarray, "N"]) -> Camera:
    """The camera at positions in the clip; its centre moves evenly between two frames."""
    rotation, centre = _slerp(np.asarray(camera.rotation), at), _linear(camera.centre, at)
    translation = -np.einsum("tab,tb->ta", rotation, centre)
    return camera.replace(rotation=put(rotation, np.float32), translation=put(translation, np.float32))


def _valid_at(valid: Bool[Array | np.ndarray, "H T"], at: Float[np.ndarray, "N"]) -> Bool[Array, "H N"]:
    marks = np.asarray(valid)
    before = np.floor(at).astype(int)
    return put(marks[:, before] & marks[:, np.ceil(at).astype(int)])


def _hands_at(sequence: Sequence, at: Float[np.ndarray, "N"], *, truth: bool) -> Hands:
    """The tracked, or true, hands at positions in the clip, counted in frames."""
    hands = sequence.truth if truth else sequence.hands
    assert hands is not None
    meshes, models = hand_meshes(sequence, truth=truth), hand_models(sequence)
    found = []
    for hand, side in enumerate(sequence.hand_side):
        observed = np.ones(sequence.n_frames, bool) if truth else np.asarray(sequence.hand_valid[hand])
        if meshes.joints is not None:
            seen = meshes.joints[hand]
        else:
            # points of the skin stand for the joints
            points = np.asarray(meshes.vertices)[hand]
            seen = points[:, np.linspace(0, points.shape[1] - 1, 21).astype(int)]
        frame = fit_frame(sequence, nearest_part(sequence, put(seen), observed), put(seen), observed)
        own = _OneHand(*take((hands.params, hands.joints, hands.vertices), hand))
        found.append(_hand_at(models[side], own, frame, at))
    return Hands(*stack(found), vertex_order=hands.vertex_order)


class _OneHand(NamedTuple):
    """What is given of one hand; see `Hands`."""

    params: HandParams | None
    joints: Float[Array, "T 21 3"] | None
    vertices: Float[Array, "T K 3"] | None


def _hand_at(model: HandModel, hand: _OneHand, frame: Pose, at: Float[np.ndarray, "N"]) -> _OneHand:
    """One hand at positions in the clip; `frame` is where it moves least."""
    later = _pose_at(frame, at)

    def moved(points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "N K 3"]:
        """Points of the world, interpolated in the frame."""
        local = np.einsum("tba,tkb->tka", frame.rotation, points - frame.translation[:, None])
        return np.einsum("tab,tkb->tka", later.rotation, _linear(local, at)) + later.translation[:, None]

    def beside(given: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Points that are given beside parameters keep their distance from the model's."""
        local = np.einsum("tba,tkb->tka", frame.rotation, given - before)
        return after + np.einsum("tab,tkb->tka", later.rotation, _linear(local, at))

    params, joints, vertices = hand
    if params is None:
        new_joints, new_vertices = (None if each is None else moved(np.asarray(each)) for each in (joints, vertices))
        return _OneHand(None, _put(new_joints), _put(new_vertices))
    wrist = np.asarray(rest_joints(model, params.betas))[:, 0] + np.asarray(params.transl, np.float64)
    after = _params_at(model, params, moved(wrist[:, None])[:, 0], (frame, later), at)
    if joints is None and vertices is None:
        return _OneHand(after, None, None)
    (skin, bones), (new_skin, new_bones) = (map(np.asarray, skin_frames(model, each)) for each in (params, after))
    if joints is not None:
        joints = _put(beside(np.asarray(joints), to_openpose(bones), to_openpose(new_bones)))
    if vertices is not None:
        given = np.asarray(vertices)
        vertices = _put(beside(given, skin, new_skin) if given.shape == skin.shape else moved(given))
    return _OneHand(after, joints, vertices)


def _put(values: np.ndarray | None) -> Array | None:
    return None if values is None else put(values, np.float32)


def _params_at(
    model: HandModel,
    params: HandParams,
    wrist: Float[np.ndarray, "N 3"],
    frames: tuple[Pose, Pose],
    at: Float[np.ndarray, "N"],
) -> HandParams:
    """Parameters (T, ...) at positions in the clip, where the wrist is at `wrist`: the orientation by slerp as seen
    from the frame (before and after), the fingers' rotations by slerp."""
    frame, later = frames
    betas = _linear(np.asarray(params.betas), at)
    rest = np.asarray(rest_joints(model, put(betas, np.float32)))[:, 0]
    orient = np.swapaxes(frame.rotation, 1, 2) @ _matrices(params.global_orient)
    fingers = _matrices(params.pose)
    turned = np.stack([_slerp(fingers[:, joint], at) for joint in range(15)], axis=1)
    return HandParams(
        global_orient=put(Rotation.from_matrix(later.rotation @ _slerp(orient, at)).as_rotvec(), np.float32),
        pose=put(Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 45), np.float32),
        betas=put(betas, np.float32),
        transl=put(wrist - rest, np.float32),
    )


def _matrices(vectors: Float[Array, "T n"]) -> Float[np.ndarray, "T *joints 3 3"]:
    """Axis-angle as matrices, (T, 3, 3) for one joint, else (T, joints, 3, 3)."""
    flat = np.array(vectors, np.float64).reshape(-1, 3)
    matrices = Rotation.from_rotvec(flat).as_matrix()
    return matrices if len(flat) == len(vectors) else matrices.reshape(len(vectors), -1, 3, 3)
