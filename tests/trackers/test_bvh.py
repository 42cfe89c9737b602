"""BVH: a hand written as a skeleton of Euler angles comes back as its joints."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import Clip, clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

CHAINS = {"Thumb": (13, 14, 15), "Index": (1, 2, 3), "Middle": (4, 5, 6), "Ring": (10, 11, 12), "Pinky": (7, 8, 9)}
TIPS = {"Thumb": 0, "Index": 1, "Middle": 2, "Ring": 3, "Pinky": 4}


def write_bvh(path, true: Clip, order: str) -> None:
    """Centimetres; a body at the root, the hand below it with its own rotation; fingers with rotations in `order`."""
    arrays = hand_arrays(true.side)
    template = arrays["v_template"] + arrays["shapedirs"] @ true.betas
    rest = arrays["J_regressor"] @ template
    tips = template[arrays["tips"]]
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0", "CHANNELS 6 Xposition Yposition Zposition"]
    lines[-1] += " Yrotation Xrotation Zrotation"
    lines += ["JOINT Hand", "{", "OFFSET 0 0 0", f"CHANNELS 3 {' '.join(f'{axis}rotation' for axis in order)}"]

    def numbers(vector: np.ndarray) -> str:
        return " ".join(repr(100 * value) for value in vector.tolist())

    def angles(vectors: np.ndarray) -> np.ndarray:
        return Rotation.from_rotvec(vectors).as_euler(order, degrees=True)

    columns = [100 * true.joints[:, 0], np.zeros((true.n_frames, 3)), angles(true.orient)]
    pose = true.pose.reshape(-1, 15, 3)
    for finger, chain in CHAINS.items():
        parent = 0
        for number, joint in enumerate(chain, 1):
            lines += [f"JOINT {finger}{number}", "{", f"OFFSET {numbers(rest[joint] - rest[parent])}"]
            lines += [f"CHANNELS 3 {' '.join(f'{axis}rotation' for axis in order)}"]
            columns.append(angles(pose[:, joint - 1]))
            parent = joint
        lines += ["End Site", "{", f"OFFSET {numbers(tips[TIPS[finger]] - rest[parent])}", "}"]
        lines += ["}"] * 3
    lines += ["}", "}", "MOTION", f"Frames: {true.n_frames}", "Frame Time: 0.008333"]
    lines += [" ".join(map(repr, row.tolist())) for row in np.concatenate(columns, axis=1)]
    path.write_text("\n".join(lines) + "\n")


def write_map(path, side: str = "", ends: bool = True) -> None:
    names = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Pinky": "little"}
    lines = ["# the hand", f"{side} wrist = Hand"]
    for finger, name in names.items():
        lines += [f"{side} {name}{number} = {finger}{number}" for number in (1, 2, 3)]
        lines += [f"{side} {name}4 = {finger}3 End"] if ends else []
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("order", ["ZXY", "YXZ", "XYZ"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_joints(order, side, tmp_path):
    """The tips are those of a rigid last bone: the skin bends there by a few millimetres."""
    true = clip(side)
    write_bvh(tmp_path / "take.bvh", true, order)
    write_map(tmp_path / "bones.txt", side)
    tracked = read_tracked(tmp_path / "take.bvh", Reading(bone_map=tmp_path / "bones.txt", hand_unit="cm"))
    assert (tracked.format, tracked.sides) == ("bvh", (side,))
    assert tracked.fps == pytest.approx(120, abs=0.01)
    skeleton = [joint for joint in range(21) if joint not in (4, 8, 12, 16, 20)]
    np.testing.assert_allclose(tracked.joints[0][:, skeleton], true.joints[:, skeleton], atol=1e-6)
    assert np.abs(tracked.joints[0] - true.joints).max() < 0.01


def test_missing_joints_and_one_side(tmp_path):
    write_bvh(tmp_path / "take.bvh", clip("left"), "ZXY")
    write_map(tmp_path / "bones.txt", ends=False)
    tracked = read_tracked(tmp_path / "take.bvh", Reading(bone_map=tmp_path / "bones.txt", side="left"))
    assert np.isnan(tracked.joints[0][:, [4, 8, 12, 16, 20]]).all()
    assert tracked.said == ("5 joints missing in the bone map",)


def test_faults(tmp_path):
    write_bvh(tmp_path / "take.bvh", clip("left"), "ZXY")
    bones = tmp_path / "bones.txt"
    with pytest.raises(InputError, match=r"--bone-map FILE .* of the joints Hips, Hand, Thumb1, .*, found none"):
        read_tracked(tmp_path / "take.bvh")
    for line in ("left wrist = Hans", "left thumb5 = Thumb1", "left wrist Hand", "left = Hand"):
        bones.write_text(f"{line}\n{line}")
        with pytest.raises(InputError, match=f"bone map: expected wrist, thumb1 .* found {line}"):
            read_tracked(tmp_path / "take.bvh", Reading(bone_map=bones))
    write_map(bones, "left")
    whole = (tmp_path / "take.bvh").read_text()
    for old, new, message in (
        ("Frames: 28", "Frames: 1000000000", "MOTION: expected Frames"),
        ("Frame Time: 0.008333", "Frame Time: 0", "a frame time above 0"),
        ("Zrotation", "Wrotation", "channels such as"),
        ("OFFSET 0 0 0", "OFFSET 0 0 up", "line 4: expected numbers"),
        ("MOTION", "", "file: expected MOTION|line"),
        ("JOINT Hand", "BONE Hand", "line 6: expected ROOT"),
        ("\n}\nMOTION", "\n} }\nMOTION", "expected ROOT"),
    ):
        (tmp_path / "odd.bvh").write_text(whole.replace(old, new))
        with pytest.raises(InputError, match=message):
            read_tracked(tmp_path / "odd.bvh", Reading(bone_map=bones))
