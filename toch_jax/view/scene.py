"""What is shown of a sequence: its hands by version (before, after, truth), and surfaces at one frame to be drawn."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int

from toch_jax.base.arrays import put, take
from toch_jax.base.errors import bad_input
from toch_jax.base.programs import program
from toch_jax.metrics.clip import in_part
from toch_jax.metrics.contact import CONTACT_SAMPLE_M, Part, signed_distances
from toch_jax.object.model import to_world
from toch_jax.sequence.derived import PosedHand, pose_hands, pose_truth
from toch_jax.sequence.file import holds_mesh, load_sequence
from toch_jax.sequence.hand_faults import PREVIOUS
from toch_jax.sequence.types import Sequence
from toch_jax.view.render import Surface

Rows = Mapping[str, list[PosedHand]]
"""Hands in the sequence's order, by name of the version."""
HAND_COLOR = np.array([0.94, 0.70, 0.56])
CONTACT_COLOR = np.array([0.20, 0.72, 0.30])
"""Colour of skin within CONTACT_SAMPLE_M (2 mm) of the object's surface, on either side."""
DEEP_COLOR = np.array([0.80, 0.02, 0.14])
OBJECT_COLOR = np.array([0.38, 0.55, 0.80])
OBJECT_OPACITY = 0.45
DEEP_M = 0.01
"""Depth (metres) inside the object from which skin has DEEP_COLOR."""

in_world = program()(to_world)


def rows_of(sequence: Sequence, clean: Sequence | None = None, skins: tuple[Sequence, Sequence] | None = None) -> Rows:
    """The tracked hands ("before"), the repaired ones ("after") and the ground truth ("truth"), as far as given.

    `skins`: the tracked and the repaired sequence as parameters of the hand model, from which hands given as joints
    only take their skin.
    """
    after = None if clean is None else pose_hands(clean)
    rows = {"before": pose_hands(sequence), "after": after, "truth": pose_truth(sequence)}
    for name, skin in zip(("before", "after"), skins or (), strict=False):
        rows[name] = [
            replace(hand, vertices=model.vertices, faces=model.faces) if hand.vertices is None else hand
            for hand, model in zip(rows[name] or [], pose_hands(skin), strict=True)
        ]
    return {name: hands for name, hands in rows.items() if hands is not None}


def load_rows(path: Path, clean_path: Path | None = None, object_mesh: Path | None = None) -> tuple[Sequence, Rows]:
    """The sequence of a file, and its rows with those of the file that `toch denoise` wrote for it.

    The object's mesh is read from the file that has it. Raises InputError, also if the second file belongs to another
    clip (other number of frames or other hands).
    """
    if clean_path is None:
        sequence = load_sequence(path, object_mesh)
        return sequence, rows_of(sequence)
    if object_mesh is None and not holds_mesh(path):
        object_mesh = clean_path
    sequence = load_sequence(path, object_mesh)
    clean = load_sequence(clean_path, object_mesh or path)
    if clean.n_frames != sequence.n_frames:
        raise bad_input(clean_path, "frames", f"{sequence.n_frames}, as {path} has", str(clean.n_frames))
    if clean.hand_side != sequence.hand_side:
        raise bad_input(clean_path, "hand_side", f"{sequence.hand_side}, as {path} has", str(clean.hand_side))
    return sequence, rows_of(sequence, clean)


def object_surface(
    sequence: Sequence, frame: int, opacity: float = OBJECT_OPACITY, beside: PosedHand | None = None
) -> Surface:
    """The object at one frame, world; with the motion that belongs to the version `beside` of the hand, if given."""
    rest = take(sequence.object_vertices, np.newaxis)
    motion = sequence.object_motion if beside is None else beside.motion_in(sequence)
    vertices = in_world(take(motion, np.s_[:, [frame]]), sequence.object_vertex_part, rest)
    return Surface(np.asarray(vertices)[0], np.asarray(sequence.object_faces), OBJECT_COLOR, opacity)


def distances_at(sequence: Sequence, parts: list[Part], hand: PosedHand, frames: list[int]) -> Float[np.ndarray, "n K"]:
    """Signed distance (metres, negative inside) of the hand's points to the object's surface at the frames.

    inf farther than 5 mm from the bounding boxes of all parts.
    """
    then, points = take(hand.motion_in(sequence), np.s_[:, frames]), put(hand.points[frames])
    local = [np.asarray(in_part(then, part, points)) for part in range(len(parts))]
    return np.min([signed_distances(each, part) for each, part in zip(local, parts, strict=True)], axis=0)


def skin_colors(
    distances: Float[np.ndarray, "K"], color: Float[np.ndarray, "3"] = HAND_COLOR
) -> Float[np.ndarray, "K 3"]:
    """Colour of each point: CONTACT_COLOR within 2 mm of the surface, red (darker with depth) inside, else `color`."""
    depth = (-distances - CONTACT_SAMPLE_M) / (DEEP_M - CONTACT_SAMPLE_M)
    # starts at 0.45, so that skin just deeper than contact is clearly red
    red = np.where(depth > 0, 0.45 + 0.55 * np.clip(depth, 0, 1), 0.0)[:, None]
    colors = np.where((np.abs(distances) <= CONTACT_SAMPLE_M)[:, None], CONTACT_COLOR, color)
    return (1 - red) * colors + red * DEEP_COLOR


def hand_surface(
    hand: PosedHand,
    frame: int,
    distances: Float[np.ndarray, "K"] | None = None,
    color: Float[np.ndarray, "3"] = HAND_COLOR,
) -> Surface:
    """The hand at one frame: its mesh, or balls at its points, or balls and bones for joints.

    Coloured by `skin_colors` if the points' distances (`distances_at`) are given, else with `color`.
    """
    points = hand.points[frame]
    colors = np.tile(color, (len(points), 1)) if distances is None else skin_colors(distances, color)
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
