"""The unknowns of the fit (joint rotations, wrist position, shape) and how a step changes them."""

import jax
import jax.numpy as jnp
import jaxlie
from flax import struct
from jaxtyping import Array, Float

from toch_jax.hand.model import HandModel, HandParams, rest_joints

WRIST_SCALE = 0.05
"""Metres per unit of the wrist's unknowns: about what a finger moves per radian, so that one damping suits all.
Chosen by hand."""
N_UNKNOWNS = 51
"""Unknowns of a frame: 16 rotations of 3, then the wrist position."""


class HandState(struct.PyTreeNode):
    """Trajectory of one hand. The wrist position replaces `transl`, so that changes of shape do not move the wrist."""

    rotations: Float[Array, "T 16 3 3"]
    """The wrist's rotation in the reference frame, then each joint's relative to its parent."""
    wrist: Float[Array, "T 3"]
    """Position in the reference frame, metres."""
    betas: Float[Array, "S"]
    """Shape coefficients, the same in all frames."""


@jax.jit
def state_from_params(model: HandModel, params: HandParams) -> HandState:
    """State from parameters with (T, ...) axes and betas (S,)."""
    n_frames = params.pose.shape[0]
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(n_frames, 15, 3)], axis=1)
    wrist = params.transl + rest_joints(model, params.betas)[0]
    return HandState(jaxlie.SO3.exp(angles).as_matrix(), wrist, params.betas)


@jax.jit
def params_from_state(model: HandModel, state: HandState) -> HandParams:
    """Parameters from a state: global_orient (T,3), pose (T,45), betas (S,), transl (T,3)."""
    angles = jaxlie.SO3.from_matrix(state.rotations).log()
    return HandParams(
        global_orient=angles[:, 0],
        pose=angles[:, 1:].reshape(-1, 45),
        betas=state.betas,
        transl=state.wrist - rest_joints(model, state.betas)[0],
    )


def step_state(state: HandState, frame_step: Float[Array, "T 51"], shape_step: Float[Array, "S"]) -> HandState:
    """The state after a step: each rotation R becomes R exp(d); the steps of wrist and shape are added.

    `frame_step` has 16 rotation vectors d (rad), each in the joint's own frame, then the wrist in WRIST_SCALE metres.
    """
    rotation_steps = jaxlie.SO3.exp(frame_step[:, :48].reshape(-1, 16, 3)).as_matrix()
    return HandState(
        rotations=state.rotations @ rotation_steps,
        wrist=state.wrist + WRIST_SCALE * frame_step[:, 48:],
        betas=state.betas + shape_step,
    )
