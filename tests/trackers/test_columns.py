"""Tables with names: joints, sides, units, time stamps; and stamps that are uneven."""

import numpy as np
import pytest
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.joint_names import hand_joint, words_of
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import load_any

TRUE = clip("left")
MEDIAPIPE = ["wrist"] + [f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")]
MEDIAPIPE += [f"{f}_finger_{j}" for f in ("index", "middle", "ring") for j in ("mcp", "pip", "dip", "tip")]
MEDIAPIPE += [f"pinky_{joint}" for joint in ("mcp", "pip", "dip", "tip")]
OPENXR = ["wrist"] + [f"thumb-{j}" for j in ("metacarpal", "phalanx-proximal", "phalanx-distal", "tip")]
_PARTS = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
OPENXR += [f"{f}-finger-{j}" for f in ("index", "middle", "ring", "pinky") for j in _PARTS]
VISIONOS = ["leftHand"] + [f"leftThumb{j}" for j in ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")]
_WORDS = ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")
VISIONOS += [f"left{f}Finger{j}" for f in ("Index", "Middle", "Ring", "Little") for j in _WORDS]
NUMBERS = ["LeftHand"] + [f"LeftHand{f}{j}" for f in ("Thumb", "Index", "Middle", "Ring", "Pinky") for j in range(1, 5)]
NAMINGS = {"mediapipe": MEDIAPIPE, "openxr": OPENXR, "visionos": VISIONOS, "numbers": NUMBERS}


@pytest.mark.parametrize("naming", NAMINGS)
def test_names(naming):
    assert [hand_joint([w for w in words_of(name) if w != "left"]) for name in NAMINGS[naming]] == list(range(21))
    for other in ("index-finger-metacarpal", "elbow", "palm", "thumb_pip", "index_0", "forearm wrist finger thumb"):
        assert hand_joint(words_of(other)) in (None, -1)


def write(path, names, joints, before=None, delimiter=","):
    """A table with the columns of `before`, then three for each joint."""
    before = before or {}
    header = [*before, *(name.format(axis=axis) for name in names for axis in "xyz")]
    rows = np.column_stack([*before.values(), joints.reshape(len(joints), -1)])
    lines = [delimiter.join(map(repr, row)) for row in rows.tolist()]
    path.write_text("\n".join([delimiter.join(header), *lines]) + "\n")
    return path


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("form", ["{}_{{axis}}", "{}.{{axis}}", "{{axis}}_{}", "{} {{axis}} [m]"])
def test_joints_by_name(naming, form, tmp_path):
    path = write(tmp_path / "a.csv", [form.format(name) for name in NAMINGS[naming]], TRUE.joints)
    tracked = read_tracked(path, Reading(side="left"))
    assert (tracked.format, tracked.sides, tracked.said) == ("plain", ("left",), ("joints by their names",))
    np.testing.assert_allclose(tracked.joints[0], TRUE.joints)


@pytest.mark.parametrize("form", ["joint{}_{{axis}}", "{{axis}}{}", "kp_{}.{{axis}}"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("delimiter", [",", " ", "\t"])
def test_joints_by_number(form, first, delimiter, tmp_path):
    names = [form.format(number + first) for number in range(21)]
    tracked = read_tracked(write(tmp_path / "a.txt", names, TRUE.joints, delimiter=delimiter), Reading(side="left"))
    np.testing.assert_allclose(tracked.joints[0], TRUE.joints)
    assert tracked.said == ("joints in the order openpose",)


def test_two_hands_with_units_and_other_columns(tmp_path):
    right = clip("right")
    names = [f"{side}_{name}_{{axis}}_mm" for side in ("Right", "Left") for name in MEDIAPIPE]
    both = np.concatenate([right.joints, TRUE.joints], axis=1) * 1000
    path = write(tmp_path / "a.csv", names, both, {"score": np.ones(len(both))})
    text = path.read_text().splitlines()
    path.write_text("\n".join(["note," + text[0], *("fine," + line for line in text[1:])]))
    tracked = read_tracked(path)
    assert tracked.sides == ("right", "left")
    np.testing.assert_allclose(tracked.joints, np.stack([right.joints, TRUE.joints]))


def test_missing_joints_and_lost_frames(tmp_path):
    joints = TRUE.joints.copy()
    joints[3] = np.nan
    names = [f"{name}_{{axis}}" for name in MEDIAPIPE[:9]]
    path = write(tmp_path / "a.csv", names, joints[:, :9])
    path.write_text(path.read_text().replace("nan", ""))
    found = read_tracked(path, Reading(side="left")).joints[0]
    np.testing.assert_allclose(found[:, :9], joints[:, :9])
    assert np.isnan(found[:, 9:]).all()


@pytest.mark.parametrize(
    ("name", "unit"), [("timestamp", 1e-6), ("time_ns", 1e-9), ("t", 1e-3), ("Time (s)", 1.0), ("timestamp_ms", 1e-3)]
)
def test_time_stamps(name, unit, tmp_path):
    """25 Hz with a frame left out, in each unit."""
    frames = np.delete(np.arange(TRUE.n_frames), 4)
    stamps = np.round((5 + 0.04 * frames) / unit, 6)
    names = [f"joint{number}_{{axis}}" for number in range(21)]
    path = write(tmp_path / "a.csv", names, TRUE.joints[frames], {name: stamps})
    tracked = read_tracked(path, Reading(side="left"))
    assert tracked.fps == pytest.approx(25)
    np.testing.assert_allclose(tracked.seconds, 5 + 0.04 * np.arange(TRUE.n_frames))
    assert np.isnan(tracked.joints[0, 4]).all()
    np.testing.assert_allclose(tracked.joints[0, frames], TRUE.joints[frames])


def test_frame_numbers(tmp_path):
    frames = np.array([10, 12, 16])
    names = [f"joint{number}_{{axis}}" for number in range(21)]
    tracked = read_tracked(write(tmp_path / "a.csv", names, TRUE.joints[:3], {"frame": frames}), Reading(side="left"))
    assert tracked.numbers.tolist() == [10, 12, 14, 16]
    assert np.isnan(tracked.joints[0, 2]).all()


def test_what_is_ambiguous_is_not_guessed(tmp_path):
    names = [f"joint{number}_{{axis}}" for number in range(21)]
    with pytest.raises(InputError, match="hand side: expected --side right or --side left"):
        read_tracked(write(tmp_path / "a.csv", names, TRUE.joints))
    both = np.concatenate([TRUE.joints, TRUE.joints + 1], axis=1)
    several = write(tmp_path / "a.csv", [*names, *(name.replace("joint", "smooth") for name in names)], both)
    with pytest.raises(InputError, match="--hand-key: expected one of 'joint', 'smooth', which all have joints"):
        read_tracked(several, Reading(side="left"))
    found = read_tracked(several, Reading(side="left", hand_key="smooth")).joints[0]
    np.testing.assert_allclose(found, TRUE.joints + 1)
    stamps = {"time": 1e-12 * np.arange(TRUE.n_frames)}
    with pytest.raises(InputError, match="time: expected time stamps that increase in steps of 1 ms to 1 s"):
        read_tracked(write(tmp_path / "a.csv", names, TRUE.joints, stamps), Reading(side="left"))
    stamps = {"time_s": np.zeros(TRUE.n_frames)}
    with pytest.raises(InputError, match="time stamps: expected two at least, each after the one before"):
        read_tracked(write(tmp_path / "a.csv", names, TRUE.joints, stamps), Reading(side="left"))
    for few in (names[:20], ["wrist_{axis}", "thumb_tip_{axis}"]):
        with pytest.raises(InputError, match="format: expected a file of"):
            read_tracked(write(tmp_path / "a.csv", few, TRUE.joints[:, : len(few)]), Reading(side="left"))
    path = write(tmp_path / "a.csv", names, TRUE.joints)
    path.write_text(path.read_text().replace(path.read_text().split("\n")[3], "1,2"))
    with pytest.raises(InputError, match="table: expected lines of as many numbers each"):
        read_tracked(path, Reading(side="left"))


def test_uneven_stamps_are_taken_as_they_are(tmp_path):
    """A hand and object in even motion, recorded at times of uneven steps, move evenly in the sequence."""
    rng = np.random.default_rng(3)
    seconds = 100 + np.cumsum(np.append(0, rng.uniform(0.02, 0.06, 40)))
    velocity = np.array([0.3, -0.2, 0.1])
    way = (seconds - 100)[:, None] * velocity
    np.savetxt(
        tmp_path / "poses.csv",
        np.column_stack([seconds, way + TRUE.object_poses[20, :3, 3], np.tile([1.0, 0, 0, 0], (41, 1))]),
        delimiter=",",
        header="timestamp_s,tx,ty,tz,qw,qx,qy,qz",
        comments="",
    )
    names = [f"joint{number}_{{axis}}" for number in range(21)]
    path = write(tmp_path / "a.csv", names, TRUE.joints[20] + way[:, None], {"timestamp_s": seconds})
    TRUE.mesh.export(tmp_path / "object.ply")
    reading = Reading(side="left", object_poses=tmp_path / "poses.csv")
    found = load_any(path, tmp_path / "object.ply", 1.0, reading)
    joints = np.asarray(found.sequence.hands.joints[0])
    times = np.arange(len(joints)) / found.sequence.fps
    assert found.sequence.fps == pytest.approx(1 / np.median(np.diff(seconds)))
    np.testing.assert_allclose(joints, TRUE.joints[20] + (times[:, None] * velocity)[:, None], atol=1e-5)
    moved = np.asarray(found.sequence.object_motion.translation[0])
    np.testing.assert_allclose(moved, TRUE.object_poses[20, :3, 3] + times[:, None] * velocity, atol=1e-5)
    assert f"interpolated to {len(joints)} frames at" in found.lines[3]
