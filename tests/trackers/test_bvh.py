"""BVH: a hand written as a skeleton of Euler angles comes back as its joints."""

from pathlib import Path

import numpy as np
import pytest
from support.bvh_files import write_bvh, write_map
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading


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


SHIPPED = {
    # the names of each finger's joints from the root, after those of the hand
    "rokoko": {
        "Thumb": ("Finger1Metacarpal", "Finger1Proximal", "Finger1Distal"),
        **{
            finger: (f"Finger{number}Proximal", f"Finger{number}Medial", f"Finger{number}Distal")
            for number, finger in enumerate(("Index", "Middle", "Ring", "Pinky"), 2)
        },
    },
    "neuron": {
        finger: tuple(f"Hand{finger}{joint}" for joint in (1, 2, 3))
        for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")
    },
}


@pytest.mark.parametrize("name", SHIPPED)
def test_bone_maps_of_the_package(name, tmp_path):
    """A file of one hand; both hands are in the map."""
    true = clip("left")
    write_bvh(tmp_path / "take.bvh", true, "YXZ")
    text = (tmp_path / "take.bvh").read_text().replace("JOINT Hand\n", "JOINT LeftHand\n")
    for finger, bones in SHIPPED[name].items():
        for number, bone in enumerate(bones, 1):
            text = text.replace(f"JOINT {finger}{number}\n", f"JOINT Left{bone}\n")
    (tmp_path / "take.bvh").write_text(text)
    tracked = read_tracked(tmp_path / "take.bvh", Reading(bone_map=Path(name), hand_unit="cm"))
    assert tracked.sides == ("left",)
    assert np.abs(tracked.joints[0] - true.joints).max() < 0.01
    with pytest.raises(InputError, match=r"robot: file: expected a file or a folder, found nothing"):
        read_tracked(tmp_path / "take.bvh", Reading(bone_map=Path("robot"), hand_unit="cm"))
