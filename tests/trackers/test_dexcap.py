"""DexCap: its visualizer's steps one by one, and its public recording of a right hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.conventions import bend
from toch_jax.trackers.dexcap import on_tracker
from toch_jax.trackers.formats import read_tracked

# STEP1_collect_data/robot_table_pointcloud/frame_0: right_hand_joint.txt, and the first row of right_hand_joint_ori.txt
PUBLIC = np.array(
    [
        [0.2425, 1.3788, 0.2826], [0.2112, 1.3726, 0.2985], [0.1883, 1.3876, 0.3286], [0.1916, 1.3708, 0.3542],
        [0.2125, 1.3438, 0.3630], [0.1989, 1.3628, 0.3568], [0.1945, 1.3659, 0.4034], [0.1857, 1.3474, 0.4239],
        [0.1730, 1.3232, 0.4310], [0.2244, 1.3641, 0.3629], [0.2153, 1.3648, 0.4103], [0.2079, 1.3420, 0.4311],
        [0.2023, 1.3122, 0.4364], [0.2504, 1.3638, 0.3622], [0.2392, 1.3693, 0.4055], [0.2320, 1.3506, 0.4265],
        [0.2232, 1.3249, 0.4343], [0.2732, 1.3640, 0.3540], [0.2586, 1.3677, 0.3872], [0.2485, 1.3624, 0.4071],
        [0.2368, 1.3568, 0.4265],
    ]
)  # fmt: skip
WRIST = np.array([-0.02967, -0.75667, 0.64780, -0.08323])
ROLLS = {"left": np.array([0.03, -0.02, 0.01]), "right": np.array([-0.01, 0.02, 0.03])}
ANGLES = {"left": np.array([-0.66, -0.25, -0.06]), "right": np.array([0.3, 0.2, -0.1])}


def test_the_public_recording_is_a_right_hand():
    """z is flipped: the glove's program has left-handed axes, in which the fingers bend to the other side."""
    placed = on_tracker(PUBLIC, WRIST, np.zeros(3), np.zeros(3))
    assert bend(placed[None]) > 0.3
    assert bend(PUBLIC[None]) < -0.3
    sizes = [np.linalg.norm(points[:, None] - points, axis=-1) for points in (placed, PUBLIC)]
    np.testing.assert_allclose(*sizes, atol=1e-9)


def rolled(axis, angle):
    return Rotation.from_rotvec(angle * np.eye(3)[axis]).as_matrix()


def glove(local, side, turn):
    """The glove's joints whose place on the tracking camera is `local`: the visualizer's steps, undone in turn."""
    points = local - ROLLS[side]
    a, b, c = ANGLES[side]
    points = points @ (rolled(2, c) @ rolled(1, b) @ rolled(0, a))  # euler2mat(a, b, c), static axes x, y, z
    for axis, angle in ((2, -np.pi / 2), (0, np.pi / 2), (1, -np.pi / 2)):
        points = points @ rolled(axis, angle)
    points = points * [1, 1, -1]
    return points @ turn.as_matrix().T + [0.2, 1.3, 0.3]


def write(folder, clips, nothing=()):
    """Recording of both hands; the trackers shake, and the wrist is where the correction puts it."""
    rng = np.random.default_rng(4)
    folder.mkdir()
    for side, ending in (("left", "_left.txt"), ("right", ".txt")):
        np.savetxt(folder / f"calib_offset{ending}", ROLLS[side])
        np.savetxt(folder / f"calib_ori_offset{ending}", ANGLES[side])
    chest = np.eye(4)
    chest[:3, 3] = [0, -0.076, 0]
    for t in range(clips[0].n_frames):
        frame = folder / f"frame_{t}"
        frame.mkdir()
        np.savetxt(frame / "pose.txt", chest)
        for true, name, lever in zip(clips, ("pose_2", "pose_3"), (-0.032, -0.064), strict=True):
            # the wrist's place on the tracker is the correction and the lever: the tracker's pose follows
            pose = np.eye(4)
            pose[:3, :3] = Rotation.random(rng=rng).as_matrix()
            local = (true.joints[t] - true.joints[t, 0]) @ pose[:3, :3] + ROLLS[true.side]
            pose[:3, 3] = true.joints[t, 0] - pose[:3, :3] @ (ROLLS[true.side] + [0, lever, 0])
            turn = Rotation.random(rng=rng)
            quaternions = np.tile(turn.as_quat() * (t not in nothing), (21, 1))
            np.savetxt(frame / f"{name}.txt", pose)
            np.savetxt(frame / f"{true.side}_hand_joint.txt", glove(local, true.side, turn))
            np.savetxt(frame / f"{true.side}_hand_joint_ori.txt", quaternions)
    return folder


def test_both_hands(tmp_path):
    clips = [clip("left"), clip("right")]
    tracked = read_tracked(write(tmp_path / "save_data", clips, nothing=(0,)))
    assert (tracked.format, tracked.sides, tracked.is_world, tracked.fps) == ("dexcap", ("left", "right"), True, None)
    for hand, true in enumerate(clips):
        np.testing.assert_allclose(tracked.joints[hand, 1:], true.joints[1:], atol=1e-9)
    assert np.isnan(tracked.joints[:, 0]).all()
    # the chest's camera rests at the world's origin, and looks along -z
    expected = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (clips[0].n_frames, 1, 1))
    np.testing.assert_allclose(tracked.camera.from_world, expected, atol=1e-9)


def test_faults(tmp_path):
    folder = write(tmp_path / "save_data", [clip("left"), clip("right")])
    (folder / "frame_3" / "pose_2.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"pose_2\.txt: pose_2: expected numbers of shape \(4, 4\)"):
        read_tracked(folder)
    (folder / "frame_3" / "pose_2.txt").unlink()
    with pytest.raises(InputError, match=r"pose_2\.txt: file: expected a file or a folder, found nothing"):
        read_tracked(folder)
    (folder / "calib_offset.txt").unlink()
    with pytest.raises(InputError, match=r"calib_offset\.txt: file: expected a file or a folder, found nothing"):
        read_tracked(folder)
