"""The mirror image of a sequence: left hands become right ones, and the whole scene goes with them."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.hand.model import HandParams, Side
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.types import Hands, Sequence

OTHER_SIDE: dict[Side, Side] = {"right": "left", "left": "right"}


def mirror(sequence: Sequence) -> Sequence:
    """Reflect x. Done twice, it gives the sequence back.

    Parameters then belong to the mirrored hand model of the other side.
    """
    return dataclasses.replace(
        sequence,
        hand_side=tuple(OTHER_SIDE[side] for side in sequence.hand_side),
        hands=_mirror_hands(sequence.hands),
        object_vertices=mirror_points(sequence.object_vertices),
        object_faces=sequence.object_faces[:, ::-1],
        object_motion=mirror_motion(sequence.object_motion),
        truth=None if sequence.truth is None else _mirror_hands(sequence.truth),
    )


def mirror_points(points: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    return points * jnp.array([-1.0, 1.0, 1.0])


def mirror_motion(motion: ObjectMotion) -> ObjectMotion:
    """Of the mirrored object in the mirrored world."""
    reflection = jnp.array([-1.0, 1.0, 1.0])
    return ObjectMotion(
        rotation=reflection[:, None] * motion.rotation * reflection,
        translation=mirror_points(motion.translation),
    )


def mirror_object(object: ObjectModel) -> ObjectModel:
    """The samples and distances of the mirrored object; its mesh, if there is one, is left as it is."""
    far = object.sdf_spacing[:, 0] * (object.sdf.shape[1] - 1)
    return object.replace(
        points=mirror_points(object.points),
        normals=mirror_points(object.normals),
        sdf=object.sdf[:, ::-1],
        sdf_origin=mirror_points(object.sdf_origin).at[:, 0].add(-far),
    )


def mirror_axis_angle(axis_angle: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """A rotation seen in the mirror: its axis is reflected and it turns the other way."""
    return axis_angle * jnp.array([1.0, -1.0, -1.0])


def mirror_params(params: HandParams) -> HandParams:
    """The parameters with which the mirrored hand model makes the mirrored hand."""
    pose = params.pose.reshape(*params.pose.shape[:-1], -1, 3)
    return HandParams(
        global_orient=mirror_axis_angle(params.global_orient),
        pose=mirror_axis_angle(pose).reshape(params.pose.shape),
        betas=params.betas,
        transl=mirror_points(params.transl),
    )


def _mirror_hands(hands: Hands) -> Hands:
    return Hands(
        params=None if hands.params is None else mirror_params(hands.params),
        joints=None if hands.joints is None else mirror_points(hands.joints),
        vertices=None if hands.vertices is None else mirror_points(hands.vertices),
        vertex_order=hands.vertex_order,
    )
