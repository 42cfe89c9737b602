"""What of a sequence is drawn: the hand's skin or skeleton, and the object, at one frame."""

import jax
import numpy as np
import trimesh
from jaxtyping import Float, Int

from toch_jax.evaluate.clip import in_part
from toch_jax.evaluate.contact import Part, signed_distances
from toch_jax.evaluate.pose import PosedHand
from toch_jax.host import put, take
from toch_jax.object.model import ObjectMotion
from toch_jax.object.motion import to_world
from toch_jax.sequence.missing_joints import PREVIOUS
from toch_jax.sequence.types import Sequence
from toch_jax.view.render import Surface

in_world = jax.jit(to_world)

HAND_COLOR = np.array([0.94, 0.70, 0.56])
DEEP_COLOR = np.array([0.80, 0.02, 0.14])
OBJECT_COLOR = np.array([0.38, 0.55, 0.80])
OBJECT_OPACITY = 0.45
DEEP_M = 0.01
"""Skin this deep inside the object is painted DEEP_COLOR in full."""


def motion_at(sequence: Sequence, frames: list[int]) -> ObjectMotion:
    """The object's motion, cut to some frames."""
    return take(sequence.object_motion, np.s_[:, frames])


def object_surface(sequence: Sequence, frame: int, opacity: float = OBJECT_OPACITY) -> Surface:
    """The object where it is at one frame, world."""
    rest = take(sequence.object_vertices, np.newaxis)
    vertices = in_world(motion_at(sequence, [frame]), sequence.object_vertex_part, rest)
    return Surface(np.asarray(vertices)[0], np.asarray(sequence.object_faces), OBJECT_COLOR, opacity)


def depths_at(sequence: Sequence, parts: list[Part], hand: PosedHand, frames: list[int]) -> Float[np.ndarray, "n K"]:
    """How deep (metres) each of the hand's points lies inside the object at the frames; 0 outside."""
    then, points = motion_at(sequence, frames), put(hand.points[frames])
    local = [np.asarray(in_part(then, part, points)) for part in range(len(parts))]
    return np.max([-signed_distances(here, part) for here, part in zip(local, parts, strict=True)], axis=0).clip(0)


def hand_surface(
    hand: PosedHand,
    frame: int,
    depths: Float[np.ndarray, "K"] | float = 0.0,
    color: Float[np.ndarray, "3"] = HAND_COLOR,
) -> Surface:
    """The hand at one frame: its mesh, or balls at its points, with bones where they are joints.

    The deeper a point is inside the object (`depths_at`), the redder.
    """
    points = hand.points[frame]
    # the root lets even 2 mm show
    deep = np.broadcast_to(np.clip(depths / DEEP_M, 0, 1) ** 0.5, len(points))[:, None]
    colors = (1 - deep) * color + deep * DEEP_COLOR
    if hand.faces is not None:
        return Surface(points, hand.faces, colors)
    if hand.vertices is not None:
        return _joined([(_ball(point, 0.0015), tint) for point, tint in zip(points, colors, strict=True)])
    pieces = [(_ball(point, 0.006), tint) for point, tint in zip(points, colors, strict=True)]
    for end, start in enumerate(PREVIOUS):
        if np.linalg.norm(points[end] - points[start]) > 1e-4:
            bone = trimesh.creation.cylinder(radius=0.004, segment=points[[start, end]], sections=12)
            pieces.append((bone, colors[end]))
    return _joined(pieces)


def _ball(centre: Float[np.ndarray, "3"], radius: float) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=1, radius=radius).apply_translation(centre)


def _joined(pieces: list[tuple[trimesh.Trimesh, Float[np.ndarray, "3"]]]) -> Surface:
    offsets = np.cumsum([0, *(len(piece.vertices) for piece, _ in pieces)])
    faces: list[Int[np.ndarray, "F 3"]] = [
        np.asarray(piece.faces) + offset for (piece, _), offset in zip(pieces, offsets, strict=False)
    ]
    colors = [np.broadcast_to(tint, piece.vertices.shape) for piece, tint in pieces]
    vertices = [np.asarray(piece.vertices) for piece, _ in pieces]
    return Surface(np.concatenate(vertices), np.concatenate(faces), np.concatenate(colors))
