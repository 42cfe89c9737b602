"""Images of contact over UV: the value at each vertex's place in the image is its share of the frames."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.contact_image import drawn, object_contact, read_uv_mesh, unwrapped_hand
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.hand.files import load_hand
from toch_jax.sequence.derived import hand_meshes


def box_with_uv(path, sequence, offset=0.0):
    """The object's own vertices and faces with some texture coordinates: a view from above."""
    mesh = trimesh.Trimesh(
        np.asarray(sequence.object_vertices) + offset, np.asarray(sequence.object_faces), process=False
    )
    flat = mesh.vertices[:, :2]
    uv = (flat - flat.min(axis=0)) / np.ptp(flat, axis=0).max()
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv)
    mesh.export(path)
    return path


def at(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Values of the pixels nearest to texture coordinates from the lower left."""
    size = len(image)
    column, row = (uv * size - 0.5).round().astype(int).clip(0, size - 1).T
    return image[size - 1 - row, column]


@pytest.mark.parametrize("sides", [("right",), ("left", "right")])
def test_shares_of_the_frames(sides, make, tmp_path):
    sequence = make(*sides)
    thing = box_with_uv(tmp_path / "thing.obj", sequence)
    export_sequence(tmp_path / "out", sequence, "contact-image", Writing(object_uv=thing))
    export_sequence(tmp_path / "contact.npz", sequence, "contact")
    for side in sides:
        with np.load(tmp_path / "contact.npz") as file:
            share = file[f"{side}_vertex_contact"].mean(axis=0)
        with np.load(tmp_path / "out" / f"{side}.npz") as file:
            np.testing.assert_allclose(file["contact"], share, atol=1e-6)
        # the object is where the first hand holds it
        assert (share.max() > 0.3) == (side == sides[0])
        image = np.asarray(Image.open(tmp_path / "out" / f"{side}.png"))
        mesh = trimesh.load_mesh(tmp_path / "out" / f"{side}.obj", process=False)
        np.testing.assert_array_equal(np.asarray(mesh.visual.material.image), image)
        image = image[..., [0, 3]]
        # a vertex of the file stands for one of the hand; which one is seen by its place
        near = np.linalg.norm(mesh.vertices[:, None] - np.asarray(load_hand("mano", side).v_template), axis=2).argmin(
            axis=1
        )
        found = at(image, np.asarray(mesh.visual.uv))
        assert (found[:, 1] == 255).all()
        off = np.abs(found[:, 0] / 255 - share[near])
        assert np.median(off) < 0.01
        assert np.quantile(off, 0.95) < 0.2
    with np.load(tmp_path / "out" / "object.npz") as file:
        touched = file["contact"]
    assert 0.2 < touched.max() <= 1
    assert (touched == 0).any()


def test_the_objects_contact_by_a_ball_of_skin(make):
    """A point of the object is in contact where it is within 5 mm of the skin; the skin's own points say the same."""
    sequence = make("right")
    meshes = hand_meshes(sequence)
    frame = 20
    skin = np.asarray(meshes.vertices, np.float64)[0, frame]
    pose = clip().object_poses[frame]
    normal = trimesh.Trimesh(skin, np.asarray(meshes.faces[0]), process=False).vertex_normals
    for away, touches in ((0.004, True), (0.006, False)):
        points = (skin[::50] + away * normal[::50] - pose[:3, 3]) @ pose[:3, :3]
        near = object_contact(sequence, points, np.asarray(meshes.vertices, np.float64), np.asarray(meshes.faces))[
            frame
        ]
        assert (near.mean() > 0.9) if touches else (near.mean() < 0.5)


def test_charts_do_not_overlap_much():
    """Each corner has a place within the image; faces lie above others in few pixels alone."""
    surface = unwrapped_hand(load_hand("open"))
    assert surface.uv.min() >= 0
    assert surface.uv.max() <= 1
    corners = surface.uv[surface.uv_faces]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    covered = (drawn(surface, np.zeros(len(surface.vertices)))[..., 1] > 0).mean()
    assert 0.1 < area < 1.1 * covered


def test_linear_in_a_face():
    surface = unwrapped_hand(load_hand("open"))
    flat = surface._replace(
        vertices=np.zeros((3, 3)),
        faces=np.array([[0, 1, 2]]),
        uv=np.array([[0.0, 0], [1, 0], [0, 1]]),
        uv_faces=np.array([[0, 1, 2]]),
    )
    image = drawn(flat, np.array([0.0, 1.0, 0.5]))
    size = len(image)
    expected = 255 * (0.5 * (size / 4 / size) + 0.25)
    assert abs(float(image[size - 1 - size // 4, size // 4, 0]) - expected) <= 1
    assert image[5, size - 5].tolist() == [0, 0]


def test_what_is_wrong_is_said(make, tmp_path):
    sequence = make("right")
    with pytest.raises(InputError, match="--object-uv: expected a mesh with texture coordinates, found none"):
        read_uv_mesh(write_plain_mesh(tmp_path / "plain.obj"), sequence)
    far = box_with_uv(tmp_path / "far.obj", sequence, offset=0.05)
    with pytest.raises(InputError, match="expected the clip's object, in its frame"):
        read_uv_mesh(far, sequence)
    (tmp_path / "no.obj").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="--object-uv"):
        read_uv_mesh(tmp_path / "no.obj", sequence)
    with pytest.raises(InputError, match=r"expected a mesh .*found points or joints alone"):
        export_sequence(tmp_path / "out", make("right", form="joints"), "contact-image")


def write_plain_mesh(path):
    clip().mesh.export(path)
    return path
