"""Meshes of each frame, loaded again by trimesh."""

import numpy as np
import pytest
import trimesh
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing


@pytest.mark.parametrize("to", ["obj", "ply"])
def test_hands_and_object(to, make, tmp_path):
    true, n_frames = clip("left"), clip("left").n_frames
    export_sequence(tmp_path / "meshes", make("left"), to, Writing(unit="mm"))
    files = sorted(path.name for path in (tmp_path / "meshes").iterdir())
    assert len(files) == 2 * n_frames
    assert files[-1] == f"object_{n_frames - 1:06d}.{to}"
    for frame in (0, n_frames - 1):
        hand = trimesh.load(tmp_path / "meshes" / f"left_{frame:06d}.{to}", process=False)
        np.testing.assert_allclose(hand.vertices / 1000, true.vertices[frame], atol=1e-5)
        assert hand.is_watertight
        assert hand.volume > 0
        thing = trimesh.load(tmp_path / "meshes" / f"object_{frame:06d}.{to}", process=False)
        used = true.mesh.vertices[np.unique(true.mesh.faces)]
        expected = trimesh.transform_points(used, true.object_poses[frame])
        np.testing.assert_allclose(thing.vertices / 1000, expected, atol=1e-5)


def test_points_are_clouds(make, tmp_path):
    sequence = make("right", form="points")
    with pytest.raises(InputError, match=r"hand: expected a mesh .* found points that are no mesh \(--to ply\)"):
        export_sequence(tmp_path / "meshes", sequence, "obj")
    export_sequence(tmp_path / "meshes", sequence, "ply")
    cloud = trimesh.load(tmp_path / "meshes" / "right_000003.ply")
    np.testing.assert_allclose(cloud.vertices, clip().vertices[3, ::5], atol=1e-6)


def test_a_full_folder_stays_as_it_is(make, tmp_path):
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="-o: expected a new folder, or an empty one, found a full one"):
        export_sequence(tmp_path / "meshes", make("right"), "ply")
    assert [path.name for path in (tmp_path / "meshes").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    export_sequence(tmp_path / "empty", make("right"), "ply")
    assert len(list((tmp_path / "empty").iterdir())) == 2 * clip().n_frames
