"""HO-3D and H2O-3D: OpenGL's axes, missing annotation, pickles of Python 2."""

import pickle

import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_hand import near, posed_as
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.cli.convert import is_folder_of_clips
from toch_jax.trackers.formats import read_tracked

pytestmark = pytest.mark.usefixtures("open_mano")


@pytest.mark.parametrize("protocol", [0, 2])
def test_ho3d(protocol, tmp_path):
    """OpenGL's axes; a frame without annotation; pickles of Python 2."""
    true = clip("right")
    written.write_ycb(tmp_path, true)
    folder = written.write_ho3d(tmp_path, {"hand": true}, lost=5, protocol=protocol)
    tracked = read_tracked(folder)
    assert (tracked.format, tracked.sides, tracked.object_name) == ("ho3d", ("right",), written.YCB)
    kept = np.arange(true.n_frames) != 5
    near(tracked.joints[0][kept], true.joints[kept])
    assert np.isnan(tracked.joints[0, 5]).all()
    near(tracked.object_poses[kept], true.object_poses[kept])
    assert np.isnan(tracked.object_poses[5]).all()
    assert tracked.camera.intrinsics[0].tolist() == [614, 0, 320]
    # x right, y down, z forward: the hand is before the camera, at the pixels of its joints
    pixels = true.joints[0] @ tracked.camera.intrinsics.T
    assert (pixels[:, 2] > 0).all()
    posed_as(folder, true)


def test_h2o3d(tmp_path):
    """Two hands of one shape."""
    true = {"rightHand": clip("right"), "leftHand": clip("left")}
    folder = written.write_ho3d(tmp_path, true, lost=5)
    tracked = read_tracked(folder)
    assert tracked.sides == ("right", "left")
    kept = np.arange(28) != 5
    for hand, each in enumerate(true.values()):
        near(tracked.joints[hand][kept], each.joints[kept])
    assert tracked.object_mesh is None


def test_ho3d_of_evaluation(tmp_path):
    """It has the root of the hand only."""
    folder = written.write_ho3d(tmp_path, {"hand": clip("right")}, lost=0)
    for file in (folder / "meta").iterdir():
        record = pickle.loads(file.read_bytes())
        record = {key: value for key, value in record.items() if key not in ("handPose", "handTrans")}
        file.write_bytes(pickle.dumps(record | {"handJoints3D": np.zeros(3)}))
    with pytest.raises(InputError, match=r"handPose: expected a frame with a hand \(evaluation sequences have none\)"):
        read_tracked(folder)


def test_ho3d_of_two_objects(tmp_path):
    folder = written.write_ho3d(tmp_path, {"hand": clip("right")}, lost=0)
    file = folder / "meta" / "0003.pkl"
    file.write_bytes(pickle.dumps(pickle.loads(file.read_bytes()) | {"objName": "021_bleach_cleanser"}))
    with pytest.raises(InputError, match="objName: expected one object, found 021_bleach_cleanser, 025_mug"):
        read_tracked(folder)


def test_a_folder_of_a_data_set_is_not_one_of_clips(tmp_path):
    folder = written.write_ho3d(tmp_path, {"hand": clip("right")}, lost=0)
    np.savez(folder / "extra.npz", seg=np.zeros(3))
    assert not is_folder_of_clips(folder)
    np.savez(tmp_path / "a.npz", joints=clip("right").joints)
    assert is_folder_of_clips(tmp_path)
