"""Checks of object meshes, and their decimation."""

import logging
import warnings
from pathlib import Path

import igl
import numpy as np
import pytest
import trimesh

from toch_jax.base.errors import InputError
from toch_jax.object.mesh import check_mesh, coarsened, load_mesh

BOX = trimesh.creation.box((0.1, 0.05, 0.2))


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "off", "glb"])
def test_reads_what_trimesh_writes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"box.{suffix}"
    BOX.export(path)
    vertices, faces = load_mesh(path)
    mesh = trimesh.Trimesh(vertices, faces)
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.volume, 0.1 * 0.05 * 0.2, rtol=1e-5)
    assert (vertices.dtype, faces.dtype) == (np.float32, np.int32)


def test_a_scene_becomes_one_mesh_in_place(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(BOX)
    scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix((0.5, 0, 0)))
    scene.export(tmp_path / "two.glb")
    vertices, faces = load_mesh(tmp_path / "two.glb")
    assert len(faces) == 2 * len(BOX.faces)
    np.testing.assert_allclose(
        [vertices.min(0), vertices.max(0)], [[-0.05, -0.025, -0.1], [0.55, 0.025, 0.1]], atol=1e-6
    )


def test_a_node_in_millimetres(tmp_path: Path) -> None:
    big = BOX.copy().apply_scale(1000)
    scene = trimesh.Scene()
    scene.add_geometry(big, transform=np.diag([0.001, 0.001, 0.001, 1.0]))
    scene.export(tmp_path / "box.glb")
    np.testing.assert_allclose(np.ptp(load_mesh(tmp_path / "box.glb")[0], axis=0), [0.1, 0.05, 0.2], atol=1e-6)


def test_faces_of_four_corners(tmp_path: Path) -> None:
    corners = [(x, y, z) for x in (0, 0.1) for y in (0, 0.1) for z in (0, 0.1)]
    quads = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners] + ["f " + " ".join(map(str, quad)) for quad in quads]
    (tmp_path / "cube.obj").write_text("\n".join(lines))
    vertices, faces = load_mesh(tmp_path / "cube.obj")
    assert len(faces) == 12
    assert trimesh.Trimesh(vertices, faces).is_watertight


TWO_MATERIALS = """mtllib {mtl}
v 0 0 0
v 0.1 0 0
v 0 0.1 0
v 0 0 0.1
vt 0 0
vt 1 0
vt 0 1
usemtl a
f 1/1 2/2 3/3
f 1/1 2/2 4/3
usemtl b
f 2 3 4
f 1 3 4
"""


@pytest.mark.parametrize("mtl", ["there.mtl", "gone.mtl"])
def test_materials_and_textures_are_not_needed(
    tmp_path: Path, mtl: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "two.obj").write_text(TWO_MATERIALS.format(mtl=mtl))
    (tmp_path / "there.mtl").write_text("newmtl a\nmap_Kd gone.png\nnewmtl b\nKd 0 1 0\n")
    read = trimesh.load_scene

    def warning(*args: object, **options: object) -> trimesh.Scene:
        warnings.warn("of a texture", RuntimeWarning, stacklevel=1)
        return read(*args, **options)

    monkeypatch.setattr(trimesh, "load_scene", warning)
    assert len(load_mesh(tmp_path / "two.obj")[1]) == 4
    assert [str(each.message) for each in recwarn] == []


def test_points_without_triangles_are_called_so(tmp_path: Path) -> None:
    trimesh.PointCloud(np.random.default_rng(0).normal(size=(3000, 3))).export(tmp_path / "points.ply")
    with pytest.raises(InputError, match=r"expected triangles, found a point cloud, no triangles \(3,000 vertices\)$"):
        load_mesh(tmp_path / "points.ply")


def test_keeps_the_order_of_vertices(tmp_path: Path) -> None:
    """The order is kept, so that per-vertex labels for the file are valid."""
    vertices = np.concatenate([BOX.vertices, BOX.vertices[:3]])
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + [f"f {a} {b} {c}" for a, b, c in BOX.faces + 1]
    (tmp_path / "box.obj").write_text("\n".join(lines))
    np.testing.assert_allclose(load_mesh(tmp_path / "box.obj")[0], vertices, atol=1e-7)


def test_a_scale_multiplies_the_vertices(tmp_path: Path) -> None:
    path = tmp_path / "box.stl"
    trimesh.creation.box((100, 50, 200)).export(path)
    vertices, _ = load_mesh(path, 0.001)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (0.1, 0.05, 0.2), atol=1e-6)
    assert vertices.dtype == np.float32
    with pytest.raises(InputError, match=r"found 20 m: probably in millimetres, --object-scale 0.001$"):
        load_mesh(path, 0.1)


def test_drops_faces_without_area_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    faces = np.concatenate([BOX.faces, [[0, 0, 1], [2, 2, 2]]])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(check_mesh("box.obj", BOX.vertices, faces)[1], BOX.faces)
    assert "box.obj: object mesh: dropped 2 faces without area of 14" in caplog.text


def _with_nan() -> np.ndarray:
    vertices = BOX.vertices.copy()
    vertices[3, 1] = np.nan
    return vertices


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (BOX.vertices * 1000, BOX.faces, "found 200 m: probably in millimetres, --object-scale 0.001"),
        (
            BOX.vertices * 150,
            BOX.faces,
            "found 30 m: in millimetres (--object-scale 0.001 makes it 0.03 m) or centimetres (--object-scale 0.01 "
            "makes it 0.3 m) or inches (--object-scale 0.0254 makes it 0.76 m)?",
        ),
        (
            BOX.vertices / 0.0254,
            BOX.faces,
            "found 7.874 m: in centimetres (--object-scale 0.01 makes it 0.079 m) or inches (--object-scale 0.0254 "
            "makes it 0.2 m)?",
        ),
        (BOX.vertices / 1000, BOX.faces, "found 0.0002 m: probably in metres divided by 1000, --object-scale 1000"),
        (BOX.vertices * 1e9, BOX.faces, "expected a size of 0.005 to 3 m (largest extent), found 2e+08 m"),
        (BOX.vertices, BOX.faces[:0], "expected triangles, found none, with 8 vertices"),
        (BOX.vertices, BOX.faces[:, [0, 0, 1]], "expected triangles with area, found 12 without"),
        (BOX.vertices, BOX.faces + 1, "expected indices in 0..7, found 1..8"),
        (BOX.vertices, BOX.faces[:, :2], "expected whole numbers of shape (Fo, 3), found int64 (12, 2)"),
        (BOX.vertices, BOX.faces * 1.0, "expected whole numbers of shape (Fo, 3), found float64 (12, 3)"),
        (BOX.vertices[:, :2], BOX.faces, "expected numbers of shape (Vo, 3), found float64 (8, 2)"),
        (_with_nan(), BOX.faces, "expected finite numbers, found 1 vertices that are not"),
    ],
)
def test_refuses_in_one_line(vertices: np.ndarray, faces: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as error:
        check_mesh("mug.obj", vertices, faces)
    assert str(error.value).startswith("mug.obj: object mesh")
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.obj", None, "no such file"),
        ("bad.glb", b"glTF nothing of the kind", "expected a mesh that trimesh reads"),
        ("bad.xyzzy", b"?", "expected a mesh that trimesh reads"),
        ("points.obj", b"v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\n", "no triangles (3 vertices)"),
        ("nan.obj", b"v 0 0 nan\nv 0.1 0 0\nv 0 0.1 0\nf 1 2 3\n", "finite numbers"),
        ("empty.stl", b"", "object mesh"),
    ],
)
def test_refuses_files_in_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        load_mesh(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: object mesh")
    assert message in str(error.value)


BALL = trimesh.creation.icosphere(subdivisions=6, radius=0.05)


@pytest.mark.parametrize("soup", [False, True])
def test_a_coarse_ball_is_the_ball(soup: bool) -> None:
    vertices, faces = np.asarray(BALL.vertices, np.float32), np.asarray(BALL.faces, np.int32)
    if soup:
        vertices, faces = vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)
    points, triangles, _ = coarsened(vertices, faces, np.zeros(len(vertices), np.int32), 20_000)
    assert 4_000 < len(triangles) <= 20_000
    assert trimesh.Trimesh(points, triangles, process=False).area == pytest.approx(4 * np.pi * 0.05**2, rel=0.01)
    away = igl.point_mesh_squared_distance(np.asarray(BALL.vertices), points.astype(float), triangles.astype(np.int64))
    assert np.sqrt(away[0]).max() < 5e-4


def test_parts_are_not_mixed() -> None:
    """Two identical balls in the same place, each a part of its own."""
    vertices = np.concatenate([BALL.vertices, BALL.vertices])
    faces = np.concatenate([BALL.faces, BALL.faces + len(BALL.vertices)])
    points, triangles, part = coarsened(vertices, faces, np.repeat([0, 1], len(BALL.vertices)), 30_000)
    assert (np.ptp(part[triangles], axis=1) == 0).all()
    assert set(part[triangles.ravel()]) == {0, 1}
    np.testing.assert_allclose(points[part == 0], points[part == 1])


def test_a_mesh_of_few_faces_is_left_as_it_is() -> None:
    mesh = np.asarray(BALL.vertices), np.asarray(BALL.faces), np.zeros(len(BALL.vertices), np.int32)
    for kept, given in zip(coarsened(*mesh, len(BALL.faces)), mesh, strict=True):
        np.testing.assert_array_equal(kept, given)
