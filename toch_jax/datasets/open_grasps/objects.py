"""The objects by name: parametric shapes and a few meshes, each in several sizes."""

import zlib
from pathlib import Path

import numpy as np
import trimesh
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.shapes import PARAMETRIC

MESH_DIR = Path(__file__).parent / "meshes"
MESHES = tuple(sorted(path.stem for path in MESH_DIR.glob("*.ply")))
OBJECTS = (*PARAMETRIC, *MESHES)
MAX_FACES = 1500


def make_object(name: str, variant: int, seed: int = 0) -> Trimesh:
    """The object `name` in the size number `variant`: watertight, centred on its bounding box; metres, z up."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), variant])
    if name in PARAMETRIC:
        mesh = PARAMETRIC[name](rng)
    else:
        mesh = trimesh.load_mesh(MESH_DIR / f"{name}.ply", process=False)
        mesh.apply_scale(rng.uniform(0.88, 1.1))
    if len(mesh.faces) > MAX_FACES:
        mesh = mesh.simplify_quadric_decimation(face_count=MAX_FACES)
    return mesh.apply_translation(-mesh.bounds.mean(axis=0))
