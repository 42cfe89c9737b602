"""Inputs of retargeting and robot learning, against their public code's formulas, written out here."""

import json

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing

SIDES = ("right", "left")


def detector(keypoints: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """joint_pos and wrist rotation as dex-retargeting's detector has them: the plane's normal by SVD."""
    about = keypoints - keypoints[0]
    three = about[[0, 5, 9]]
    normal = np.linalg.svd(three - three.mean(axis=0))[2][2]
    x = three[0] - three[2]
    x = x - (x @ normal) * normal
    x /= np.linalg.norm(x)
    z = np.cross(x, normal)
    if z @ (three[1] - three[2]) < 0:
        normal, z = -normal, -z
    frame = np.column_stack([x, normal, z])
    columns = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]] if side == "right" else [[0, 0, -1], [1, 0, 0], [0, -1, 0]]
    return about @ frame @ np.array(columns), frame


@pytest.mark.parametrize("side", SIDES)
def test_dex_retargeting(side, make, tmp_path):
    export_sequence(tmp_path / "hand.npz", make(side, form="joints"), "dex-retargeting")
    with np.load(tmp_path / "hand.npz") as file:
        found = {key: file[key] for key in file.files}
    for frame, joints in enumerate(clip(side).joints):
        expected, rotation = detector(joints, side)
        np.testing.assert_allclose(found[side][frame], expected, atol=1e-5)
        np.testing.assert_allclose(found[f"{side}_wrist_rotation"][frame], rotation, atol=1e-4)
    np.testing.assert_allclose(found[f"{side}_wrist"], clip(side).joints[:, 0], atol=1e-6)


def test_lerobot(make, tmp_path):
    """Each frame passes LeRobot's check: the dtype and shape that the feature says, a name for each number."""
    true = clip("right")
    export_sequence(tmp_path / "robot", make("right", "left", form="joints"), "lerobot")
    about = json.loads((tmp_path / "robot" / "features.json").read_text())
    assert about["fps"] == 8
    with np.load(tmp_path / "robot" / "frames.npz") as file:
        frames = {key: file[key] for key in file.files}
    assert frames.keys() == about["features"].keys()
    for key, feature in about["features"].items():
        value = frames[key][3]
        assert value.dtype == np.dtype(feature["dtype"])
        assert value.shape == tuple(feature["shape"])
        assert len(set(feature["names"])) == len(value)
    state = dict(zip(about["features"]["observation.state"]["names"], frames["observation.state"].T, strict=True))
    np.testing.assert_allclose(state["left_index4_y"], clip("left").joints[:, 8, 1], atol=1e-6)
    pose = frames["observation.environment_state"]
    assert about["features"]["observation.environment_state"]["names"][3:] == [f"object_q{axis}" for axis in "xyzw"]
    np.testing.assert_allclose(pose[:, :3], true.object_poses[:, :3, 3], atol=1e-6)
    np.testing.assert_allclose(Rotation.from_quat(pose[:, 3:]).as_matrix(), true.object_poses[:, :3, :3], atol=1e-5)


def test_lerobot_takes_whole_frame_rates(make, tmp_path):
    said = export_sequence(tmp_path / "robot", make("right", fps=29.97), "lerobot")
    assert said == ("LeRobot takes whole frame rates, not 29.97: see --fps",)


def spider_wrist(joints: np.ndarray, side: str) -> np.ndarray:
    """The wrist's rotation as process_datasets/gigahand.py has it: the left hand's x and y are turned at the end."""
    z = joints[9] - joints[0]
    z /= np.linalg.norm(z)
    y = joints[5] - joints[13]
    x = np.cross(y / np.linalg.norm(y), z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    return np.column_stack([x, y, z] if side == "right" else [-x, -y, z])


@pytest.mark.parametrize("sides", [("right",), ("left",), SIDES])
def test_spider(sides, make, tmp_path):
    """z points up: y of the file is minus z of a clip whose y points up. The object stands on the ground at first."""
    hands = "bimanual" if len(sides) == 2 else sides[0]
    sequence = make(*sides, form="joints").replace(source="clips/take 1.npz")
    export_sequence(tmp_path / "spider", sequence, "spider")
    folder = tmp_path / "spider" / "processed" / "toch"
    info = json.loads((folder / "mano" / hands / "take_1" / "task_info.json").read_text())
    assert (info["ref_dt"], info["embodiment_type"], info["robot_type"]) == (1 / 8, hands, "mano")
    with np.load(folder / "mano" / hands / "take_1" / "0" / "trajectory_keypoints.npz") as file:
        found = {key: file[key] for key in file.files}
    true, count = clip(sides[0]), clip().n_frames
    upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    mesh = trimesh.load(tmp_path / "spider" / info[f"{sides[0]}_object_mesh_dir"] / "visual.obj", process=False)
    start = found[f"qpos_obj_{sides[0]}"][0]
    standing = Rotation.from_quat(start[[4, 5, 6, 3]]).apply(mesh.vertices) + start[:3]
    assert abs(standing[:, 2].min()) < 1e-6
    drop = (true.object_poses[0, :3, 3] @ upright.T - start[:3])[2]
    for side in SIDES:
        wrist, tips = found[f"qpos_wrist_{side}"], found[f"qpos_finger_{side}"]
        assert (wrist.shape, tips.shape) == ((count, 7), (count, 5, 7))
        if side not in sides:
            assert (wrist == [0, 0, 0, 1, 0, 0, 0]).all()
            continue
        joints = clip(side).joints @ upright.T - [0, 0, drop]
        np.testing.assert_allclose(wrist[:, :3], joints[:, 0], atol=1e-6)
        np.testing.assert_allclose(tips[:, :, :3], joints[:, [4, 8, 12, 16, 20]], atol=1e-6)
        assert (tips[:, :, 3:] == [1, 0, 0, 0]).all()
        for frame in range(count):
            turned = Rotation.from_quat(wrist[frame][[4, 5, 6, 3]]).as_matrix()
            np.testing.assert_allclose(turned, spider_wrist(joints[frame], side), atol=1e-5)
    other = {"right": "left", "left": "right"}[sides[0]]
    assert (found[f"qpos_obj_{other}"] == [0, 0, 0, 1, 0, 0, 0]).all()
    turned = Rotation.from_quat(found[f"qpos_obj_{sides[0]}"][:, [4, 5, 6, 3]]).as_matrix()
    np.testing.assert_allclose(turned, upright @ true.object_poses[:, :3, :3], atol=1e-5)


def test_spider_of_a_clip_whose_z_points_up(make, tmp_path):
    export_sequence(tmp_path / "spider", make("right", form="joints"), "spider", Writing(up="z"))
    (file,) = (tmp_path / "spider").rglob("trajectory_keypoints.npz")
    with np.load(file) as found:
        np.testing.assert_allclose(found["qpos_wrist_right"][:, :2], clip().joints[:, 0, :2], atol=1e-6)


def test_spider_refuses_what_it_cannot_hold(make, tmp_path):
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 3] = False
    cases = [
        (make("right", form="joints", hand_valid=valid), r"hands: expected a repaired clip .* found 1 lost frames"),
        (make("left", "left", form="joints"), "hands: expected one of each side at most, found left, left"),
    ]
    for sequence, message in cases:
        with pytest.raises(InputError, match=message):
            export_sequence(tmp_path / "spider", sequence, "spider")
    assert not (tmp_path / "spider").exists()
