"""Objects from files: parts of a folder, scenes, materials, points."""

import numpy as np
import pytest
import trimesh

from toch_jax.base.errors import InputError
from toch_jax.object.load import load_object

BOX = trimesh.creation.box((0.1, 0.2, 0.3))
BALL = trimesh.creation.icosphere(2, 0.04)


def test_a_folder_has_a_part_for_each_mesh(tmp_path):
    BOX.export(tmp_path / "lid.stl")
    BALL.export(tmp_path / "base.obj")
    (tmp_path / "material.mtl").write_text("newmtl a\n")
    np.save(tmp_path / "poses.npy", np.eye(4))
    found = load_object(tmp_path)
    assert found.names == ("base", "lid")
    assert found.n_parts == 2
    base, lid = (found.vertices[found.part == part] for part in (0, 1))
    np.testing.assert_allclose(base, BALL.vertices, atol=1e-6)
    assert (np.ptp(lid, axis=0) == np.array([0.1, 0.2, 0.3], np.float32)).all()
    assert (found.part[found.faces] == found.part[found.faces][:, :1]).all()
    assert len(found.faces) == len(BOX.faces) + len(BALL.faces)
    np.testing.assert_allclose(load_object(tmp_path, 2.0).vertices, 2 * found.vertices)


def test_the_transforms_of_a_scene(tmp_path):
    """A node below another, with its own turn, place and size; the same mesh is used by both."""
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])
    outer, inner = turn.copy(), turn.T.copy()
    outer[:3, 3], inner[:3, 3] = [0.1, 0.2, 0.3], [0.0, 0.05, 0.1]
    inner[:3, :3] *= 0.5
    scene = trimesh.Scene()
    scene.add_geometry(BOX, node_name="outer", geom_name="box", transform=outer)
    scene.add_geometry(BOX, node_name="inner", geom_name="box", transform=inner, parent_node_name="outer")
    scene.export(tmp_path / "scene.glb")
    found = load_object(tmp_path / "scene.glb")
    assert found.names == ()
    assert len(found.faces) == 2 * len(BOX.faces)
    for matrix in (outer, outer @ inner):
        expected = BOX.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        gaps = np.linalg.norm(found.vertices[:, None] - expected, axis=-1).min(axis=0)
        assert gaps.max() < 1e-6


def test_several_materials_are_one_mesh(tmp_path):
    lines = [f"v {x} {y} {z}" for x, y, z in BOX.vertices]
    for number, (a, b, c) in enumerate(BOX.faces + 1):
        lines += [f"usemtl {'red' if number % 3 else 'blue'}", f"f {a} {b} {c}"]
    (tmp_path / "box.obj").write_text("mtllib gone.mtl\n" + "\n".join(lines))
    found = load_object(tmp_path / "box.obj")
    found_ones, expected = (
        sorted(map(sorted, np.round(1e3 * vertices[faces]).astype(int).tolist()))
        for vertices, faces in ((found.vertices, found.faces), (BOX.vertices, BOX.faces))
    )
    assert found_ones == expected
    assert found.n_parts == 1


@pytest.mark.parametrize("name", ["points.ply", "points.xyz", "points.npy", "points.obj"])
def test_points_are_closed_and_that_is_said(tmp_path, name):
    points = BALL.sample(1500, seed=1)
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, np.column_stack([points, np.zeros((1500, 3))]).astype(np.float32))
    elif name.endswith("ply"):
        trimesh.PointCloud(points).export(path)
    else:
        word = "v " if name.endswith("obj") else ""
        path.write_text("\n".join(f"{word}{x:.6f} {y:.6f} {z:.6f}" for x, y, z in points))
    found = load_object(path)
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.volume, BALL.volume, rtol=0.03)
    (said,) = found.said
    assert said.startswith(f"{name} has no faces: 1,500 points closed with {len(found.faces):,} (alpha shape")
    assert said.endswith("99% of their convex hull") or said.endswith("100% of their convex hull")
    assert load_object(path, 0.5).said[0] != said


def test_faults(tmp_path):
    with pytest.raises(InputError, match=r"object: expected a mesh for each part .*, found none"):
        load_object(tmp_path)
    BOX.export(tmp_path / "lid.stl")
    BOX.export(tmp_path / "lid.ply")
    with pytest.raises(InputError, match=r"each of another name, found lid\.(ply|stl), lid"):
        load_object(tmp_path)
    np.save(tmp_path / "a.npy", np.zeros((5, 2)))
    with pytest.raises(InputError, match=r"a\.npy: object: expected points \(N, 3\), .*found float64 \(5, 2\)"):
        load_object(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"b\.npy: object: expected a plain array"):
        load_object(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(InputError, match=r"c\.npy: object: expected a whole array"):
        load_object(tmp_path / "c.npy")
    with pytest.raises(InputError, match="no such file"):
        load_object(tmp_path / "d.npy")
