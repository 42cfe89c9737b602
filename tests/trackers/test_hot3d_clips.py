"""HOT3D-Clips: a tar file, and the folder that it was unpacked to."""

import io
import json
import tarfile

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading


def pose_record(pose):
    turn = np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1)
    return {"quaternion_wxyz": turn.tolist(), "translation_xyz": pose[:3, 3].tolist()}


def members(clips, lost=-1):
    files = {"__hand_shapes.json__": {"mano": clips[0].betas.tolist(), "umetrack": {}}}
    for t in range(clips[0].n_frames):
        hands = {
            each.side: {
                "mano_pose": {
                    "thetas": each.pose[t, :15].tolist(),
                    "wrist_xform": [*each.orient[t].tolist(), *each.transl[t].tolist()],
                },
                "umetrack_pose": {"joint_angles": [0.0] * 20},
            }
            for each in clips
        }
        if t == lost:
            # the registration of MANO failed for one hand, the other is not seen
            hands = {clips[0].side: {"umetrack_pose": {}}, clips[1].side: None}
        other = clips[0].object_poses[t].copy()
        other[:3, 3] += 1
        objects = {
            str(bop): [{"object_bop_id": bop, "T_world_from_object": pose_record(pose)}]
            for bop, pose in ((5, clips[0].object_poses[t]), (12, other))
        }
        files |= {f"{t:06d}.hands.json": hands, f"{t:06d}.objects.json": objects, f"{t:06d}.info.json": {}}
    return files


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in {"000000.image_214-1.jpg": b"\xff\xd8", **files}.items():
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


def write_folder(path, files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("write", [write_tar, write_folder])
def test_hands_and_object(write, tmp_path):
    clips = [clip("left"), clip("right")]
    tracked = read_tracked(write(tmp_path / "clip-000012", members(clips, lost=4)), Reading(object_key="5"))
    assert (tracked.format, tracked.sides, tracked.fps) == ("hot3d-clips", ("left", "right"), 30)
    assert (tracked.mano.is_pca, tracked.mano.is_relative, tracked.mano.has_left_fault) == (True, True, False)
    kept = np.delete(np.arange(clips[0].n_frames), 4)
    for hand, true in enumerate(clips):
        np.testing.assert_allclose(tracked.mano.pose[hand, kept], true.pose[kept, :15])
        np.testing.assert_allclose(tracked.mano.transl[hand, kept], true.transl[kept])
        np.testing.assert_allclose(tracked.mano.global_orient[hand, kept], true.orient[kept])
        assert np.isnan(tracked.mano.pose[hand, 4]).all()
    np.testing.assert_allclose(tracked.object_poses, clips[0].object_poses, atol=1e-7)
    assert tracked.object_name == "5"


def test_faults(tmp_path):
    files = members([clip("left"), clip("right")])
    with pytest.raises(InputError, match="--object-key: expected one of the objects 5, 12, found none"):
        read_tracked(write_tar(tmp_path / "a.tar", files))
    shapes = {name: each for name, each in files.items() if "shapes" not in name}
    with pytest.raises(InputError, match="mano: expected a record with this key, found NoneType"):
        read_tracked(write_tar(tmp_path / "b.tar", shapes), Reading(object_key="5"))
    files["000003.objects.json"]["5"][0]["T_world_from_object"]["quaternion_wxyz"] = [1, 1, 1, 1]
    with pytest.raises(InputError, match="quaternion_wxyz: expected a quaternion of length 1, found 2"):
        read_tracked(write_tar(tmp_path / "c.tar", files), Reading(object_key="5"))
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "d.tar").write_bytes(whole[:-30_000])
    with pytest.raises(InputError, match=r"d\.tar: "):
        read_tracked(tmp_path / "d.tar", Reading(object_key="5"))
    with pytest.raises(InputError, match="a tar file with JSON in it"):
        read_tracked(write_tar(tmp_path / "e.tar", {}))
