"""An object from files: one mesh, a folder with a mesh for each part, or a point cloud, which is closed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int32

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.files import LARGEST_FILE, read_array
from toch_jax.object.cloud import closed_surface
from toch_jax.object.mesh import check_mesh, read_geometry

ENDINGS = (".obj", ".ply", ".stl", ".off", ".glb", ".gltf")
"""Of the meshes in a folder."""


@dataclass(frozen=True)
class LoadedObject:
    """The mesh of all parts, metres, each vertex in the frame of its part's file."""

    vertices: Float[np.ndarray, "Vo 3"]
    faces: Int32[np.ndarray, "Fo 3"]
    part: Int32[np.ndarray, "Vo"]
    names: tuple[str, ...]
    """Of the parts of a folder: their files' names without ending, in alphabetical order. Empty for a single file."""
    said: tuple[str, ...] = ()
    """How points were closed, a phrase for each file."""

    @property
    def n_parts(self) -> int:
        return max(len(self.names), 1)


Placing = Callable[[Float[np.ndarray, "V 3"]], Float[np.ndarray, "V 3"]]


def load_object(path: str | Path, scale: float = 1.0, placed: Placing | None = None) -> LoadedObject:
    """The object in a mesh file that trimesh reads, in an .npy or other file of points, or in a folder of such meshes.

    The meshes of a scene are joined, with their transforms, to one part; vertices are multiplied by `scale`,
    then moved by `placed`, after which they are checked.
    Raises InputError for files that can't be read, a folder without meshes, and what `check_mesh` refuses.
    """
    path = Path(path)
    if not path.is_dir():
        vertices, faces, said = _load_part(path, scale, placed)
        return LoadedObject(vertices, faces, np.zeros(len(vertices), np.int32), (), said)
    files = sorted((each for each in path.iterdir() if each.suffix.lower() in ENDINGS), key=lambda each: each.stem)
    names = tuple(each.stem for each in files)
    if not files or len(set(names)) < len(names):
        expected = f"a mesh for each part ({', '.join(ENDINGS)}), each of another name"
        raise bad_input(path, "object", expected, ", ".join(each.name for each in files) or "none")
    parts = [_load_part(each, scale, placed) for each in files]
    counts = [len(vertices) for vertices, _, _ in parts]
    starts = np.cumsum([0, *counts[:-1]], dtype=np.int32)
    return LoadedObject(
        np.concatenate([vertices for vertices, _, _ in parts]),
        np.concatenate([faces + start for (_, faces, _), start in zip(parts, starts, strict=True)]),
        np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        names,
        tuple(phrase for _, _, said in parts for phrase in said),
    )


def _load_part(path: Path, scale: float, placed: Placing | None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    points, faces = (_points(path), np.zeros((0, 3), np.int32)) if path.suffix == ".npy" else read_geometry(path)
    said: tuple[str, ...] = ()
    if not len(faces):
        count = len(points)
        points, faces, ball = closed_surface(path, points)
        mesh = trimesh.Trimesh(points, faces, process=False)
        said = (
            f"{path.name} has no faces: {count:,} points closed with {len(faces):,} (alpha shape without cavities, "
            f"ball of {1e3 * scale * ball:.2g} mm), {mesh.volume / mesh.convex_hull.volume:.0%} of their convex hull",
        )
    if placed is None:
        return *check_mesh(path, points, faces, scale=scale), said
    return *check_mesh(path, placed(scale * points), faces), said


def _points(path: Path) -> Float[np.ndarray, "N 3"]:
    if not path.is_file():
        raise bad_input(path, "object", "points", "no such file")
    if path.stat().st_size > LARGEST_FILE:
        raise bad_input(path, "object", f"at most {LARGEST_FILE / 1e9:.1f} GB", f"{path.stat().st_size / 1e9:.3g} GB")
    try:
        found = read_array(path, "object", path.read_bytes())
    except InputError:
        raise
    except Exception as error:  # numpy's reader of headers raises many types of errors
        raise bad_input(path, "object", "a whole array", " ".join(f"{error!r:.100}".split())) from error
    if found.ndim != 2 or found.shape[1] < 3 or found.dtype.kind not in "fiu":
        raise bad_input(path, "object", "points (N, 3), also with colours or normals", f"{found.dtype} {found.shape}")
    return found[:, :3]
