from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import toch_jax.example
from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.arrays import sequence_from_arrays
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.object_outliers import mend_object
from toch_jax.sequence.outliers import frame_ranges
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


def _object(n_frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and centres of an object that rotates by 2 degrees per frame and moves."""
    turn = Rotation.from_rotvec(np.deg2rad(2) * np.arange(n_frames)[:, None] * [0.0, 0.6, 0.8]).as_matrix()
    return turn, np.array([1.0, 0.0, 0.5]) + 0.005 * np.arange(n_frames)[:, None] * [1.0, 0.0, 0.0]


MIDDLE = np.array([0.0, 0.5, 0.0])


def _motion(turn: np.ndarray, place: np.ndarray, middle: np.ndarray = MIDDLE) -> ObjectMotion:
    """Motion of a part with these rotations (T, 3, 3) and with its centre `middle` at these positions (T, 3)."""
    return ObjectMotion(
        rotation=put(turn[None], np.float32), translation=put((place - turn @ middle)[None], np.float32)
    )


@pytest.mark.parametrize("kind", ["jump", "zero"])
def test_an_object_that_is_away_for_some_frames_is_interpolated(kind: str) -> None:
    turn, place = _object()
    right = _motion(turn, place)
    rotation, translation = np.array(right.rotation), np.array(right.translation)
    if kind == "jump":
        translation[0, 10:14] += [0.0, 0.3, 0.0]
    else:
        translation[0, 10:14], rotation[0, 10:14] = 0, np.eye(3)
    mended, notes = mend_object(ObjectMotion(put(rotation), put(translation)), MIDDLE[None], 30.0)
    # both velocities are constant, so the interpolation is exact
    np.testing.assert_allclose(mended.rotation, right.rotation, atol=1e-6)
    np.testing.assert_allclose(mended.translation, right.translation, atol=1e-6)
    others = np.r_[:10, 14:40]
    np.testing.assert_array_equal(np.asarray(mended.translation)[:, others], translation[:, others])
    (note,) = notes
    assert note.startswith("object: frames 10-13 are ")
    assert note.endswith(": interpolated")


def test_an_object_at_rest_at_the_origin_is_right() -> None:
    turn, place = _object()
    rests = np.concatenate([np.tile(np.eye(3), (20, 1, 1)), turn[:20]])
    motion = _motion(rests, np.concatenate([np.zeros((20, 3)), place[:20] - place[0]]), np.zeros(3))
    mended, notes = mend_object(motion, np.zeros((1, 3)), 30.0)
    np.testing.assert_array_equal(mended.translation, motion.translation)
    assert notes == ()


def test_an_objects_rotation_that_jumps_is_said() -> None:
    turn, place = _object()
    turn[20:] = turn[20:] @ Rotation.from_rotvec([0.0, 0.0, np.pi]).as_matrix()
    _, notes = mend_object(_motion(turn, place), MIDDLE[None], 30.0)
    assert notes == ("object: frame 20 is up to 178 degrees off the frame before: is that right?",)


def test_frame_ranges() -> None:
    found = np.zeros(30, bool)
    found[7] = True
    assert frame_ranges(found) == "frame 7 is"
    found[[3, 8, 9]] = True
    assert frame_ranges(found) == "frames 3, 7-9 are"
    found[::2] = True
    assert frame_ranges(found) == "frames 0, 2-4, 6-10, 12, 14, ... (18 in all) are"
