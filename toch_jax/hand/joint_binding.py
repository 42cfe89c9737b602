"""Constant offsets of a tracker's 21 joints from those of the hand model that was fitted to them.

The two sets of joints differ by millimetres, which are constant in the frame of a bone.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
from jaxtyping import Array, Bool, Float

from toch_jax.base.arrays import put
from toch_jax.hand.model import HandModel, HandParams, forward_kinematics, rest_joints, skin

LAST_JOINTS = (15, 3, 6, 12, 9)
"""Last skeleton joints of thumb, index, middle, ring, pinky: the parents of the tips."""


def bearers(parents: Sequence[int]) -> tuple[int, ...]:
    """The bone of each of the 21 joints (16, then tips), by the joint at its root: the parent; 0 for the wrist."""
    return (0, *parents[1:], *LAST_JOINTS)


def bind_joints(
    model: HandModel, params: HandParams, joints: Float[Array, "T 21 3"], observed: Bool[Array, "T"]
) -> Float[np.ndarray, "21 3"]:
    """Offset of each joint (16, then tips) from the model's, in the frame of its bone, metres: median over frames.

    `params` (axes (T, ...), betas (T, S)) is the hand that was fitted to `joints`. NaN and frames that are not
    observed are ignored; a joint without any value has the offset 0.
    """
    there, turn = (np.asarray(each) for each in _posed_joints(model, params))
    off = np.einsum("tjab,tja->tjb", turn, np.asarray(joints) - there)[np.asarray(observed)]
    known = np.isfinite(off).all(axis=2).any(axis=0)
    offset = np.zeros(off.shape[1:], np.float32)
    offset[known] = np.nanmedian(off[:, known], axis=0)
    return offset


def carry_joints(model: HandModel, params: HandParams, offset: Float[np.ndarray, "21 3"]) -> Float[Array, "T 21 3"]:
    """The model's joints plus `offset`, in the frame of `params`, which has the axes of `bind_joints`. Metres."""
    there, turn = (np.asarray(each) for each in _posed_joints(model, params))
    return put(there + np.einsum("tjab,jb->tja", turn, offset), np.float32)


@jax.jit
def _posed_joints(model: HandModel, params: HandParams) -> tuple[Float[Array, "T 21 3"], Float[Array, "T 21 3 3"]]:
    """The model's joints, and the rotation of the bone of each."""
    n_frames = params.pose.shape[0]
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(n_frames, 15, 3)], axis=1)
    rest = jnp.broadcast_to(rest_joints(model, params.betas), (n_frames, 16, 3))
    rotation, _ = forward_kinematics(model.parents, jaxlie.SO3.exp(angles).as_matrix(), rest)
    return skin(model, params)[1], rotation[:, jnp.asarray(bearers(model.parents))]
