"""The mirror image of a sequence: left hands become right hands, and the whole scene is reflected."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.hand.model import HandParams, Side
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.camera import Camera
from toch_jax.sequence.types import Hands, Sequence

OTHER_SIDE: dict[Side, Side] = {"right": "left", "left": "right"}


def mirror(sequence: Sequence) -> Sequence:
    """The sequence with x negated; its own inverse.

    The hand parameters are those of the mirrored hand model of the other side.
    """
    return dataclasses.replace(
        sequence,
        hand_side=tuple(OTHER_SIDE[side] for side in sequence.hand_side),
        hands=_mirror_hands(sequence.hands),
        object_vertices=mirror_points(sequence.object_vertices),
        object_faces=sequence.object_faces[:, ::-1],
        object_motion=mirror_motion(sequence.object_motion),
        truth=None if sequence.truth is None else _mirror_hands(sequence.truth),
        camera=None if sequence.camera is None else _mirror_camera(sequence.camera),
    )


def mirror_points(points: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    return points * jnp.array([-1.0, 1.0, 1.0])


def mirror_motion(motion: ObjectMotion) -> ObjectMotion:
    """The motion of the mirrored object in the mirrored world."""
    reflection = jnp.array([-1.0, 1.0, 1.0])
    return ObjectMotion(
        rotation=reflection[:, None] * motion.rotation * reflection,
        translation=mirror_points(motion.translation),
    )


def mirror_object(object: ObjectModel) -> ObjectModel:
    """The object with mirrored samples and distances; its mesh, if it has one, is not mirrored."""
    samples, grid = object.samples, object.grid
    far = grid.spacing[:, 0] * (grid.distance.shape[1] - 1)
    return object.replace(
        samples=samples.replace(points=mirror_points(samples.points), normals=mirror_points(samples.normals)),
        grid=grid.replace(
            distance=grid.distance[:, ::-1],
            origin=mirror_points(grid.origin).at[:, 0].add(-far),
        ),
    )


def mirror_axis_angle(axis_angle: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """The mirrored rotation: its axis is reflected and its angle changes sign."""
    return axis_angle * jnp.array([1.0, -1.0, -1.0])


def mirror_params(params: HandParams) -> HandParams:
    """The parameters of the mirrored hand for the mirrored hand model."""
    pose = params.pose.reshape(*params.pose.shape[:-1], -1, 3)
    return HandParams(
        global_orient=mirror_axis_angle(params.global_orient),
        pose=mirror_axis_angle(pose).reshape(params.pose.shape),
        betas=params.betas,
        transl=mirror_points(params.transl),
    )


def _mirror_camera(camera: Camera) -> Camera:
    """The camera that sees the mirrored scene in mirrored images; where their middle is depends on their width."""
    reflection = jnp.array([-1.0, 1.0, 1.0])
    return Camera(reflection[:, None] * camera.rotation * reflection, mirror_points(camera.translation))


def _mirror_hands(hands: Hands) -> Hands:
    return Hands(
        params=None if hands.params is None else mirror_params(hands.params),
        joints=None if hands.joints is None else mirror_points(hands.joints),
        vertices=None if hands.vertices is None else mirror_points(hands.vertices),
        vertex_order=hands.vertex_order,
    )
