"""ARCTIC's hinged objects: mesh, parts and motion, after zc-alexfan/arctic: common/object_tensors.py."""

import json
from dataclasses import dataclass
from pathlib import Path

import igl
import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.datasets.convert import need_file, numbers
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.object.mesh import check_mesh

FOLDER = "meta/object_vtemplates"
FILES = ("mesh.obj", "parts.json", "top.obj", "bottom.obj")
BOTTOM, TOP = 0, 1
MM = 1e-3
HINGE = np.array([0.0, 0.0, -1.0])
"""Rotation axis of the top part, through the origin of the object's frame."""


@dataclass(frozen=True)
class HingedObject:
    """Mesh of both parts in one frame, at articulation angle 0; metres."""

    vertices: Float[np.ndarray, "Vo 3"]
    faces: Int[np.ndarray, "Fo 3"]
    vertex_part: Int[np.ndarray, "Vo"]
    """BOTTOM or TOP."""


def need_object(spec: DatasetSpec, raw: Path, name: str) -> Path:
    """The object's folder. Raises InputError naming the first missing file."""
    folder = raw / FOLDER / name
    for file in FILES:
        need_file(spec, folder / file)
    return folder


def read_object(folder: Path) -> HingedObject:
    """The object of a folder with `FILES`. Raises InputError if one of them is unreadable or inconsistent."""
    mesh = _load(folder / "mesh.obj")
    vertices, faces = check_mesh(folder / "mesh.obj", np.asarray(mesh.vertices) * MM, np.asarray(mesh.faces))
    return HingedObject(vertices, faces, _vertex_part(folder, np.asarray(mesh.vertices)))


def part_motion(
    pose: Float[np.ndarray, "T 7"],
) -> tuple[Float[np.ndarray, "2 T 3"], Float[np.ndarray, "2 T 3"]]:
    """Axis-angle rotation and translation (m) of bottom and top in the world.

    `pose` is ARCTIC's: articulation angle, axis-angle rotation (rad), translation (mm).
    """
    turn = Rotation.from_rotvec(pose[:, 1:4])
    opened = turn * Rotation.from_rotvec(pose[:, :1] * HINGE)
    return np.stack([turn.as_rotvec(), opened.as_rotvec()]), np.stack([pose[:, 4:] * MM] * 2)


def _vertex_part(folder: Path, vertices: Float[np.ndarray, "Vo 3"]) -> Int[np.ndarray, "Vo"]:
    """Part of each vertex (BOTTOM or TOP) from parts.json.

    In ARCTIC's documentation label 1 is the top, in its code 0 is; so of the two meanings the one is taken with which
    the vertices are nearer to top.obj and bottom.obj.
    """
    path = folder / "parts.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise bad_input(path, "json", "a label for each vertex", f"{error!r:.80}") from error
    label = numbers(path, "labels", content, (len(vertices),)).astype(bool)
    if label.all() or not label.any():
        raise bad_input(path, "labels", "both 0 and 1", f"only {int(label[0])}")
    to_top, to_bottom = (_distance(folder / f"{part}.obj", vertices) for part in ("top", "bottom"))
    as_documented = to_top[label].mean() + to_bottom[~label].mean()
    as_coded = to_top[~label].mean() + to_bottom[label].mean()
    if as_documented == as_coded:
        raise bad_input(path, "labels", "one of the two parts nearer to top.obj", "both as near")
    is_top = label if as_documented < as_coded else ~label
    return np.where(is_top, TOP, BOTTOM).astype(np.int32)


def _distance(path: Path, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    mesh = _load(path)
    surface = np.ascontiguousarray(mesh.vertices, np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    return np.sqrt(igl.point_mesh_squared_distance(np.ascontiguousarray(points, np.float64), *surface)[0])


def _load(path: Path) -> trimesh.Trimesh:
    try:
        # process=False keeps the vertices and their order, which parts.json refers to
        mesh = trimesh.load_scene(path, process=False, maintain_order=True, skip_materials=True).to_mesh()
    except Exception as error:  # trimesh's readers raise whatever their format's parser does
        raise bad_input(path, "object mesh", "a mesh that trimesh reads", f"{error!r:.100}") from error
    if not len(mesh.faces):
        raise bad_input(path, "object mesh", "triangles", "none")
    return mesh
