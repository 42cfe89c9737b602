"""Makes the meshes of open_grasps: `python scripts/make_meshes.py METAWORLD ROBOSUITE`, two unpacked wheels."""

import sys
from pathlib import Path

import fast_simplification
import manifold3d
import numpy as np
import trimesh
from trimesh import Trimesh

MESHES = Path(__file__).parents[1] / "toch_jax" / "datasets" / "open_grasps" / "meshes"


def load(path: Path) -> Trimesh:
    """The mesh of a file with duplicate vertices merged."""
    mesh = trimesh.load_mesh(path)
    mesh.merge_vertices()
    return mesh


def joined(*parts: tuple[Trimesh, tuple[float, float, float]]) -> Trimesh:
    """Boolean union of meshes, each moved by its translation."""
    return trimesh.boolean.union([mesh.apply_translation(at) for mesh, at in parts], engine="manifold")


def without_slivers(mesh: Trimesh) -> Trimesh:
    """The solid in float32, as it is stored, with edges shorter than 0.05 mm collapsed."""
    stored = manifold3d.Mesh(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32))
    clean = manifold3d.Manifold(stored).simplify(5e-5).to_mesh()
    return Trimesh(clean.vert_properties[:, :3], clean.tri_verts, process=False)


def netbook(folder: Path) -> dict[str, Trimesh]:
    """Bottom and top of the closed netbook, in ARCTIC's frame for hinged objects; poses from metaworld's laptop.xml."""
    bottom = joined((load(folder / "laptop_base.stl"), (0, 0, 0.015)))
    lid = load(folder / "laptop_top.stl").convex_hull
    axle = load(folder / "laptop_hinge.stl")
    axle.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (0, 1, 0)))
    top = joined((lid, (0, 0.01, 0.15)), (axle, (0, 0, 0)))
    # its joint rotates about x and is closed at pi / 2
    top.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    bottom.apply_translation((0, -0.151, -0.031))
    # the axle lies partly in the base
    bottom = trimesh.boolean.difference([bottom, axle.copy().apply_scale(1.1)], engine="manifold")
    to_arctic = np.eye(4)
    to_arctic[:3, :3] = [(0, -1, 0), (0, 0, -1), (1, 0, 0)]
    return {
        name: mesh.apply_transform(to_arctic).apply_scale(0.68) for name, mesh in (("bottom", bottom), ("top", top))
    }


def main(metaworld: Path, robosuite: Path) -> None:
    world = metaworld / "metaworld/assets/objects/meshes"
    suite = robosuite / "robosuite/models/assets/objects/meshes"
    # scales and offsets are from the packages' .xml files, except that metaworld's large tools are scaled to fit a hand
    # and parts that only touch are moved to overlap
    thermos = joined(
        (load(world / "thermos/therm_base.stl"), (0, 0, 0.021)),
        (load(world / "thermos/therm_body.stl"), (0, 0, 0.14)),
        (load(world / "thermos/therm_cap.stl").convex_hull, (0, 0, 0.28)),
        (load(world / "thermos/therm_handle.stl"), (0, -0.13, 0.132)),
    )
    wrench = joined(
        (load(world / "assembly_peg/assembly_peg_ring.stl"), (0, 0, 0)),
        (load(world / "assembly_peg/assembly_peg_handle.stl"), (0, -0.13, 0)),
        (trimesh.creation.cylinder(0.012, segment=[(0, -0.15, 0), (0, -0.052, 0)], sections=24), (0, 0, 0)),
    )
    mallet = joined(
        (load(world / "hammer/hammerhandle.stl"), (0, 0, 0)),
        *((part, (0, 0, 0.16)) for part in load(world / "hammer/hammerhead.stl").split()),
    )
    meshes = {
        "thermos": thermos.apply_scale(0.6),
        "wrench": wrench.apply_scale(0.8),
        "mallet": mallet.apply_scale(0.75),
        "bread": load(suite / "bread.stl"),
        "cereal": load(suite / "cereal.stl").apply_scale((0.8, 1, 1)),
        "can": load(suite / "can.stl").convex_hull.apply_scale((1.2, 1.2, 1.3)),
        "lemon": load(suite / "lemon.stl").apply_scale((1.5, 1.2, 1.2)),
        "milk": load(suite / "milk.stl").apply_scale(0.9),
    }
    for name, mesh in meshes.items():
        if len(mesh.faces) > 1500:
            points, faces = fast_simplification.simplify(mesh.vertices, mesh.faces, target_count=1500, agg=2)
            mesh = trimesh.Trimesh(points, faces)
        mesh = without_slivers(mesh)
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
        assert mesh.is_volume, name
        assert mesh.body_count == 1, name
        print(
            f"{name:8s} {len(mesh.vertices):5d} vertices {len(mesh.faces):5d} faces {np.round(mesh.extents * 1000)} mm"
        )
        mesh.export(MESHES / f"{name}.ply", vertex_normal=False)
    for name, mesh in netbook(world / "laptop").items():
        mesh = without_slivers(mesh)
        assert mesh.is_volume, name
        print(f"netbook {name:6s} {len(mesh.faces):5d} faces {np.round(mesh.bounds * 1000).tolist()} mm")
        mesh.export(MESHES / "hinged" / f"netbook_{name}.ply", vertex_normal=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
