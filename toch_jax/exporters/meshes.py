"""The meshes of hands and object in each frame, in the world: a folder of .obj or .ply files, written by trimesh.

right_000000.ply, object_000000.ply, ..., with a number for each frame; hinged objects have object0_..., object1_....
The skin of a hand model is closed at the wrist. Hands of points that are no mesh are clouds of points, in .ply only.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder
from toch_jax.exporters.keypoints import hand_names, object_matrices
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import PosedHand, pose_hands
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.reading import METRES

DIGITS = 8
"""Decimals in .obj files."""


def write_obj(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write a folder of .obj files. Raises InputError for hands without a mesh."""
    return _write(path, sequence, writing, "obj")


def write_ply(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write a folder of binary .ply files. Raises InputError for hands of joints alone."""
    return _write(path, sequence, writing, "ply")


def _write(path: Path, sequence: Sequence, writing: Writing, ending: str) -> tuple[str, ...]:
    hands = pose_hands(sequence)
    for hand in hands:
        if hand.vertices is None or (ending == "obj" and hand.faces is None):
            expected = "a mesh (toch denoise --hand model writes parameters)"
            found = "joints alone" if hand.vertices is None else "points that are no mesh (--to ply)"
            raise bad_input(sequence.source, "hand", expected, found)
    scale = 1 / METRES[writing.unit]
    known, names = known_frames(sequence), hand_names(sequence.hand_side)
    parts = dict(object_meshes(sequence))
    poses = {name: object_matrices(sequence, index) for index, name in enumerate(parts)}
    with atomic_folder(path) as folder:
        for frame in range(sequence.n_frames):
            meshes = {
                name: _hand(hand, frame, scale)
                for name, hand, seen in zip(names, hands, known[:, frame], strict=True)
                if seen
            }
            for name, part in parts.items():
                meshes[name] = part.copy()
                meshes[name].apply_transform(poses[name][frame]).apply_scale(scale)
            for name, mesh in meshes.items():
                file = folder / f"{name}_{frame:06d}.{ending}"
                if ending == "obj":
                    mesh.export(file, include_normals=False, digits=DIGITS, header=None)
                else:
                    mesh.export(file, encoding="binary")
    return lost_remark(sequence, "have no file of the hand")


def _hand(hand: PosedHand, frame: int, scale: float) -> trimesh.Trimesh | trimesh.PointCloud:
    assert hand.vertices is not None
    points = hand.vertices[frame].astype(np.float64) * scale
    return trimesh.PointCloud(points) if hand.faces is None else trimesh.Trimesh(points, hand.faces, process=False)


def object_meshes(sequence: Sequence) -> Iterator[tuple[str, trimesh.Trimesh]]:
    """The object's parts, each in its own frame of reference, metres."""
    vertices, faces, part = map(
        np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)
    )
    count = len(sequence.object_motion.translation)
    for index in range(count):
        own = faces[(part[faces] == index).all(axis=1)]
        kept, renumbered = np.unique(own, return_inverse=True)
        mesh = trimesh.Trimesh(vertices[kept].astype(np.float64), renumbered.reshape(-1, 3), process=False)
        yield "object" if count == 1 else f"object{index}", mesh
