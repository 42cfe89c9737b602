"""The hand's surface: mirror image."""

import dataclasses

import jax.numpy as jnp

from toch_jax.hand.model import HandModel


def mirror(model: HandModel) -> HandModel:
    """The same hand on the other side: x is negated, so rotation vectors become (x, -y, -z)."""
    flip = jnp.array([-1.0, 1.0, 1.0])
    turn = jnp.tile(jnp.array([1.0, -1.0, -1.0]), 15)
    matrix = jnp.tile(jnp.outer(flip, flip).ravel(), 15)
    return dataclasses.replace(
        model,
        v_template=model.v_template * flip,
        shapedirs=model.shapedirs * flip[:, None],
        posedirs=model.posedirs * flip[:, None] * matrix,
        faces=model.faces[:, ::-1],
        wrist_ring=model.wrist_ring[::-1],
        pose_mean=model.pose_mean * turn,
        pose_components=model.pose_components * turn,
        side="left" if model.side == "right" else "right",
    )
