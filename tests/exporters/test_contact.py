"""Contact, against distances by trimesh."""

import numpy as np
import pytest
import trimesh
from support.tracker_clip import clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence

FRAME = 20


def outside(mesh: trimesh.Trimesh, pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of points in the world from the object, negative inside: from each of its triangles in turn."""
    local = trimesh.transform_points(points, np.linalg.inv(pose))
    corners = np.repeat(mesh.triangles[:, None], len(local), axis=1).reshape(-1, 3, 3)
    foot = trimesh.triangles.closest_point(corners, np.tile(local, (len(mesh.faces), 1)))
    distance = np.linalg.norm(foot.reshape(len(mesh.faces), -1, 3) - local, axis=-1).min(axis=0)
    return np.where(mesh.contains(local), -distance, distance)


def test_distances_and_contact(make, tmp_path):
    true = clip()
    export_sequence(tmp_path / "contact.npz", make("right"), "contact")
    with np.load(tmp_path / "contact.npz") as file:
        found = {key: file[key] for key in file.files}
    pose = true.object_poses[FRAME]
    distance = found["right_vertex_distance"]
    assert distance.shape == true.vertices.shape[:2]
    np.testing.assert_allclose(distance[FRAME], outside(true.mesh, pose, true.vertices[FRAME]), atol=2e-5)
    np.testing.assert_allclose(
        found["right_joint_distance"][FRAME], outside(true.mesh, pose, true.joints[FRAME]), atol=2e-5
    )
    np.testing.assert_array_equal(found["right_vertex_contact"], distance <= 0.005)
    bones = hand_arrays("right")["weights"].argmax(axis=1)
    touching = set(bones[distance[FRAME] <= 0.005].tolist())
    assert 0 < len(touching) < 16
    assert set(np.flatnonzero(found["right_bone_contact"][FRAME]).tolist()) == touching


def test_hinged_object(make, tmp_path):
    """The nearest part counts, in its own frame of reference."""
    true = clip()
    faces = np.concatenate([true.mesh.faces, true.mesh.faces + len(true.mesh.vertices)])
    away = true.object_poses.copy()
    away[:, :3, 3] += [0, 0, 0.5]
    both = np.stack([away, true.object_poses])
    sequence = make(
        "right",
        object_vertices=np.tile(true.mesh.vertices, (2, 1)),
        object_faces=faces,
        object_vertex_part=np.repeat([0, 1], len(true.mesh.vertices)),
        object_rotation=both[..., :3, :3],
        object_translation=both[..., :3, 3],
    )
    export_sequence(tmp_path / "contact.npz", sequence, "contact")
    with np.load(tmp_path / "contact.npz") as file:
        found = file["right_vertex_distance"][FRAME]
    np.testing.assert_allclose(found, outside(true.mesh, true.object_poses[FRAME], true.vertices[FRAME]), atol=2e-5)


def test_joints_alone_are_refused(make, tmp_path):
    with pytest.raises(InputError, match=r"hand: expected a skin .* found joints alone"):
        export_sequence(tmp_path / "contact.npz", make("right", form="joints"), "contact")
