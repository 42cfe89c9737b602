import igl
import jax
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from toch_jax.base.arrays import put
from toch_jax.base.errors import InputError
from toch_jax.object.build import build_object
from toch_jax.object.distance import signed_distance
from toch_jax.object.mesh import orient_outward

RING, TUBE = 0.06, 0.02


def _torus() -> trimesh.Trimesh:
    return trimesh.creation.torus(RING, TUBE, major_sections=48, minor_sections=24)


def _torus_normal(points: np.ndarray) -> np.ndarray:
    """Outward normal of the smooth torus at its point nearest to each of `points`."""
    centre = points * [1, 1, 0]
    centre *= RING / np.linalg.norm(centre, axis=1, keepdims=True)
    return (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return trimesh.Trimesh(vertices, faces, process=False).face_normals


@pytest.mark.parametrize("spoil", ["nothing", "all", "some", "some, with holes", "some, with holes, as a soup"])
def test_normals_point_outward_however_the_file_winds_its_faces(spoil: str) -> None:
    rng = np.random.default_rng(0)
    torus = _torus()
    vertices, faces = np.asarray(torus.vertices), np.asarray(torus.faces)
    share = {"n": 0.0, "a": 1.0, "s": 0.4}[spoil[0]]
    faces = np.where(rng.random(len(faces))[:, None] < share, faces[:, ::-1], faces)
    if "holes" in spoil:
        faces = faces[rng.random(len(faces)) > 0.03]
    if "soup" in spoil:
        vertices, faces = vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)
    turned = orient_outward(vertices, faces)
    np.testing.assert_array_equal(np.sort(turned, axis=1), np.sort(faces, axis=1))
    towards = np.sum(_normals(vertices, turned) * _torus_normal(vertices[turned].mean(axis=1)), axis=1)
    assert towards.min() > 0.9
    built = build_object(vertices, faces, n_samples=300, sdf_resolution=8)
    assert np.sum(built.samples.normals * _torus_normal(np.asarray(built.samples.points)), axis=1).min() > 0.9


@pytest.mark.parametrize("flips", [(False, False), (True, False), (True, True)])
def test_both_sheets_of_a_bowl_face_the_air(flips: tuple[bool, bool]) -> None:
    """Two half spheres that do not touch: the outside of the inner one is its concave side."""
    sphere = trimesh.creation.icosphere(subdivisions=4)
    half = sphere.faces[(sphere.vertices[sphere.faces][..., 2] <= 1e-9).all(axis=1)]
    vertices = np.concatenate([0.08 * sphere.vertices, 0.075 * sphere.vertices])
    sheets = [half[:, ::-1] if flip else half for flip in flips]
    turned = orient_outward(vertices, np.concatenate([sheets[0], sheets[1] + len(sphere.vertices)]))
    radial = np.sum(_normals(vertices, turned) * vertices[turned].mean(axis=1), axis=1)
    assert (radial[: len(half)] > 0).all()
    assert (radial[len(half) :] < 0).all()


def test_a_flat_sheet_keeps_its_winding() -> None:
    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]])
    for faces in (np.array([[0, 1, 2], [0, 2, 3]]), np.array([[2, 1, 0], [3, 2, 0]])):
        np.testing.assert_array_equal(orient_outward(vertices, faces), faces)


def test_samples_share_the_surface_by_area_and_evenly() -> None:
    box = trimesh.creation.box((0.2, 0.1, 0.002))
    built = build_object(box.vertices, box.faces, n_samples=1000, sdf_resolution=8)
    points, normals = np.asarray(built.samples.points), np.asarray(built.samples.normals)
    for axis, side in enumerate(("yz", "xz", "xy")):
        area = np.prod([{"x": 0.2, "y": 0.1, "z": 0.002}[c] for c in side]) / box.area
        for sign in (1, -1):
            found = np.mean(normals[:, axis] * sign > 0.5)
            assert abs(found - area) < 0.02, (side, sign, found, area)
    # Samples on one side of the thin wall are evenly spaced; for random points the deviation is half of the mean.
    upper = points[normals[:, 2] > 0.5]
    nearest = cKDTree(upper).query(upper, 2)[0][:, 1]
    assert nearest.min() > 0.5 * np.sqrt(0.02 / len(upper))
    assert nearest.std() < 0.2 * nearest.mean()


def test_samples_lie_on_the_surface_and_repeat() -> None:
    torus = _torus()
    first = build_object(torus.vertices, torus.faces, n_samples=300, sdf_resolution=8)
    again = build_object(torus.vertices, torus.faces, n_samples=300, sdf_resolution=8)
    other = build_object(torus.vertices, torus.faces, n_samples=300, sdf_resolution=8, seed=1)
    surface = np.asarray(torus.vertices), np.asarray(torus.faces, np.int64)
    assert igl.point_mesh_squared_distance(np.asarray(first.samples.points, float), *surface)[0].max() < 1e-12
    for one, other_one in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other_one)
    assert not np.allclose(first.samples.points, other.samples.points)


def test_clearances_are_the_first_hits_of_another_tracer() -> None:
    torus = _torus()
    built = build_object(torus.vertices, torus.faces, n_samples=600, sdf_resolution=8)
    points, normals = np.asarray(built.samples.points, float), np.asarray(built.samples.normals, float)
    assert 20 < np.isfinite(built.samples.clearance_out).sum() < 300  # those that face each other across the hole
    assert np.isfinite(built.samples.clearance_in).all()
    for sign, clearance in ((1, built.samples.clearance_out), (-1, built.samples.clearance_in)):
        expected = []
        for point, normal in zip(points, normals, strict=True):
            start = point + sign * 1e-4 * normal
            hits = igl.ray_mesh_intersect(start, sign * normal, np.asarray(torus.vertices), np.asarray(torus.faces))
            expected.append(min((hit[1] + 1e-4 for hit in hits), default=np.inf))
        np.testing.assert_allclose(clearance, expected, atol=2e-6)


@pytest.mark.parametrize("spoil", ["inverted", "a fifth missing", "both sides of every face", "3 m from its origin"])
def test_distances_of_odd_meshes(spoil: str) -> None:
    """Signed distances of points 8 mm inside and outside the torus."""
    torus = _torus()
    vertices, faces = np.asarray(torus.vertices), np.asarray(torus.faces)
    shift = np.zeros(3)
    match spoil:
        case "inverted":
            faces = faces[:, ::-1]
        case "a fifth missing":
            faces = faces[np.random.default_rng(0).random(len(faces)) > 0.2]
        case "both sides of every face":
            faces = np.concatenate([faces, faces[:, ::-1]])
        case _:
            shift = np.array([3.0, 0.0, 0.0])
    built = build_object(vertices + shift, faces, n_samples=300, sdf_resolution=48)
    normals = _torus_normal(vertices)
    ring = vertices - TUBE * normals
    outside = signed_distance(built.grid, 0, put(ring + (TUBE + 0.008) * normals + shift, np.float32))
    np.testing.assert_allclose(outside, 0.008, atol=0.002)
    if spoil != "both sides of every face":  # such a mesh has no inside
        inside = signed_distance(built.grid, 0, put(ring + (TUBE - 0.008) * normals + shift, np.float32))
        assert np.mean(np.asarray(inside) < 0) > 0.95


def test_no_samples_inside_where_shells_overlap() -> None:
    pin = trimesh.creation.cylinder(0.01, 0.2)
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
    both = trimesh.util.concatenate([pin, ball])
    built = build_object(both.vertices, both.faces, n_samples=400, sdf_resolution=8)
    assert (
        not ball.contains(np.asarray(built.samples.points) * 1.001).any()
        or np.linalg.norm(built.samples.points, axis=1).min() > 0.038
    )


def test_each_part_is_an_object_of_its_own() -> None:
    """A large and a small ball, one above the other, each in the frame of its own part."""
    large, small = (trimesh.creation.icosphere(subdivisions=3, radius=r) for r in (0.04, 0.02))
    small.apply_translation((0, 0, 0.1))
    vertices = np.concatenate([small.vertices, large.vertices])
    faces = np.concatenate([small.faces, large.faces + len(small.vertices)])
    part = np.repeat([1, 0], [len(small.vertices), len(large.vertices)])
    built = build_object(vertices, faces, part, n_samples=500, sdf_resolution=16)
    assert built.n_parts == 2
    counts = np.bincount(built.samples.part)
    assert counts.sum() == 500
    assert abs(counts[0] - 400) <= 2  # the ratio of areas is 4
    radius = np.linalg.norm(
        np.asarray(built.samples.points) - np.where(built.samples.part[:, None] == 1, [0, 0, 0.1], 0), axis=1
    )
    np.testing.assert_allclose(radius, np.where(built.samples.part == 1, 0.02, 0.04), rtol=0.02)
    assert np.isinf(built.samples.clearance_out).all()  # the other part occludes nothing
    centres = built.grid.origin + built.grid.spacing * 7.5
    np.testing.assert_allclose(centres, [[0, 0, 0], [0, 0, 0.1]], atol=1e-6)
    side = 2 * np.array([[0.04], [0.02]]) + 0.06
    np.testing.assert_allclose(built.grid.spacing, np.broadcast_to(side / 15, (2, 3)), rtol=1e-3)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (np.zeros(7, int), "whole numbers of shape (8,)"),
        (np.zeros(8), "whole numbers of shape (8,)"),
        (np.array([0, 0, 0, 0, 2, 2, 2, 2]), "parts 0, 1, ... without a gap, found [0, 2]"),
        (np.array([0, 1, 0, 0, 0, 0, 0, 0]), "faces for each part 0..1, found faces of parts [0]"),
    ],
)
def test_refuses_parts_that_do_not_fit(part: np.ndarray, message: str) -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    with pytest.raises(InputError, match="object_vertex_part") as error:
        build_object(box.vertices, box.faces, part, where="mug.obj")
    assert message in str(error.value)
