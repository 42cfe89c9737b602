"""Rough pose of a hand from a tracker's joints or points: the start of inverse kinematics."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.hand.conventions import OPENPOSE, from_openpose, to_openpose
from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.sequence.hand_faults import bridge_joints

PALM = (0, 1, 4, 7, 10)
"""Joints of the palm (the wrist, the first joints of index, middle, little and ring finger), which move rigidly."""


def flat_joints(model: HandModel) -> Float[np.ndarray, "21 3"]:
    """Joints of the flat mean hand (16 of the skeleton, then the tips), metres."""
    template = np.asarray(model.v_template)
    rest = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])))
    return np.concatenate([rest, template[np.asarray(model.tips)]])


def mean_hand(
    model: HandModel, orient: Rotation, wrist: Float[np.ndarray, "T 3"], pose: Float[np.ndarray, "45"]
) -> HandParams:
    """Mean hand in one pose, with the given rotation and position (metres) of the wrist in each frame."""
    return HandParams(
        global_orient=jnp.asarray(orient.as_rotvec(), jnp.float32),
        pose=jnp.broadcast_to(jnp.asarray(pose, jnp.float32), (len(wrist), 45)),
        betas=jnp.zeros(model.shapedirs.shape[-1]),
        transl=jnp.asarray(wrist - flat_joints(model)[0], jnp.float32),
    )


def rigid_motions(
    source: Float[np.ndarray, "T K 3"], target: Float[np.ndarray, "T K 3"]
) -> tuple[Rotation, Float[np.ndarray, "T 3"]]:
    """Best rigid motion x -> R x + t from source to target points in each frame (Kabsch): R and t.

    Points that are NaN in the target are ignored.
    """
    known = np.isfinite(target).all(axis=-1)
    weights = known / known.sum(axis=1, keepdims=True)
    target = np.where(known[..., None], target, 0)
    from_centre, to_centre = (np.einsum("tk,tka->ta", weights, points) for points in (source, target))
    pairs = zip(target - to_centre[:, None], source - from_centre[:, None], weights, strict=True)
    turns = Rotation.concatenate([Rotation.align_vectors(*pair)[0] for pair in pairs])
    return turns, to_centre - turns.apply(from_centre)


def bridge_by_palm(model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """Fill in joints that are NaN by interpolation over time in the palm's frame (see `bridge_joints`).

    In each frame the wrist and the first joints of two fingers must be given.
    """
    if np.isfinite(joints).all():
        return joints
    orient, shift = _palm_motions(flat_joints(model), joints)
    local = bridge_joints(to_openpose(_turned_back(orient, joints - shift[:, None])))
    return np.einsum("tab,tjb->tja", orient.as_matrix(), from_openpose(local)) + shift[:, None]


def pose_from_joints(model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> HandParams:
    """Rough pose from joints: the mean hand is aligned with the palm's joints, then each finger bone is rotated to its
    direction, from the palm outwards.
    """
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
    """Rigid motion from the flat hand's palm to the palm in each frame."""
    palm = list(PALM)
    return rigid_motions(np.broadcast_to(flat[palm], (len(joints), len(palm), 3)), joints[:, palm])


def _turned_back(turns: Rotation, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    return np.einsum("tba,tkb->tka", turns.as_matrix(), points)


def _swing(source: Float[np.ndarray, "3"], target: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Smallest rotations (axis-angle, rad) from the direction of one vector to those of others."""
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    return axis / np.maximum(sine, 1e-9) * np.arctan2(sine, (target @ source)[:, None])


def follow(
    model: HandModel, params: HandParams, source: Float[np.ndarray, "T K 3"], target: Float[np.ndarray, "T K 3"]
) -> HandParams:
    """The hand moved rigidly in each frame by the best motion from the source's points to the target's."""
    turns, shifts = rigid_motions(source, target)
    pivot = np.asarray(rest_joints(model, params.betas)[0])
    orient = turns * Rotation.from_rotvec(np.asarray(params.global_orient, np.float64))
    wrist = turns.apply(np.asarray(params.transl) + pivot) + shifts
    return params.replace(
        global_orient=jnp.asarray(orient.as_rotvec(), jnp.float32), transl=jnp.asarray(wrist - pivot, jnp.float32)
    )
