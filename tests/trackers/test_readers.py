"""Each reader against a file that was written after the tracker's public layout."""

import json

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support import tracker_files as written
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

SIDES = ("right", "left")
NEAR = 2e-6


def near(found: np.ndarray, expected: np.ndarray, within: float = NEAR) -> None:
    np.testing.assert_allclose(found, expected, atol=within)


def same_turns(found: np.ndarray, expected: np.ndarray) -> None:
    """Rotation vectors of the same rotations."""
    turns = [Rotation.from_rotvec(each.reshape(-1, 3)).as_matrix() for each in (found, expected)]
    near(turns[0], turns[1], 1e-5)


@pytest.fixture
def camera(tmp_path):
    return str(written.write_camera(tmp_path))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("form", ["list of lists", "by image", "one dict"])
def test_hamer(side, form, tmp_path, camera):
    """Left hands are mirrored, and the depth is that of the real camera."""
    true = clip(side)
    frames = written.hamer_frames(true)
    if form == "by image":
        content = {f"video/{3 * t:06d}.jpg": detections for t, detections in enumerate(frames)}
    elif form == "one dict":
        rows = [detections[0] for detections in frames]
        content = {key: np.concatenate([row[key] for row in rows]) for key in rows[0] if key != "pred_mano_params"}
        params = [row["pred_mano_params"] for row in rows]
        content["pred_mano_params"] = {key: np.concatenate([each[key] for each in params]) for key in params[0]}
    else:
        content = frames
    tracked = read_tracked(written.dump(tmp_path / "hands.pkl", content), Reading(camera=camera))
    assert (tracked.format, tracked.sides) == ("hamer", (side,))
    near(tracked.joints[0], true.joints)
    near(tracked.mano.transl[0], true.transl)
    near(tracked.mano.pose[0], true.pose, 1e-5)
    same_turns(tracked.mano.global_orient[0], true.orient)
    assert (tracked.numbers[1] - tracked.numbers[0]) == (3 if form == "by image" else 1)


def test_hamer_npz_without_params(tmp_path, camera):
    true = clip("left")
    rows = [detections[0] for detections in written.hamer_frames(true)]
    keys = ("pred_keypoints_3d", "pred_cam_t_full", "is_right", "img_size")
    path = tmp_path / "hands.npz"
    np.savez(path, **{key: np.concatenate([row[key] for row in rows]) for key in keys})
    tracked = read_tracked(path, Reading(camera=camera))
    near(tracked.joints[0], true.joints)
    assert tracked.mano is None


def test_hamer_needs_the_real_camera(tmp_path):
    """Without it the hand would be tens of metres away."""
    path = written.dump(tmp_path / "hands.pkl", written.hamer_frames(clip()))
    with pytest.raises(InputError, match=r"camera: expected the real camera \(--camera.*25000 pixels, found none"):
        read_tracked(path)


def test_hamer_lost_frames_and_a_second_hand_of_one_side(tmp_path, camera):
    true = clip()
    frames = written.hamer_frames(true, lost=(4, 5))
    other = {**frames[3][0], "pred_cam_t_full": frames[3][0]["pred_cam_t_full"] + 5}
    frames[3] = [other, *frames[3]]
    tracked = read_tracked(written.dump(tmp_path / "hands.pkl", frames), Reading(camera=camera))
    lost = np.isnan(tracked.joints[0]).all(axis=(1, 2))
    assert np.flatnonzero(lost).tolist() == [4, 5]
    near(tracked.joints[0][~lost], true.joints[~lost])
    assert any(phrase.startswith("1 detections of a second hand") for phrase in tracked.said)


def test_two_hands_of_single_detections_need_frame_numbers(tmp_path, camera):
    left, right = (written.hamer_frames(clip(side)) for side in ("left", "right"))
    flat = [detection for pair in zip(left, right, strict=True) for each in pair for detection in each]
    path = written.dump(tmp_path / "hands.pkl", flat)
    with pytest.raises(InputError, match="frame: expected one of frame_idx"):
        read_tracked(path, Reading(camera=camera))
    for number, detection in enumerate(flat):
        detection["frame_idx"] = number // 2
    tracked = read_tracked(written.dump(path, flat), Reading(camera=camera))
    assert tracked.sides == ("left", "right")
    for hand, side in enumerate(tracked.sides):
        near(tracked.joints[hand], clip(side).joints)


@pytest.mark.parametrize("side", SIDES)
def test_wilor_mini(side, tmp_path, camera):
    """Its left hands are left hands already. Without the image's size its middle is the camera's, which is said."""
    true = clip(side)
    path = written.dump(tmp_path / "hands.pkl", written.wilor_mini_frames(true))
    assert any("its middle" in phrase for phrase in read_tracked(path, Reading(camera=camera)).said)
    tracked = read_tracked(path, Reading(camera=str(written.write_camera_json(tmp_path))))
    assert (tracked.format, tracked.sides) == ("wilor-mini", (side,))
    near(tracked.joints[0], true.joints)
    near(tracked.mano.pose[0], true.pose)
    near(tracked.mano.global_orient[0], true.orient)


@pytest.mark.parametrize("as_folder", [False, True])
def test_hawor(as_folder, tmp_path):
    left, right = clip("left"), clip("right")
    seen = np.ones((2, left.n_frames), bool)
    seen[1, 3] = False
    path, from_world = written.write_hawor(tmp_path, left, right, seen)
    tracked = read_tracked(tmp_path if as_folder else path)
    assert (tracked.format, tracked.sides, tracked.is_world) == ("hawor", ("left", "right"), True)
    for hand, true in enumerate((left, right)):
        near(tracked.mano.transl[hand][seen[hand]], true.transl[seen[hand]])
        near(tracked.mano.pose[hand][seen[hand]], true.pose[seen[hand]])
    assert np.isnan(tracked.mano.transl[1, 3]).all()
    near(tracked.camera.from_world, from_world)
    assert tracked.camera.intrinsics[0].tolist() == [600, 0, 640]


def test_dyn_hamr(tmp_path):
    clips = [clip("left"), clip("right")]
    tracked = read_tracked(written.write_dyn_hamr(tmp_path / "x_000300_world_results.npz", clips))
    assert (tracked.format, tracked.sides) == ("dyn-hamr", ("left", "right"))
    assert not tracked.mano.is_relative
    for hand, true in enumerate(clips):
        near(tracked.mano.transl[hand], true.transl)
        near(tracked.mano.pose[hand], true.pose)
        near(tracked.mano.global_orient[hand], true.orient)
    near(tracked.camera.from_world[0], np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.25], [0, 0, 0, 1]]))
    assert tracked.camera.intrinsics[1].tolist() == [0, 940, 350]


def test_dyn_hamr_aligned_by_video_to_data(tmp_path):
    true = clip("left")
    path = tmp_path / "world_results_aligned.npz"
    poses = true.object_poses.astype(np.float32)
    shifted = np.stack([true.transl * [-1, 1, 1] + 0.5])
    written.write_dyn_hamr(path, [true], trans_aligned=shifted, object_pose_world=poses, object_pose_cam=poses)
    tracked = read_tracked(path)
    near(tracked.mano.transl[0], true.transl + np.array([-0.5, 0.5, 0.5]))
    near(tracked.object_poses, true.object_poses)


def test_video_to_data_params(tmp_path):
    """Left hands are in the left hand's parameters."""
    true = clip("left")
    path = tmp_path / "mano_params_moge.npz"
    names = {"global_orient": true.orient, "transl": true.transl, "hand_pose": true.pose}
    arrays = {name: value[None].astype(np.float32) for name, value in names.items()}
    flags = np.zeros((1, true.n_frames))
    np.savez(path, betas=true.betas[None], is_right=flags, flat_hand_mean=np.bool_(True), **arrays)
    tracked = read_tracked(path)
    assert (tracked.format, tracked.sides) == ("v2d-mano", ("left",))
    near(tracked.mano.pose[0], true.pose)
    assert not tracked.mano.is_relative


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("aligned", [False, True])
def test_video_to_data_tracks(side, aligned, tmp_path, camera):
    true = clip(side)
    folder = written.write_v2d(tmp_path / "hamer", true, aligned, skip=6)
    tracked = read_tracked(folder, Reading(camera=None if aligned else camera))
    assert (tracked.format, tracked.sides) == ("v2d-tracks", (side,))
    kept = np.arange(true.n_frames) != 6
    assert np.isnan(tracked.mano.transl[0, 6]).all()
    near(tracked.mano.transl[0][kept], true.transl[kept])
    near(tracked.mano.pose[0][kept], true.pose[kept])


def test_vitra(tmp_path):
    """The left finger pose is that of a right hand, the left orientation is not."""
    clips = [clip("left"), clip("right")]
    from_world = np.tile(np.eye(4), (clips[0].n_frames, 1, 1))
    from_world[:, 2, 3] = 0.1
    tracked = read_tracked(written.write_vitra(tmp_path / "a_ep_000000.npy", clips, from_world, lost=2))
    kept = np.arange(clips[0].n_frames) != 2
    assert (tracked.format, tracked.sides, tracked.numbers[0]) == ("vitra", ("left", "right"), 100)
    for hand, true in enumerate(clips):
        near(tracked.joints[hand][kept], true.joints[kept])
        near(tracked.mano.pose[hand][kept], true.pose[kept], 1e-5)
        same_turns(tracked.mano.global_orient[hand][kept], true.orient[kept])
        near(tracked.mano.transl[hand][kept], true.joints[kept, 0])
        assert np.isnan(tracked.mano.pose[hand, 2]).all()
    assert tracked.mano.places_wrist
    near(tracked.camera.from_world, from_world)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("trajectory", [False, True])
def test_aria(side, trajectory, tmp_path):
    """The thumb's first joint is absent; -1 marks a missing hand; the trajectory takes the hand into the world."""
    true = clip(side)
    path, local = written.write_aria(tmp_path, true, missing=4, trajectory=trajectory)
    tracked = read_tracked(path)
    assert (tracked.format, tracked.sides, tracked.is_world) == ("aria", (side,), trajectory)
    assert tracked.fps == pytest.approx(20)
    joints = np.arange(21) != 1
    kept = np.arange(true.n_frames) != 4
    near(tracked.joints[0][np.ix_(kept, joints)], (true.joints if trajectory else local)[np.ix_(kept, joints)], 1e-6)
    assert np.isnan(tracked.joints[0, :, 1]).all()
    assert np.isnan(tracked.joints[0, 4]).all()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("lines", [False, True])
def test_mediapipe(side, lines, tmp_path):
    """The hand's place follows from its landmarks in the image and the camera."""
    true = clip(side)
    frames = written.mediapipe_frames(true, lost=5)
    path = tmp_path / "hands.json"
    path.write_text("\n".join(map(json.dumps, frames)) if lines else json.dumps(frames))
    tracked = read_tracked(path, Reading(camera=str(written.write_camera_json(tmp_path))))
    assert (tracked.format, tracked.sides) == ("mediapipe", (side,))
    assert tracked.fps == pytest.approx(25)
    kept = np.arange(true.n_frames) != 5
    near(tracked.joints[0][kept], true.joints[kept], 1e-5)
    assert np.isnan(tracked.joints[0, 5]).all()


def test_mediapipe_in_javascript(tmp_path):
    true = clip("left")
    frames = written.mediapipe_frames(true, lost=-1)
    for frame in frames:
        frame["landmarks"], frame["worldLandmarks"] = frame.pop("hand_landmarks"), frame.pop("hand_world_landmarks")
        frame["handednesses"] = [[{"categoryName": "Right"}] for _ in frame.pop("handedness")]
    path = tmp_path / "hands.json"
    path.write_text(json.dumps(frames))
    camera = str(written.write_camera(tmp_path))
    # without the size of the image it is taken from the principal point
    tracked = read_tracked(path, Reading(camera=camera, left_hands="mirrored"))
    assert tracked.sides == ("left",)
    assert any("1300 x 700 pixels" in phrase for phrase in tracked.said)


@pytest.mark.parametrize("lines", [False, True])
def test_leap(lines, tmp_path):
    left, right = clip("left"), clip("right")
    frames = written.leap_frames(left, right, lost=5)
    path = tmp_path / "leap.json"
    path.write_text("\n".join(map(json.dumps, frames)) if lines else json.dumps(frames))
    tracked = read_tracked(path)
    assert (tracked.format, tracked.sides) == ("leap", ("left", "right"))
    assert tracked.fps == pytest.approx(1000 / 9)
    kept = np.arange(left.n_frames) != 5
    for hand, true in enumerate((left, right)):
        near(tracked.joints[hand][kept], true.joints[kept])
    assert np.isnan(tracked.joints[:, 5]).all()


@pytest.mark.parametrize("side", SIDES)
def test_hold(side, tmp_path):
    """The pose is relative to the mean; the mesh is in a normalised frame."""
    true = clip(side)
    mean = np.linspace(-0.2, 0.3, 45)
    path, mesh = written.write_hold(tmp_path, true, mean)
    tracked = read_tracked(path)
    assert (tracked.format, tracked.sides, tracked.mano.is_relative) == ("hold", (side,), True)
    near(tracked.mano.pose[0] + mean, true.pose)
    near(tracked.mano.transl[0], true.transl)
    near(tracked.object_poses, true.object_poses)
    change = tracked.mesh_to_object
    near(trimesh.load(mesh, process=False).vertices @ change[:3, :3].T + change[:3, 3], true.mesh.vertices, 1e-6)


def test_hot3d(tmp_path):
    """One of two stamps of a frame; the object that is named, at the hand's stamps."""
    clips = [clip("left"), clip("right")]
    folder = written.write_hot3d(tmp_path / "P0001", clips, lost=4)
    with pytest.raises(InputError, match="--object-key: expected one of 106957734975303, 225397651484143, found none"):
        read_tracked(folder)
    tracked = read_tracked(folder, Reading(object_key="106957734975303"))
    kept = np.arange(clips[0].n_frames) != 4
    assert (tracked.format, tracked.sides) == ("hot3d", ("left", "right"))
    assert (tracked.mano.is_relative, tracked.mano.is_pca) == (True, True)
    assert tracked.fps == pytest.approx(30, abs=1e-3)
    for hand, true in enumerate(clips):
        near(tracked.mano.transl[hand][kept], true.transl[kept])
        near(tracked.mano.pose[hand][kept], true.pose[kept, :15])
        same_turns(tracked.mano.global_orient[hand][kept], true.orient[kept])
        assert np.isnan(tracked.mano.transl[hand, 4]).all()
    near(tracked.object_poses, clips[0].object_poses)


@pytest.mark.parametrize("side", SIDES)
def test_haptic(side, tmp_path):
    true = clip(side)
    tracked = read_tracked(written.write_haptic(tmp_path, true))
    assert (tracked.format, tracked.sides) == ("haptic", (side,))
    near(tracked.vertices[0], written.skin(true))
    assert tracked.camera.intrinsics[0].tolist() == [950, 0, 650]
