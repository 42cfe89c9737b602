"""Where a hand roughly lies, from what a tracker gives: the start of inverse kinematics."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.hand.joint_order import OPENPOSE, from_openpose, to_openpose
from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.sequence.missing_joints import bridge_joints

PALM = (0, 1, 4, 7, 10)
"""The wrist and the fingers' first joints: what moves as one, to place the hand before its fingers bend."""


def flat_joints(model: HandModel) -> Float[np.ndarray, "21 3"]:
    """The joints of the flat mean hand."""
    template = np.asarray(model.v_template)
    rest = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])))
    return np.concatenate([rest, template[np.asarray(model.tips)]])


def mean_hand(
    model: HandModel, orient: Rotation, wrist: Float[np.ndarray, "T 3"], pose: Float[np.ndarray, "45"]
) -> HandParams:
    """A mean hand held in one pose, its wrist turned and put in place frame by frame."""
    return HandParams(
        global_orient=jnp.asarray(orient.as_rotvec(), jnp.float32),
        pose=jnp.broadcast_to(jnp.asarray(pose, jnp.float32), (len(wrist), 45)),
        betas=jnp.zeros(model.shapedirs.shape[-1]),
        transl=jnp.asarray(wrist - flat_joints(model)[0], jnp.float32),
    )


def rigid_motions(
    source: Float[np.ndarray, "T K 3"], target: Float[np.ndarray, "T K 3"]
) -> tuple[Rotation, Float[np.ndarray, "T 3"]]:
    """The best x -> turn x + shift between the points of each frame (Kabsch). Points that are NaN in the target count
    for nothing.
    """
    known = np.isfinite(target).all(axis=-1)
    weights = known / known.sum(axis=1, keepdims=True)
    target = np.where(known[..., None], target, 0)
    from_centre, to_centre = (np.einsum("tk,tka->ta", weights, points) for points in (source, target))
    pairs = zip(target - to_centre[:, None], source - from_centre[:, None], weights, strict=True)
    turns = Rotation.concatenate([Rotation.align_vectors(*pair)[0] for pair in pairs])
    return turns, to_centre - turns.apply(from_centre)


def bridge_by_palm(model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """Joints that are NaN (the wrist and two fingers' first joints are there in each frame), filled in over time in the
    palm's frame: see `bridge_joints`.
    """
    if np.isfinite(joints).all():
        return joints
    orient, shift = _palm_motions(flat_joints(model), joints)
    local = bridge_joints(to_openpose(_turned_back(orient, joints - shift[:, None])))
    return np.einsum("tab,tjb->tja", orient.as_matrix(), from_openpose(local)) + shift[:, None]


def pose_from_joints(model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> HandParams:
    """The mean hand laid on the palm's joints, then each bone swung, from the palm outwards, along the joints' own."""
    flat = flat_joints(model)
    orient, shift = _palm_motions(flat, joints)
    swings = np.zeros((len(joints), 16, 3))
    for finger in OPENPOSE[1:].reshape(5, 4):
        turned = orient
        for joint, end in pairwise(finger):
            swings[:, joint] = _swing(flat[end] - flat[joint], turned.inv().apply(joints[:, end] - joints[:, joint]))
            turned = turned * Rotation.from_rotvec(swings[:, joint])
    pose = jnp.asarray(swings[:, 1:].reshape(-1, 45), jnp.float32)
    return mean_hand(model, orient, orient.apply(flat[0]) + shift, np.zeros(45)).replace(pose=pose)


def _palm_motions(
    flat: Float[np.ndarray, "21 3"], joints: Float[np.ndarray, "T 21 3"]
) -> tuple[Rotation, Float[np.ndarray, "T 3"]]:
    """What lays the flat hand's palm on that of each frame."""
    palm = list(PALM)
    return rigid_motions(np.broadcast_to(flat[palm], (len(joints), len(palm), 3)), joints[:, palm])


def _turned_back(turns: Rotation, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    return np.einsum("tba,tkb->tka", turns.as_matrix(), points)


def _swing(source: Float[np.ndarray, "3"], target: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """The shortest turns (axis-angle) that point one vector along the others."""
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    return axis / np.maximum(sine, 1e-9) * np.arctan2(sine, (target @ source)[:, None])


def follow(
    model: HandModel, params: HandParams, source: Float[np.ndarray, "T K 3"], target: Float[np.ndarray, "T K 3"]
) -> HandParams:
    """A hand that was at the source's points, moved as a whole, frame by frame, with them to the target's."""
    turns, shifts = rigid_motions(source, target)
    pivot = np.asarray(rest_joints(model, params.betas)[0])
    orient = turns * Rotation.from_rotvec(np.asarray(params.global_orient, np.float64))
    wrist = turns.apply(np.asarray(params.transl) + pivot) + shifts
    return params.replace(
        global_orient=jnp.asarray(orient.as_rotvec(), jnp.float32), transl=jnp.asarray(wrist - pivot, jnp.float32)
    )
