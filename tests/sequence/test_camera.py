"""The camera in a sequence: its keys, where it is, and what changes a clip's frames."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.records import Record, write_record

from toch_jax.base.errors import InputError
from toch_jax.base.files import read_arrays
from toch_jax.sequence.arrays import arrays_from_sequence, sequence_from_arrays
from toch_jax.sequence.camera import resting_camera
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.record import sequence_from_record
from toch_jax.track.resampling import resampled

INTRINSICS = np.array([[600.0, 0, 320], [0, 610, 240], [0, 0, 1]])


def with_camera(record: Record, moving: bool) -> Record:
    rng = np.random.default_rng(3)
    shape = (6, 3) if moving else (3,)
    pose = {"camera_rotation": 0.5 * rng.normal(size=shape), "camera_translation": rng.normal(size=shape)}
    return record | {"version": np.array(2), "camera_intrinsics": INTRINSICS, **pose}


@pytest.mark.parametrize("moving", [False, True])
def test_what_is_saved_is_read_again(tmp_path: Path, record: Record, moving: bool) -> None:
    given = with_camera(record, moving)
    save_sequence(tmp_path / "again.npz", load_sequence(write_record(tmp_path / "clip.npz", given)))
    again = read_arrays(tmp_path / "again.npz")
    assert int(again["version"]) == 2
    for key in ("camera_intrinsics", "camera_rotation", "camera_translation"):
        np.testing.assert_allclose(again[key], given[key], atol=1e-5, err_msg=key)


def test_a_file_without_camera_stays_one_of_version_1(tmp_path: Path, record: Record) -> None:
    save_sequence(tmp_path / "again.npz", load_sequence(write_record(tmp_path / "clip.npz", record)))
    again = read_arrays(tmp_path / "again.npz")
    assert int(again["version"]) == 1
    assert not [key for key in again if key.startswith("camera")]


def test_the_centre_is_where_points_are_at_the_cameras_origin(record: Record) -> None:
    given = with_camera(record, moving=True)
    camera = sequence_from_record("clip", given).camera
    assert camera is not None
    rotation = Rotation.from_rotvec(given["camera_rotation"])
    np.testing.assert_allclose(rotation.apply(camera.centre) + given["camera_translation"], 0, atol=1e-5)
    # a point two metres ahead of the camera is seen along its z axis
    ahead = rotation.inv().apply(np.array([0, 0, 2.0]) - given["camera_translation"])
    np.testing.assert_allclose(rotation.apply(camera.rays(ahead)), np.tile([0, 0, 1.0], (6, 1)), atol=1e-5)


def test_matrices_and_axis_angle_are_the_same_camera(record: Record) -> None:
    given = with_camera(record, moving=False)
    arrays = {key: value for key, value in given.items() if key not in ("format", "version")}
    arrays = {key: value.item() if value.ndim == 0 else value for key, value in arrays.items()}
    turned = arrays | {"camera_rotation": Rotation.from_rotvec(given["camera_rotation"]).as_matrix()}
    one, other = sequence_from_arrays(**arrays), sequence_from_arrays(**turned)
    assert one.camera is not None
    assert other.camera is not None
    np.testing.assert_allclose(one.camera.rotation, other.camera.rotation, atol=1e-6)
    np.testing.assert_allclose(arrays_from_sequence(other)["camera_rotation"], given["camera_rotation"], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"camera_translation": None}, "camera_translation: expected this key beside camera_intrinsics, found none"),
        ({"camera_rotation": np.zeros(4)}, "camera_rotation: expected shape (3), found (4,)"),
        ({"camera_translation": np.zeros((5, 3))}, "camera_translation: expected shape (T, 3) with T = 6"),
        ({"camera_rotation": np.full(3, np.nan)}, "camera_rotation: expected finite numbers, found 3 that are not"),
        ({"camera_rotation": np.full(3, 90.0)}, "camera_rotation: expected axis-angle in radians"),
        ({"camera_intrinsics": np.zeros((3, 3))}, "camera_intrinsics: expected pixels, [[fx, 0, cx], [0, fy, cy]"),
    ],
)
def test_bad_cameras(tmp_path: Path, record: Record, change: dict[str, object], message: str) -> None:
    path = write_record(tmp_path / "clip.npz", with_camera(record, moving=False), **change)
    with pytest.raises(InputError, match=r"clip\.npz") as fault:
        load_sequence(path)
    assert message in str(fault.value)


def test_frames_are_those_of_the_clip(record: Record) -> None:
    sequence = sequence_from_record("clip", with_camera(record, moving=True))
    part = sequence.frames(2, 5).camera
    assert part is not None
    assert sequence.camera is not None
    np.testing.assert_array_equal(part.centre, sequence.camera.centre[2:5])


def test_mirrored_twice_the_camera_is_where_it_was(record: Record) -> None:
    sequence = sequence_from_record("clip", with_camera(record, moving=True))
    image = mirror(sequence)
    again = mirror(image)
    assert sequence.camera is not None
    assert image.camera is not None
    assert again.camera is not None
    np.testing.assert_allclose(image.camera.centre, sequence.camera.centre * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(again.camera.rotation, sequence.camera.rotation, atol=1e-6)


def test_at_twice_the_rate_the_camera_moves_evenly(record: Record) -> None:
    keys = ("format", "version", "fps", "hand_side", "object_")
    joints = {key: value for key, value in record.items() if key.startswith(keys) or key == "hand_joints"}
    sequence = sequence_from_record("clip", with_camera(joints, moving=True))
    camera = resampled(sequence, 60).camera
    assert sequence.camera is not None
    assert camera is not None
    np.testing.assert_allclose(camera.centre[::2], sequence.camera.centre, atol=1e-5)
    np.testing.assert_allclose(camera.centre[1], sequence.camera.centre[:2].mean(axis=0), atol=1e-5)


def test_a_resting_camera_looks_ahead() -> None:
    place, ahead = np.array([0.3, -0.5, 0.7]), np.array([0.1, 0.2, 0.0])
    camera = resting_camera(place, ahead, 4)
    np.testing.assert_allclose(camera.centre, np.tile(place, (4, 1)), atol=1e-6)
    seen = np.asarray(camera.rotation[0]) @ ahead + np.asarray(camera.translation[0])
    np.testing.assert_allclose(seen, [0, 0, np.linalg.norm(ahead - place)], atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(camera.rotation), 1, atol=1e-6)
