"""The object's poses, read again by the reader of object poses."""

import numpy as np
import pytest
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.trackers.object_poses import read_object_poses
from toch_jax.trackers.reading import Reading


@pytest.mark.parametrize(
    ("to", "name"), [("object-poses", "a.npy"), ("object-poses", "a.npz"), ("foundationpose", "ob_in_cam")]
)
def test_there_and_back(to, name, make, tmp_path):
    export_sequence(tmp_path / name, make("right", form="joints"), to)
    found = read_object_poses(tmp_path / name, Reading())
    np.testing.assert_allclose(found.matrices, clip().object_poses, atol=1e-6)


def test_text_files(make, tmp_path):
    export_sequence(tmp_path / "ob_in_cam", make("right", form="joints"), "foundationpose")
    assert len(list((tmp_path / "ob_in_cam").iterdir())) == clip().n_frames
    matrix = np.loadtxt(tmp_path / "ob_in_cam" / "000007.txt")
    np.testing.assert_allclose(matrix, clip().object_poses[7], atol=1e-6)


def test_several_parts(make, tmp_path):
    true = clip()
    beside = true.object_poses.copy()
    beside[:, :3, 3] += [0.1, 0.0, 0.2]
    both = np.stack([true.object_poses, beside])
    sequence = make(
        "right",
        form="joints",
        object_vertices=np.tile(true.mesh.vertices, (2, 1)),
        object_faces=np.concatenate([true.mesh.faces, true.mesh.faces + len(true.mesh.vertices)]),
        object_vertex_part=np.repeat([0, 1], len(true.mesh.vertices)),
        object_rotation=both[..., :3, :3],
        object_translation=both[..., :3, 3],
    )
    export_sequence(tmp_path / "a.npy", sequence, "object-poses")
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), both, atol=1e-6)
    export_sequence(tmp_path / "a.npz", sequence, "object-poses")
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_allclose(file["object1"], both[1], atol=1e-6)
    for to in ("foundationpose", "spider"):
        with pytest.raises(InputError, match="object: expected a rigid one, found 2 parts"):
            export_sequence(tmp_path / "folder", sequence, to)
    assert not (tmp_path / "folder").exists()
