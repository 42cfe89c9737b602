"""A tracker's file is read, written and read again, and is the same; its layout is that of the tracker's writer."""

import numpy as np
import pytest
from support import tracker_files as written
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

BOTH = ("left", "right")
WITHIN = 1e-5


def same(found, expected) -> None:
    """The hands of two files are the same."""
    assert found.sides == expected.sides
    for name in ("global_orient", "pose", "transl"):
        np.testing.assert_allclose(getattr(found.mano, name), getattr(expected.mano, name), atol=WITHIN)


@pytest.mark.parametrize("like", [False, True])
def test_dyn_hamr(like, make, tmp_path):
    first = tmp_path / "x_world_results.npz"
    written.write_dyn_hamr(first, [clip(side) for side in BOTH], vid_names=np.array(["a"]))
    writing = Writing(like=first) if like else Writing(camera=str(written.write_camera(tmp_path)))
    export_sequence(tmp_path / "clean.npz", make(*BOTH), "dyn-hamr", writing)
    same(read_tracked(tmp_path / "clean.npz"), read_tracked(first))
    with np.load(first) as file, np.load(tmp_path / "clean.npz") as clean:
        keys = set(file.files) - set(() if like else ("vid_names",))
        assert set(clean.files) == keys
        for key in ("trans", "root_orient", "pose_body", "is_right"):
            np.testing.assert_allclose(clean[key], file[key], atol=WITHIN)
        if like:
            for key in ("cam_R", "cam_t", "intrins", "world_scale", "vid_names"):
                np.testing.assert_array_equal(clean[key], file[key])


def test_dyn_hamr_aligned_by_video_to_data(make, tmp_path):
    """The hands and the object that are read first are those of the clip."""
    first = tmp_path / "aligned.npz"
    shifted = np.stack([clip("left").transl * [-1, 1, 1] + 0.5])
    written.write_dyn_hamr(first, [clip("left")], trans_aligned=shifted, object_pose_world=clip().object_poses + 0.1)
    export_sequence(tmp_path / "clean.npz", make("left"), "dyn-hamr", Writing(like=first))
    tracked = read_tracked(tmp_path / "clean.npz")
    np.testing.assert_allclose(tracked.mano.transl[0], clip("left").transl, atol=WITHIN)
    np.testing.assert_allclose(tracked.object_poses, clip("left").object_poses, atol=WITHIN)


@pytest.mark.parametrize("like", [False, True])
def test_vitra(like, make, tmp_path):
    """The right hand of the right-hand model, mirrored fingers for the left, the wrist's place; frame 2 is lost."""
    true, count = [clip(side) for side in BOTH], clip().n_frames
    from_world = np.tile(np.eye(4), (count, 1, 1))
    if like:
        from_world[:, :3, 3] = np.linspace([0, 0, 0], [0.1, 0.2, 0.3], count)
        from_world[:, :2, :2] = [[0, -1], [1, 0]]
    first = written.write_vitra(tmp_path / "first.npy", true, from_world, lost=2)
    valid = np.ones((2, count), bool)
    valid[:, 2] = False
    writing = Writing(like=first) if like else Writing(camera=str(written.write_camera(tmp_path)))
    export_sequence(tmp_path / "clean.npy", make(*BOTH, hand_valid=valid), "vitra", writing)
    found, expected = read_tracked(tmp_path / "clean.npy"), read_tracked(first)
    same(found, expected)
    np.testing.assert_allclose(found.joints, expected.joints, atol=WITHIN)
    np.testing.assert_allclose(found.camera.from_world, from_world)
    np.testing.assert_allclose(found.camera.intrinsics, written.INTRINSICS)
    episode = np.load(tmp_path / "clean.npy", allow_pickle=True).item()
    assert episode.get("video_name") == ("kitchen" if like else None)
    for hand in (episode["left"], episode["right"]):
        homogeneous = np.concatenate([hand["joints_worldspace"], np.ones((count, 21, 1))], axis=-1)
        in_camera = np.einsum("tab,tjb->tja", from_world, homogeneous)[..., :3]
        seen = np.arange(count) != 2
        np.testing.assert_allclose(hand["joints_camspace"][seen], in_camera[seen], atol=WITHIN)
        np.testing.assert_allclose(hand["transl_camspace"][seen], in_camera[seen, 0], atol=WITHIN)
        turned = from_world[:, :3, :3] @ hand["global_orient_worldspace"]
        np.testing.assert_allclose(hand["global_orient_camspace"][seen], turned[seen], atol=WITHIN)


@pytest.mark.parametrize("sides", [("right",), ("left",), BOTH])
@pytest.mark.parametrize("camera", ["json", "text", "focal"])
def test_hamer(sides, camera, make, tmp_path):
    cameras = {"json": written.write_camera_json(tmp_path), "text": written.write_camera(tmp_path), "focal": "950"}
    given = str(cameras[camera])
    export_sequence(tmp_path / "hands.npz", make(*sides), "hamer", Writing(camera=given))
    tracked = read_tracked(tmp_path / "hands.npz", Reading(camera=given))
    assert (tracked.format, tracked.sides) == ("hamer", tuple(sorted(sides)))
    for hand, side in enumerate(tracked.sides):
        np.testing.assert_allclose(tracked.joints[hand], clip(side).joints, atol=WITHIN)
        np.testing.assert_allclose(tracked.mano.pose[hand], clip(side).pose, atol=WITHIN)
        np.testing.assert_allclose(tracked.mano.transl[hand], clip(side).transl, atol=WITHIN)
    if camera == "json" and len(sides) == 1:
        frames = written.hamer_frames(clip(sides[0]))
        with np.load(tmp_path / "hands.npz") as file:
            for t, (detection,) in enumerate(frames):
                for key in ("pred_keypoints_3d", "pred_cam_t_full"):
                    # a virtual depth is 26 times the real one, in float32
                    np.testing.assert_allclose(file[key][t], detection[key][0], atol=5e-5)
                turned = detection["pred_mano_params"]["hand_pose"][0]
                np.testing.assert_allclose(file["hand_pose"][t], turned, atol=WITHIN)
            assert (file["scaled_focal_length"] == written.VIRTUAL_FOCAL).all()


def test_hamer_of_joints_alone(make, tmp_path):
    """About the wrist; a lost frame has no row."""
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 5] = False
    sequence = make("left", form="joints", hand_valid=valid)
    export_sequence(tmp_path / "hands.npz", sequence, "hamer", Writing(camera="950"))
    tracked = read_tracked(tmp_path / "hands.npz", Reading(camera="950"))
    kept = np.arange(clip().n_frames) != 5
    np.testing.assert_allclose(tracked.joints[0][kept], clip("left").joints[kept], atol=WITHIN)
    assert np.isnan(tracked.joints[0, 5]).all()
    assert tracked.mano is None


def test_what_is_missing_is_said(make, tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, hand=np.zeros((5, 21, 3)))
    short = written.write_dyn_hamr(tmp_path / "right.npz", [clip("right")])
    cases = [
        ("hamer", Writing(), r"camera: expected the real camera .*, found none"),
        ("vitra", Writing(), r"camera: expected --like EPISODE, or the camera .*, found none"),
        ("vitra", Writing(camera="950"), "--camera: expected a file with focal length and principal point"),
        ("vitra", Writing(like=other), "--like: expected a file of the format vitra, found another"),
        ("dyn-hamr", Writing(like=other), "--like: expected a file of the format dyn-hamr, found another"),
        ("dyn-hamr", Writing(like=short), r"--like: expected the clip's hands \(left\) and 28 frames, found right"),
    ]
    for to, writing, message in cases:
        ending = ".npy" if to == "vitra" else ".npz"
        with pytest.raises(InputError, match=message):
            export_sequence(tmp_path / f"clean{ending}", make("left"), to, writing)
    with pytest.raises(InputError, match="hands: expected one of each side at most, found left, left"):
        export_sequence(tmp_path / "clean.npy", make("left", "left"), "vitra", Writing(camera="950"))
    assert not list(tmp_path.glob("clean*"))
