"""Points spread over a hand's skin, at the same places of every hand model.

They are chosen on the open hand, and said by the bone that each moves with and the place beside that bone in units of
the bone's length, so that a network which reads them can be used with another hand model.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.arrays import put
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import farthest_points
from toch_jax.hand.model import LAST_JOINTS, N_SKELETON_JOINTS, HandModel

N_POINTS = 96
"""Number of points; chosen by hand: some 12 mm apart on an adult's hand."""
_OTHER_BONE = 10.0
"""Distance, in bone lengths, that a vertex of another bone counts as farther away."""


def skin_points(model: HandModel) -> HandModel:
    """The hand model with N_POINTS vertices instead of its mesh, then its 5 fingertips; its joints are the same.

    It has no faces. Of a left hand the points are the mirror images of those of the right.
    """
    chosen = np.concatenate([_same_places(model), np.asarray(model.tips)])
    template = np.asarray(model.v_template, np.float64)
    shapedirs = np.asarray(model.shapedirs, np.float64)
    return replace(
        model,
        v_template=put(template[chosen], np.float32),
        shapedirs=put(shapedirs[chosen], np.float32),
        posedirs=put(np.asarray(model.posedirs)[chosen]),
        weights=put(np.asarray(model.weights)[chosen]),
        joint_regressor=put(_regressor(model, chosen), np.float32),
        faces=put(np.zeros((0, 3)), np.int32),
        tips=put(np.arange(N_POINTS, N_POINTS + 5), np.int32),
        wrist_ring=put(np.zeros(0), np.int32),
    )


def _same_places(model: HandModel) -> Int[np.ndarray, "K"]:
    """The model's vertex nearest to each place that is chosen on the open hand, both beside their bones."""
    reference = load_hand("open", model.side)
    bone, place = _beside_bones(reference)
    chosen = farthest_points(np.asarray(load_hand("open").v_template, np.float64), N_POINTS)
    if len(model.v_template) == len(reference.v_template) and model.name == reference.name:
        return chosen
    own_bone, own_place = _beside_bones(model)
    apart = np.linalg.norm(place[chosen][:, None] - own_place, axis=-1)
    return (apart + _OTHER_BONE * (bone[chosen][:, None] != own_bone)).argmin(axis=1)


def _beside_bones(model: HandModel) -> tuple[Int[np.ndarray, "V"], Float[np.ndarray, "V 3"]]:
    """The bone that moves each vertex most; and where it is from that bone's joint, in bone lengths.

    Along the bone, out of the back of the hand, and across both; of the unposed mean hand.
    """
    template = np.asarray(model.v_template, np.float64)
    joints = np.asarray(model.joint_regressor, np.float64) @ template
    ends = np.zeros_like(joints)
    for joint in range(N_SKELETON_JOINTS):
        children = [child for child, parent in enumerate(model.parents) if parent == joint]
        ends[joint] = joints[children].mean(axis=0) if children else 0.0
    ends[list(LAST_JOINTS)] = template[np.asarray(model.tips)]
    along = ends - joints
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / length
    # as `palm_frame` has it: from the middle finger to the wrist, and from the little finger to the index finger
    back = np.cross(joints[1] - joints[7], joints[0] - joints[4]) * (1.0 if model.side == "right" else -1.0)
    up = back - np.sum(along * back, axis=1, keepdims=True) * along
    up = up / np.linalg.norm(up, axis=1, keepdims=True)
    across = np.cross(along, up) * (1.0 if model.side == "right" else -1.0)
    axes = np.stack([along, up, across], axis=1)
    bone = np.asarray(model.weights).argmax(axis=1)
    place = np.einsum("vab,vb->va", axes[bone], template - joints[bone]) / length[bone]
    return bone, place


def _regressor(model: HandModel, chosen: Int[np.ndarray, "K"]) -> Float[np.ndarray, "16 K"]:
    """The smallest regressor from the chosen vertices that gives the model's joints, for every shape."""
    template, directions = np.asarray(model.v_template, np.float64), np.asarray(model.shapedirs, np.float64)
    features = np.column_stack([np.ones(len(template)), template, directions.reshape(len(template), -1)])
    wanted = np.asarray(model.joint_regressor, np.float64) @ features
    return wanted @ np.linalg.pinv(features[chosen])
