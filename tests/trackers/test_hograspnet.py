"""The reader of HOGraspNet against a folder of its public layout."""

import json

import numpy as np
import pytest
from support.annotated_sets import CAMERA, wrists, write_hograspnet
from support.tracker_clip import clip, write_hand

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import load_any

KEPT = np.arange(28) != 5


@pytest.fixture
def true():
    return clip("right")


@pytest.mark.parametrize("camera", ["mas", "sub2"])
def test_hand_object_and_camera(camera, true, tmp_path):
    """Centimetres; the joints are in the world, which is the frame of `mas`, whichever camera's files are read."""
    trial = write_hograspnet(tmp_path, true, "01_cracker_box.obj", camera=camera)
    tracked = read_tracked(trial if camera == "mas" else trial / "annotation" / camera)
    assert (tracked.format, tracked.sides, tracked.fps, tracked.is_world) == ("hograspnet", ("right",), None, True)
    np.testing.assert_array_equal(tracked.numbers, np.arange(3, 31))
    np.testing.assert_allclose(tracked.joints[0][KEPT], true.joints[KEPT], atol=1e-6)
    assert np.isnan(tracked.joints[0, 5]).all()
    assert not tracked.mano.is_relative
    np.testing.assert_allclose(tracked.mano.global_orient[0][KEPT], true.orient[KEPT])
    np.testing.assert_allclose(tracked.mano.pose[0][KEPT], true.pose[KEPT])
    # not mano_xyz_root, which is the first frame's here
    np.testing.assert_allclose(tracked.mano.transl[0][KEPT], wrists(true)[KEPT], atol=1e-6)
    np.testing.assert_allclose(tracked.object_poses[KEPT], true.object_poses[KEPT], atol=1e-9)
    expected = np.eye(4) if camera == "mas" else CAMERA
    np.testing.assert_allclose(tracked.camera.from_world[7], expected, atol=1e-9)
    assert tracked.camera.intrinsics[1].tolist() == [0, 906, 540]


@pytest.mark.parametrize(
    ("name", "scale"),
    [("01_cracker_box", 1), ("05_wine_glass", 0.8296698468), ("11_small_marker", 0.1035083229), ("16_golf_ball", 0.43)],
)
def test_the_mesh_has_centimetres_and_a_factor(name, scale, true, tmp_path, monkeypatch):
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path / "mano")))
    trial = write_hograspnet(tmp_path, true, f"{name}.obj", mesh_scale=scale)
    sequence = load_any(trial, reading=Reading(fps=10.0)).sequence
    np.testing.assert_allclose(sequence.object_vertices, true.mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(hand_joints(sequence, 0)[KEPT, :20], true.joints[KEPT, :20], atol=1e-5)


def test_a_hand_of_another_size_than_mano(true, tmp_path):
    """MANO's in millimetres divided by mano_scale, about the wrist: its parameters are of another size."""
    tracked = read_tracked(write_hograspnet(tmp_path, true, "01_cracker_box.obj", size=1.1))
    assert tracked.mano is None
    about = true.joints - wrists(true)[:, None]
    np.testing.assert_allclose((tracked.joints[0] - wrists(true)[:, None])[KEPT], 1.1 * about[KEPT], atol=1e-6)
    assert "joints, as the hand is MANO's x 1.1" in tracked.said


def test_bad_input(true, tmp_path):
    folder = write_hograspnet(tmp_path, true, "01_cracker_box.obj") / "annotation" / "mas"
    content = json.loads((folder / "mas_9.json").read_text(encoding="utf-8-sig"))

    def refused(match: str, **changes) -> None:
        (folder / "mas_9.json").write_text(json.dumps({**content, **changes}))
        with pytest.raises(InputError, match=match):
            read_tracked(folder)

    refused(r"mas_9.json: Mesh: expected a list of one record, found list", Mesh=[])
    refused(r"mas_9.json: mano_trans: expected numbers", Mesh=[{**content["Mesh"][0], "mano_trans": "none"}])
    refused(r"mas_9.json: side: expected right, as in mas_10.json", Mesh=[{**content["Mesh"][0], "mano_side": "left"}])
    refused(r"mas_9.json: mano_scale: expected above 0, found 0", hand={**content["hand"], "mano_scale": 0})
    (folder / "mas_9.json").write_text("[]")
    with pytest.raises(InputError, match=r"mas_9.json: file: expected the keys Mesh, annotations"):
        read_tracked(folder)
