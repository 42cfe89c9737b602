"""BVH, evaluated by rotations multiplied out here, and read by the reader of gloves' files."""

import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

TIPS = [4, 8, 12, 16, 20]
SKELETON = [joint for joint in range(21) if joint not in TIPS]


def positions(text: str) -> tuple[dict[str, np.ndarray], float]:
    """The place of each joint in each frame, and the frame time: position channels stand for the offset."""
    hierarchy, motion = text.split("MOTION\n")
    frames, time, *rows = motion.strip().splitlines()
    values = np.array([list(map(float, row.split())) for row in rows])
    assert frames == f"Frames: {len(rows)}"
    places, matrices, stack, column, name = {}, {}, [], 0, ""
    for kind, rest in re.findall(r"^\s*(\S+) ?(.*)$", hierarchy, re.MULTILINE):
        if kind in ("ROOT", "JOINT"):
            name = rest
        elif kind == "End":
            name = f"{stack[-1]} End"
        elif kind == "{":
            stack.append(name)
        elif kind == "}":
            stack.pop()
        elif kind == "OFFSET":
            offset = np.tile(list(map(float, rest.split())), (len(rows), 1))
            above = stack[-2] if len(stack) > 1 else None
            turn = matrices[above] if above else Rotation.identity(len(rows))
            origin = places[above] if above else 0
            places[name], matrices[name] = origin + turn.apply(offset), turn
        elif kind == "CHANNELS":
            channels = rest.split()[1:]
            own = values[:, column : column + len(channels)]
            column += len(channels)
            if "Xposition" in channels:
                places[name] = origin + turn.apply(own[:, :3])
                own, channels = own[:, 3:], channels[3:]
            for channel, angle in zip(channels, own.T, strict=True):
                matrices[name] = matrices[name] * Rotation.from_euler(channel[0], angle[:, None], degrees=True)
    assert column == values.shape[1]
    return places, float(time.split()[-1])


def test_joints_in_every_frame(make, tmp_path):
    said = export_sequence(tmp_path / "take.bvh", make("left"), "bvh", Writing(unit="cm"))
    places, time = positions((tmp_path / "take.bvh").read_text())
    assert time == 1 / 8
    true = clip("left").joints
    names = ["LeftHand"] + [f"LeftHand{f}{n}" for f in ("Thumb", "Index", "Middle", "Ring", "Pinky") for n in (1, 2, 3)]
    found = np.stack([places[name] for name in names], axis=1)
    np.testing.assert_allclose(found / 100, true[:, SKELETON], atol=1e-5)
    ends = np.stack([places[f"{name} End"] for name in names if name.endswith("3")], axis=1)
    off = np.abs(ends / 100 - true[:, TIPS]).max()
    assert f"finger tips at most {1e3 * off:.1f} mm" in said[1]
    assert off < 0.01


@pytest.mark.parametrize("sides", [("right",), ("right", "left")])
def test_there_and_back(sides, make, tmp_path):
    export_sequence(tmp_path / "take.bvh", make(*sides), "bvh", Writing(unit="cm"))
    tracked = read_tracked(tmp_path / "take.bvh", Reading(bone_map=tmp_path / "take_bones.txt", hand_unit="cm"))
    assert (tracked.sides, tracked.fps) == (sides, 8)
    for hand, side in enumerate(sides):
        np.testing.assert_allclose(tracked.joints[hand][:, SKELETON], clip(side).joints[:, SKELETON], atol=1e-5)


@pytest.mark.parametrize(
    ("up", "turned"),
    [("z", [0, 2, -1]), ("-y", [0, -1, -2]), ("x", [-1, 0, 2])],
    ids=["z", "-y", "x"],
)
def test_up(up, turned, make, tmp_path):
    """`turned`: which coordinate of the clip each one of the file is (-k: minus k)."""
    export_sequence(tmp_path / "take.bvh", make("right"), "bvh", Writing(up=up))
    places, _ = positions((tmp_path / "take.bvh").read_text())
    expected = np.stack([np.sign(k or 1) * clip().joints[:, 5, abs(k)] for k in turned], axis=1)
    np.testing.assert_allclose(places["RightHandIndex1"], expected, atol=1e-5)
