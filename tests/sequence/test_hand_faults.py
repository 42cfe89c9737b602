"""Wrong frames of a hand that the tracker did not mark, and joints that it missed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import toch_jax.example
from toch_jax.base.errors import InputError
from toch_jax.metrics.clip import measure
from toch_jax.sequence.arrays import sequence_from_arrays
from toch_jax.sequence.derived import pose_hands
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.hand_faults import bridge_joints, enough_joints, frame_ranges, mark_missing
from toch_jax.sequence.record import sequence_from_record
from toch_jax.sequence.types import Sequence

Record = dict[str, np.ndarray]
MOVING = ("hand_global_orient", "hand_pose", "hand_transl", "hand_joints", "hand_vertices")
N_FRAMES = 60


def _swing(n_frames: int, fps: float) -> np.ndarray:
    """A path (T, 3) of 0.3 m there and back within a second, metres."""
    time = np.arange(n_frames) / fps
    return 0.15 * np.stack([np.sin(2 * np.pi * time), np.cos(2 * np.pi * time), 0.2 * np.sin(5 * time)], axis=1)


@pytest.fixture(params=["parameters", "joints", "vertices"])
def moving(request: pytest.FixtureRequest, make_record: Callable[..., Record]) -> Record:
    """A hand that moves to and fro near a resting object, as parameters, joints or vertices."""
    record, rng = make_record(N_FRAMES), np.random.default_rng(0)
    path = _swing(N_FRAMES, 30.0)
    shape = record["hand_joints"][0, 0] - record["hand_joints"][0, 0, 0]
    record["hand_joints"] = (path[:, None] + shape)[None] + 0.003 * rng.normal(size=(1, N_FRAMES, 21, 3))
    record["hand_vertices"] = record["hand_joints"] + 0.01
    record["hand_transl"] = path[None] + 0.003 * rng.normal(size=(1, N_FRAMES, 3))
    record["object_rotation"] = np.zeros((1, N_FRAMES, 3))
    record["object_translation"] = np.full((1, N_FRAMES, 3), 0.05)
    del record["truth_joints"], record["hand_model"]
    if request.param != "parameters":
        names = ("global_orient", "pose", "transl", "betas", "joints" if request.param == "vertices" else "vertices")
        for name in names:
            del record[f"hand_{name}"]
    else:
        record["hand_model"] = np.array("mano")
    return record


def _lost(sequence: Sequence) -> list[int]:
    return np.flatnonzero(~np.asarray(sequence.hand_valid)[0]).tolist()


def _shift(record: Record, frames: slice, by: list[float]) -> None:
    for key in ("hand_transl", "hand_joints", "hand_vertices"):
        if key in record:
            value = record[key][0, frames]
            value += np.reshape(by, (3,) if value.ndim == 2 else (1, 1, 3))


def test_what_is_right_stays_without_a_word(moving: Record) -> None:
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == []
    assert sequence.notes == ()


@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("start", [0, 30, 54])
def test_jumps_there_and_back(moving: Record, start: int, length: int) -> None:
    _shift(moving, slice(start, start + length), [0.0, 0.3, 0.0])
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == list(range(start, start + length))
    (note,) = sequence.notes
    assert note.startswith("hand 0 (right): frame")
    assert note.endswith("of the frames around: treated as lost")


def test_a_jump_on_being_found_again(moving: Record) -> None:
    moving["hand_valid"] = np.ones((1, N_FRAMES), bool)
    moving["hand_valid"][0, 20:24] = False
    _shift(moving, slice(24, 26), [0.6, 0.0, 0.0])
    assert _lost(sequence_from_record("clip.npz", moving)) == list(range(20, 26))


def test_a_jump_that_lasts_is_said_and_kept(moving: Record) -> None:
    _shift(moving, slice(30, None), [0.0, 0.3, 0.0])
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == []
    (note,) = sequence.notes
    assert "frame 30 is up to 0.3" in note
    assert note.endswith("and it stays there: is that right?")


@pytest.fixture
def clean() -> Record:
    """The example with its true hand as the tracked one: about 90 frames at 30 fps without noise."""
    with np.load(Path(toch_jax.example.__file__).parent / "tracked.npz") as archive:
        record = dict(archive)
    for name in ("global_orient", "pose", "transl", "betas"):
        record[f"hand_{name}"] = record.pop(f"truth_{name}")
    return record


@pytest.mark.parametrize("noise_m", [0.0, 0.003])
@pytest.mark.parametrize("what", ["wrist turned by 180", "wrist turned by 50", "80 mm away", "fingers broken"])
def test_single_parameters_that_jump(clean: Record, what: str, noise_m: float) -> None:
    rng, bad = np.random.default_rng(0), [30, 55, 56, 57]
    clean["hand_transl"] += noise_m * rng.normal(size=clean["hand_transl"].shape)
    if what.startswith("wrist"):
        turn = Rotation.from_rotvec(np.deg2rad(int(what[-3:])) * np.array([0.0, 0.6, 0.8]))
        clean["hand_global_orient"][0, bad] = (
            turn * Rotation.from_rotvec(clean["hand_global_orient"][0, bad])
        ).as_rotvec()
    elif what == "80 mm away":
        clean["hand_transl"][0, bad] += [0.08, 0.0, 0.0]
    else:
        clean["hand_pose"][0, bad] = rng.normal(0, 0.8, (len(bad), 45))
    sequence = sequence_from_record("clip.npz", clean)
    assert _lost(sequence) == bad
    assert "frames 30, 55-57 are up to 0." in sequence.notes[0]


def test_a_hand_that_reaches_fast_does_not_jump(clean: Record) -> None:
    """0.4 m to and fro in half a second (up to 2.5 m/s, 20 m/s^2); the wrist rotates by 90 degrees, fingers bend."""
    time = np.arange(clean["hand_transl"].shape[1]) / 30.0
    swing = np.sin(4 * np.pi * time)[:, None]
    clean["hand_transl"][0] = clean["hand_transl"][0, 45] + 0.2 * swing * [0.6, 0.8, 0.0]
    clean["hand_global_orient"][0] = np.deg2rad(45) * swing * [0.0, 0.0, 1.0]
    clean["hand_pose"][0] = 0.7 * (1 + swing) * np.tile([0.0, 0.0, 1.0], 15)
    sequence = sequence_from_record("clip.npz", clean)
    assert _lost(sequence) == []
    assert sequence.notes == ()


@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_noise_is_no_jump(make_record: Callable[..., Record], fps: float) -> None:
    for seed in range(20):
        record, rng = make_record(200), np.random.default_rng(seed)
        record["fps"] = np.array(fps)
        record["hand_transl"] = (_swing(200, fps) + 0.02 * rng.normal(size=(200, 3)))[None]
        sequence = sequence_from_record("clip.npz", record)
        assert _lost(sequence) == []


def test_zero_frames(moving: Record) -> None:
    for key in MOVING:
        if key in moving:
            moving[key][0, 20:40] = 0
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == list(range(20, 40))
    (note,) = sequence.notes
    assert "frames 20-39 are all zero or all one point" in note


def test_points_that_fall_together(make_record: Callable[..., Record]) -> None:
    record = {key: value for key, value in make_record().items() if not key.startswith("hand_") or key == "hand_side"}
    joints = make_record()["hand_joints"]
    joints[0, 2] = joints[0, 2, 0]
    assert _lost(sequence_from_record("clip.npz", record | {"hand_joints": joints})) == [2]


def test_a_pose_that_is_held(moving: Record) -> None:
    for key in MOVING:
        if key in moving:
            moving[key][0, 11:20] = moving[key][0, 10]
            moving[key][0, 55:] = moving[key][0, 54]
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == [*range(11, 20), *range(55, 60)]
    (note,) = sequence.notes
    assert "frames 11-19, 55-59 are the same to the bit as the frame before: treated as lost" in note


def test_a_filled_up_frame_rate(moving: Record) -> None:
    for key in MOVING:
        if key in moving:
            moving[key][0, 1::2] = moving[key][0, ::2]
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == list(range(1, N_FRAMES, 2))
    assert "(were samples repeated to fill the frame rate?)" in sequence.notes[0]


def test_a_hand_that_rests_in_all_frames(moving: Record) -> None:
    for key in MOVING:
        if key in moving:
            moving[key][:] = moving[key][:, :1]
    sequence = sequence_from_record("clip.npz", moving)
    assert _lost(sequence) == []
    assert sequence.notes == ("hand 0 (right): all frames are the same to the bit: taken as a hand that rests",)


def test_rest_in_motion_without_noise(make_record: Callable[..., Record]) -> None:
    record = make_record(N_FRAMES)
    time = np.arange(N_FRAMES)
    # exactly at rest between frames 20 and 40, with constant acceleration before and after
    path = 1e-4 * (np.clip(20 - time, 0, None) ** 2 + np.clip(time - 40, 0, None) ** 2)
    record["hand_transl"] = path[None, :, None] * np.ones(3)
    for key in ("hand_global_orient", "hand_pose"):
        record[key] = np.broadcast_to(record[key][:, :1], record[key].shape)
    sequence = sequence_from_record("clip.npz", record)
    assert _lost(sequence) == []
    assert sequence.notes == ()


def test_arrays_are_checked_as_files_are(moving: Record) -> None:
    _shift(moving, slice(30, 33), [0.0, 0.3, 0.0])
    arrays = {key: value for key, value in moving.items() if key not in ("format", "version")}
    sequence = sequence_from_arrays(
        **{key: value.item() if value.ndim == 0 else value for key, value in arrays.items()}
    )
    assert _lost(sequence) == [30, 31, 32]


def test_the_example_is_as_it_was() -> None:
    sequence = load_sequence(Path(toch_jax.example.__file__).parent / "tracked.npz")
    assert np.asarray(sequence.hand_valid).all()
    assert sequence.notes == ()


def test_frame_ranges() -> None:
    found = np.zeros(30, bool)
    found[7] = True
    assert frame_ranges(found) == "frame 7 is"
    found[[3, 8, 9]] = True
    assert frame_ranges(found) == "frames 3, 7-9 are"
    found[::2] = True
    assert frame_ranges(found) == "frames 0, 2-4, 6-10, 12, 14, ... (18 in all) are"


def _joints_only(record: Record, change: Callable[[np.ndarray], None]) -> Sequence:
    """The record with joints alone, after `change`."""
    joints = record["hand_joints"].copy()
    change(joints)
    kept = {key: value for key, value in record.items() if not key.startswith("hand_") or key == "hand_side"}
    return sequence_from_record("clip.npz", kept | {"hand_joints": joints})


def test_a_frame_is_kept_without_some_of_its_joints(record: Record) -> None:
    def change(joints: np.ndarray) -> None:
        joints[0, 1, 7] = np.nan
        joints[0, 2, 3, 1] = np.inf
        joints[0, 4, 10:] = 0
        joints[0, 5, 0] = np.nan

    sequence = _joints_only(record, change)
    # a frame without its wrist is lost
    np.testing.assert_array_equal(sequence.hand_valid[0], [True, True, True, True, True, False])
    missing = np.isnan(np.asarray(sequence.hands.joints)).any(axis=-1)[0]
    expected = np.zeros((6, 21), bool)
    expected[1, 7] = expected[2, 3] = expected[4:, 10:] = True
    np.testing.assert_array_equal(missing, expected)
    (note,) = sequence.notes
    assert note.startswith("hand 0 (right): 13 single joints are missing (NaN or all zero) in 3 frames: ")


def test_a_joint_that_is_never_there(record: Record) -> None:
    sequence = _joints_only(record, lambda joints: joints[..., 12, :].fill(np.nan))
    assert sequence.hand_valid.all()
    assert ", 1 of the 21 in all frames" in sequence.notes[0]
    # the middle finger's tip, which the estimate of the hand's size uses
    (hand,) = pose_hands(sequence)
    assert np.isfinite(measure(sequence, [hand])["acceleration"])


def test_what_places_no_hand_is_refused(record: Record) -> None:
    with pytest.raises(InputError, match="expected a frame with the wrist, 2 fingers' first joints and 8 joints"):
        _joints_only(record, lambda joints: joints[..., 0, :].fill(np.nan))


def test_joints_relative_to_the_wrist_keep_it() -> None:
    joints = np.random.default_rng(0).normal(size=(1, 5, 21, 3))
    joints -= joints[:, :, :1]
    assert np.isfinite(mark_missing(joints)).all()
    joints[0, 3] = 0
    assert np.isfinite(mark_missing(joints)).all(), "a frame of zeros is another matter"


@pytest.mark.parametrize(
    ("known", "enough"),
    [([0, 5, 9, 1, 2, 3, 4, 6], True), ([0, 5, 9, 1, 2, 3, 4], False), ([0, 5, *range(1, 5), 6, 7, 8], False)],
)
def test_how_many_joints_are_enough(known: list[int], enough: bool) -> None:
    joints = np.full((1, 1, 21, 3), np.nan)
    joints[0, 0, known] = 0.1
    assert enough_joints(joints) == enough


def test_bridging_is_linear_in_time_and_straight_in_space() -> None:
    joints = np.arange(7.0)[:, None, None] + np.arange(21.0)[None, :, None] + np.zeros(3)
    holed = joints.copy()
    holed[2:4, 6] = holed[:, 7:9] = np.nan
    np.testing.assert_allclose(bridge_joints(holed), joints)
    holed[0, 6] = np.nan
    np.testing.assert_allclose(bridge_joints(holed)[0, 6], joints[1, 6], err_msg="held at the ends")
