"""From a tracker's file to a sequence: parameters in MANO's conventions, object and hand together, and the self-check,
which refuses each wrong convention and names the option that mends it."""

import dataclasses

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support import tracker_files as written
from support.tracker_clip import Clip, clip, hand_arrays, write_hand

from toch_jax.base.errors import InputError
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.self_check import hand_joints
from toch_jax.trackers.to_sequence import CheckedSequence, load_any


@pytest.fixture
def mano(tmp_path_factory, monkeypatch):
    """The open hand stands for MANO's files."""
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path_factory.getbasetemp() / "open_as_mano")))


@pytest.fixture(autouse=True)
def no_mano(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCH_MANO", str(tmp_path / "nowhere"))


@pytest.fixture
def convert(tmp_path):
    def convert(path, true: Clip, poses: np.ndarray | None = None, **choices) -> CheckedSequence:
        mesh = tmp_path / "object.ply"
        true.mesh.export(mesh)
        np.save(tmp_path / "poses.npy", true.object_poses if poses is None else poses)
        reading = Reading(**{"fps": 8.0, "object_poses": tmp_path / "poses.npy", **choices})
        return load_any(path, mesh, 1.0, reading)

    return convert


def joints_file(tmp_path, true: Clip, name: str = "hand.npy"):
    np.save(tmp_path / name, true.joints)
    return tmp_path / name


def test_joints_and_poses(tmp_path, convert):
    true = clip("left")
    found = convert(joints_file(tmp_path, true), true, side="left")
    sequence = found.sequence
    np.testing.assert_allclose(np.asarray(sequence.hands.joints[0]), true.joints, atol=1e-6)
    np.testing.assert_allclose(np.asarray(sequence.object_motion.rotation[0]), true.object_poses[:, :3, :3], atol=1e-6)
    assert sequence.fps == 8
    assert len(found.lines) <= 5
    assert found.lines[0] == "read as plain: 28 frames at 8 fps; left lost in 0"
    assert "bends as a left hand" in found.lines[1]
    assert sequence.camera is None


def test_a_sequence_file_is_taken_as_it_is(tmp_path, convert, example_file):
    again = load_any(example_file)
    np.testing.assert_array_equal(again.sequence.hands.params.pose, load_sequence(example_file).hands.params.pose)
    assert again.lines == ()
    true = clip("left")
    save_sequence(tmp_path / "clip.npz", convert(joints_file(tmp_path, true), true, side="left").sequence)
    loaded = load_sequence(tmp_path / "clip.npz")
    np.testing.assert_allclose(np.asarray(loaded.hands.joints[0]), true.joints, atol=1e-6)


@pytest.mark.parametrize("side", ["right", "left"])
def test_parameters_with_mano(mano, side, tmp_path, convert):
    true = clip(side)
    path = written.write_dyn_hamr(tmp_path / "world_results.npz", [true])
    sequence = convert(path, true).sequence
    assert sequence.hand_model == "mano"
    np.testing.assert_allclose(hand_joints(sequence, 0)[:, :20], true.joints[:, :20], atol=1e-5)


def test_a_translation_of_the_wrist(mano, tmp_path, convert):
    true = clip("right")
    moved = dataclasses.replace(true, transl=true.transl + true.wrist_offset)
    path = written.write_dyn_hamr(tmp_path / "world_results.npz", [moved])
    sequence = convert(path, true, hand_translation="wrist").sequence
    np.testing.assert_allclose(hand_joints(sequence, 0)[:, 0], true.joints[:, 0], atol=1e-5)
    without = hand_joints(convert(path, true).sequence, 0)
    off = without - hand_joints(sequence, 0)
    np.testing.assert_allclose(off, np.broadcast_to(true.wrist_offset, off.shape), atol=1e-5)
    # an object that is smaller than the error
    pose = true.object_poses[20]
    ball = trimesh.creation.icosphere(1, 0.01).apply_translation((true.joints[20, 8] - pose[:3, 3]) @ pose[:3, :3])
    with pytest.raises(InputError, match=r"touches it in 0% of the frames; .* with --hand-translation wrist"):
        convert(path, dataclasses.replace(true, mesh=ball))


def test_a_pose_relative_to_the_mean(mano, tmp_path, convert):
    """The mean of the hand that stands for MANO's has bent fingers."""
    true = clip("right")
    relative = dataclasses.replace(true, pose=true.pose - hand_arrays("right")["hands_mean"])
    path = written.write_dyn_hamr(tmp_path / "world_results.npz", [relative])
    sequence = convert(path, true, mean_pose="relative").sequence
    np.testing.assert_allclose(hand_joints(sequence, 0)[:, :20], true.joints[:, :20], atol=1e-5)
    with pytest.raises(InputError, match=r"right hand: expected .*--mean-pose relative"):
        convert(path, true)
    path = written.write_dyn_hamr(tmp_path / "world_results.npz", [true])
    with pytest.raises(InputError, match=r"right hand: expected .*--mean-pose absolute"):
        convert(path, true, mean_pose="relative")


def test_coefficients_of_principal_directions(mano, tmp_path, convert):
    """HOT3D's 15 numbers; the components of the hand that stands for MANO are single angles."""
    true = clip("right")
    mean = hand_arrays("right")["hands_mean"]
    written.write_hot3d(tmp_path / "P0001", [true], lost=-1)
    sequence = convert(tmp_path / "P0001", true, mean_pose="absolute", fps=None).sequence
    expected = np.pad(true.pose[:, :15], [(0, 0), (0, 30)])
    np.testing.assert_allclose(np.asarray(sequence.hands.params.pose[0]), expected, atol=1e-6)
    relative = dataclasses.replace(true, pose=true.pose - mean)
    written.write_hot3d(tmp_path / "P0002", [relative], lost=-1)
    sequence = convert(tmp_path / "P0002", true, fps=None).sequence
    expected[:, 15:] = mean[15:]
    np.testing.assert_allclose(np.asarray(sequence.hands.params.pose[0]), expected, atol=1e-6)


def test_a_mesh_in_a_normalised_frame(mano, tmp_path, convert):
    """HOLD's."""
    true = clip("right")
    path, mesh = written.write_hold(tmp_path, true, hand_arrays("right")["hands_mean"])
    sequence = load_any(path, mesh, 1.0, Reading(fps=8.0)).sequence
    np.testing.assert_allclose(np.asarray(sequence.object_vertices), true.mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(hand_joints(sequence, 0)[:, :20], true.joints[:, :20], atol=1e-5)


def test_parameters_that_are_not_those_of_the_joints(mano, tmp_path, convert):
    """VITRA's left pose is mirrored here; of a producer that has mirrored it already it may not be."""
    true = clip("left")
    still = np.tile(np.eye(4), (true.n_frames, 1, 1))
    path = written.write_vitra(tmp_path / "ep.npy", [true], still, lost=2)
    sequence = convert(path, true).sequence
    kept = np.arange(true.n_frames) != 2
    np.testing.assert_allclose(hand_joints(sequence, 0)[kept, :20], true.joints[kept, :20], atol=1e-5)
    with pytest.raises(
        InputError, match=r"left hand: expected parameters that agree.*--left-hands \(own or mirrored\)"
    ):
        convert(path, true, left_hands="own")


def test_without_mano_the_joints_are_used(tmp_path, convert):
    true = clip("left")
    still = np.tile(np.eye(4), (true.n_frames, 1, 1))
    found = convert(written.write_vitra(tmp_path / "ep.npy", [true], still, lost=2), true)
    assert found.sequence.hands.params is None
    assert "MANO's files are not here" in found.lines[3]
    with pytest.raises(InputError, match=r"set \$TOCH_MANO"):
        convert(written.write_dyn_hamr(tmp_path / "world_results.npz", [true]), true)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_wrong_side_is_refused(side, tmp_path, convert):
    true = clip("left" if side == "right" else "right")
    with pytest.raises(InputError, match=f"{side} hand: expected fingers that bend as a {side} hand's.*--side"):
        convert(joints_file(tmp_path, true), true, side=side)


def test_left_hands_of_hamer_that_are_not_mirrored_are_refused(tmp_path, convert):
    true = clip("left")
    path = written.dump(tmp_path / "hands.pkl", written.hamer_frames(true))
    camera = str(written.write_camera(tmp_path))
    sequence = convert(path, true, camera=camera).sequence
    assert sequence.hand_side == ("left",)
    np.testing.assert_allclose(sequence.camera.intrinsics, written.INTRINSICS)
    np.testing.assert_array_equal(sequence.camera.centre, 0)
    with pytest.raises(
        InputError, match=r"left hand: expected fingers that bend as a left hand's.*--left-hands mirrored"
    ):
        convert(path, true, camera=camera, left_hands="own")


def test_a_wrong_focal_length_is_refused(tmp_path, convert):
    """The hand is metres away from the object."""
    true = clip("left")
    path = written.dump(tmp_path / "hands.pkl", written.hamer_frames(true))
    with pytest.raises(InputError, match=r"a hand that comes within .* of the object"):
        convert(path, true, camera="25000")


@pytest.mark.parametrize(
    ("unit", "factor", "message"),
    [("mm", 1e3, "probably in millimetres.*--hand-unit mm"), ("cm", 1e2, "probably in centimetres.*--hand-unit cm")],
)
def test_units_of_the_hand(unit, factor, message, tmp_path, convert):
    true = clip("left")
    np.save(tmp_path / "hand.npy", factor * true.joints)
    convert(tmp_path / "hand.npy", true, side="left", hand_unit=unit)
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "hand.npy", true, side="left")


def test_units_of_the_object(tmp_path, convert):
    true = clip("left")
    path = joints_file(tmp_path, true)
    poses = true.object_poses.copy()
    poses[:, :3, 3] *= 1000
    convert(path, true, poses, side="left", object_unit="mm")
    with pytest.raises(InputError, match="--object-unit mm"):
        convert(path, true, poses, side="left")


def moving(true: Clip) -> Clip:
    """The clip's hand and object, turned together about the camera's axis: a hand that holds the object."""
    held = true.object_poses[20]
    turn = np.tile(np.eye(4), (true.n_frames, 1, 1))
    angle = np.linspace(0, 2, true.n_frames)[:, None] * [0.3, 0.5, 0.8]
    turn[:, :3, :3] = Rotation.from_rotvec(angle).as_matrix()
    centre = held[:3, 3]
    turn[:, :3, 3] = centre - turn[:, :3, :3] @ centre
    joints = np.einsum("tab,jb->tja", turn[:, :3, :3], true.joints[20]) + turn[:, None, :3, 3]
    return dataclasses.replace(true, joints=joints, object_poses=turn @ held)


def test_row_vectors(tmp_path, convert):
    true = moving(clip("left"))
    path = joints_file(tmp_path, true)
    rows = true.object_poses.copy()
    rows[:, :3, :3] = rows[:, :3, :3].swapaxes(1, 2)
    convert(path, true, rows, side="left", object_rotation="rows")
    with pytest.raises(InputError, match=r"object that moves with the hand.*--object-rotation rows"):
        convert(path, true, rows, side="left")
    with pytest.raises(InputError, match=r"object that moves with the hand.*--object-rotation matrix"):
        convert(path, true, side="left", object_rotation="rows")


@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_quaternions(order, tmp_path, convert):
    true = moving(clip("left"))
    path = joints_file(tmp_path, true)
    quaternions = Rotation.from_matrix(true.object_poses[:, :3, :3]).as_quat()
    if order == "wxyz":
        quaternions = quaternions[:, [3, 0, 1, 2]]
    poses = np.column_stack([true.object_poses[:, :3, 3], quaternions])
    convert(path, true, poses, side="left", object_rotation=order)
    other = "wxyz" if order == "xyzw" else "xyzw"
    with pytest.raises(InputError, match=f"object that moves with the hand.*--object-rotation {order}"):
        convert(path, true, poses, side="left", object_rotation=other)


def test_joints_in_another_order(tmp_path, convert):
    true = clip("left")
    np.save(
        tmp_path / "hand.npy",
        true.joints[:, [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20]],
    )
    with pytest.raises(InputError, match=r"MANO's 16 joints, then the tips thumb to pinky.*--joint-order"):
        convert(tmp_path / "hand.npy", true, side="left")


def test_a_wrong_frame_rate(tmp_path, convert):
    true = moving(clip("left"))
    far = dataclasses.replace(true, joints=true.joints + np.linspace(0, 1, true.n_frames)[:, None, None])
    poses = far.object_poses.copy()
    poses[:, :3, 3] += np.linspace(0, 1, true.n_frames)[:, None]
    path = joints_file(tmp_path, far)
    convert(path, far, poses, side="left")
    with pytest.raises(InputError, match=r"frame rate: expected a wrist of at most 3 m/s.*is --fps right\?"):
        convert(path, far, poses, side="left", fps=120.0)
    with pytest.raises(InputError, match="frame rate: expected --fps"):
        convert(path, far, poses, side="left", fps=None)


def test_a_hand_that_is_hardly_ever_there(tmp_path, convert):
    true = clip("left")
    np.save(tmp_path / "hand.npy", np.where(np.arange(true.n_frames)[:, None, None] < 2, true.joints, np.nan))
    with pytest.raises(InputError, match="left hand: expected at most 90% of the frames lost, found 26 of 28 lost"):
        convert(tmp_path / "hand.npy", true, side="left")


def test_an_object_before_the_moving_camera(mano, tmp_path, convert):
    """FoundationPose's poses beside hands in the world."""
    true = clip("right")
    path = written.write_dyn_hamr(tmp_path / "world_results.npz", [true])
    in_camera = true.object_poses.copy()
    in_camera[:, 2, 3] += 0.25
    found = convert(path, true, in_camera, object_frame="camera")
    motion = found.sequence.object_motion
    np.testing.assert_allclose(np.asarray(motion.translation[0]), true.object_poses[:, :3, 3], atol=1e-6)
    assert "object moved from the camera to the world" in found.lines[3]
    np.testing.assert_allclose(found.sequence.camera.centre, np.tile([0, 0, -0.25], (true.n_frames, 1)), atol=1e-6)


def test_frames_are_matched_by_number(tmp_path, convert):
    """Every second pose was estimated, and the first and last are missing."""
    true = clip("left")
    frames = written.hamer_frames(true)
    content = {f"{number:05d}.jpg": detections for number, detections in enumerate(frames)}
    path = written.dump(tmp_path / "hands.pkl", content)
    folder = tmp_path / "ob_in_cam"
    folder.mkdir()
    for number in range(2, true.n_frames - 2, 2):
        np.savetxt(folder / f"{number:05d}.txt", true.object_poses[number])
    found = convert(path, true, camera=str(written.write_camera_json(tmp_path)), object_poses=folder)
    valid = np.asarray(found.sequence.object_valid[0])
    assert np.flatnonzero(valid).tolist() == list(range(2, true.n_frames - 2, 2))
    motion = np.asarray(found.sequence.object_motion.translation[0])
    np.testing.assert_allclose(motion[valid], true.object_poses[valid, :3, 3], atol=1e-6)


def test_an_object_at_rest_and_missing_things(tmp_path, convert):
    true = clip("left")
    path = joints_file(tmp_path, true)
    found = convert(path, true, true.object_poses[20], side="left")
    assert "one object pose for all frames" in found.lines[3]
    with pytest.raises(InputError, match="object poses: expected the 28 frames of the hands, found 5"):
        convert(path, true, true.object_poses[:5], side="left")
    with pytest.raises(InputError, match=r"object poses: expected a file or a folder \(--object-poses\)"):
        convert(path, true, side="left", object_poses=None)
    with pytest.raises(InputError, match=r"object: expected the object's mesh \(--object FILE\)"):
        load_any(path, None, 1.0, Reading(side="left"))
