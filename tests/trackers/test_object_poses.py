"""Object poses in every form, against the poses that they were made from."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.trackers.object_poses import read_object_poses
from toch_jax.trackers.reading import Reading

RNG = np.random.default_rng(2)
TURNS = Rotation.random(9, rng=RNG)
PLACES = RNG.normal(size=(9, 3))
POSES = np.tile(np.eye(4), (9, 1, 1))
POSES[:, :3, :3], POSES[:, :3, 3] = TURNS.as_matrix(), PLACES
XYZW = TURNS.as_quat()
WXYZ = XYZW[:, [3, 0, 1, 2]]


def same(found: np.ndarray, expected: np.ndarray = POSES) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-9)


FORMS = {
    "matrices": (POSES, {}),
    "three rows": (POSES[:, :3], {}),
    "16 numbers": (POSES.reshape(9, 16), {}),
    "12 numbers": (POSES[:, :3].reshape(9, 12), {}),
    "place, xyzw": (np.column_stack([PLACES, XYZW]), {"object_rotation": "xyzw"}),
    "wxyz, place": (np.column_stack([WXYZ, PLACES]), {"object_rotation": "wxyz"}),
    "axis-angle": (np.column_stack([TURNS.as_rotvec(), PLACES]), {}),
    "row vectors": (POSES.swapaxes(1, 2), {"object_rotation": "rows"}),
    "row vectors, column of places": (
        np.concatenate([np.concatenate([POSES[:, :3, :3].swapaxes(1, 2), PLACES[..., None]], 2), POSES[:, 3:]], 1),
        {"object_rotation": "rows"},
    ),
    "millimetres": (POSES * np.array([1, 1, 1, 1000]), {"object_unit": "mm"}),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("ending", [".npy", ".json", ".npz"])
def test_forms(name, ending, tmp_path):
    value, choices = FORMS[name]
    if name == "millimetres":
        value = POSES.copy()
        value[:, :3, 3] *= 1000
    path = tmp_path / f"poses{ending}"
    if ending == ".npz":
        np.savez(path, other=np.zeros(3), poses=value)
        choices = {**choices, "object_key": "poses"}
    elif ending == ".json":
        path.write_text(json.dumps(value.tolist()))
    else:
        np.save(path, value)
    same(read_object_poses(path, Reading(**choices)).matrices)


@pytest.mark.parametrize("form", ["16 numbers", "place, xyzw", "four lines each"])
@pytest.mark.parametrize("delimiter", [",", " "])
def test_text(form, delimiter, tmp_path):
    value, choices = FORMS.get(form, (POSES.reshape(-1, 4), {}))
    np.savetxt(tmp_path / "poses.txt", value, delimiter=delimiter)
    same(read_object_poses(tmp_path / "poses.txt", Reading(**choices)).matrices)


def test_a_quaternions_order_is_never_guessed(tmp_path):
    np.save(tmp_path / "a.npy", FORMS["place, xyzw"][0])
    with pytest.raises(InputError, match="--object-rotation: expected wxyz or xyzw, for quaternions, found nothing"):
        read_object_poses(tmp_path / "a.npy", Reading())
    wrong = read_object_poses(tmp_path / "a.npy", Reading(object_rotation="wxyz")).matrices
    assert np.abs(wrong - POSES).max() > 0.1


def test_records(tmp_path):
    path = tmp_path / "a.json"
    records = [
        {"rotation": R.tolist(), "translation": t.tolist()} for R, t in zip(POSES[:, :3, :3], PLACES, strict=True)
    ]
    path.write_text(json.dumps(records))
    same(read_object_poses(path, Reading()).matrices)
    path.write_text(json.dumps({f"{index:06d}": record for index, record in reversed(list(enumerate(records)))}))
    same(read_object_poses(path, Reading()).matrices)
    named = [{"position": t.tolist(), "quaternion": q.tolist()} for q, t in zip(WXYZ, PLACES, strict=True)]
    path.write_text("\n".join(map(json.dumps, named)))
    same(read_object_poses(path, Reading(object_rotation="wxyz")).matrices)
    np.savez(tmp_path / "a.npz", rot=TURNS.as_rotvec(), trans=PLACES)
    same(read_object_poses(tmp_path / "a.npz", Reading()).matrices)
    np.savez(tmp_path / "b.npz", object_pose_world=POSES, fps=30)
    same(read_object_poses(tmp_path / "b.npz", Reading()).matrices)


def test_null_is_a_lost_frame(tmp_path):
    path = tmp_path / "a.json"
    for values in (POSES.tolist(), [{"matrix": pose} for pose in POSES.tolist()]):
        path.write_text(json.dumps([*values[:3], None, *values[4:]]))
        found = read_object_poses(path, Reading()).matrices
        assert np.isnan(found[3]).all()
        same(np.delete(found, 3, 0), np.delete(POSES, 3, 0))


@pytest.mark.parametrize("count", [3, 4])
def test_few_frames(count, tmp_path):
    """Three frames of rotation vectors are no matrix, four of quaternions no pose."""
    np.savez(tmp_path / "a.npz", rot=TURNS.as_rotvec()[:count], trans=PLACES[:count])
    same(read_object_poses(tmp_path / "a.npz", Reading()).matrices, POSES[:count])
    np.savez(tmp_path / "b.npz", quaternion=XYZW[:count], translation=PLACES[:count])
    same(read_object_poses(tmp_path / "b.npz", Reading(object_rotation="xyzw")).matrices, POSES[:count])


def test_foundation_pose(tmp_path):
    """A text file for each frame; one that is missing, and one of zeros, are lost."""
    for frame in (0, 2, 6, 8):
        np.savetxt(tmp_path / f"{10 * frame + 5:07d}.txt", POSES[frame] if frame != 6 else np.zeros((4, 4)))
    found = read_object_poses(tmp_path, Reading())
    assert found.numbers.tolist() == [5, 25, 45, 65, 85]
    same(found.matrices[[0, 1, 4]], POSES[[0, 2, 8]])
    assert np.isnan(found.matrices[[2, 3]]).all()


def test_faults(tmp_path):
    faults = {
        "two quaternions": (np.column_stack([WXYZ, WXYZ[:, :3]]), "neither|both"),
        "a mirror": (POSES * np.array([1, 1, -1, 1]), "rotation matrices"),
        "five columns": (np.zeros((9, 5)), "object poses: expected numbers of shape"),
        "text": (np.array(["a"] * 9), "numbers"),
    }
    for name, (value, message) in faults.items():
        np.save(tmp_path / "a.npy", value)
        with pytest.raises(InputError, match=message):
            read_object_poses(tmp_path / "a.npy", Reading(object_rotation="wxyz" if "quaternion" in name else None))
    np.save(tmp_path / "a.npy", POSES)
    with pytest.raises(InputError, match="--object-rotation: expected matrix or rows, for matrices, found xyzw"):
        read_object_poses(tmp_path / "a.npy", Reading(object_rotation="xyzw"))
    np.savez(tmp_path / "a.npz", one=POSES, two=POSES)
    with pytest.raises(InputError, match=r"\(--object-key KEY\), found one, two"):
        read_object_poses(tmp_path / "a.npz", Reading())
    with pytest.raises(InputError, match="--object-key: expected one of its keys: one, two, found three"):
        read_object_poses(tmp_path / "a.npz", Reading(object_key="three"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="files with numbers in their names"):
        read_object_poses(tmp_path / "folder", Reading())


def table(path, names, columns, delimiter=",", comment=""):
    np.savetxt(path, np.column_stack(columns), delimiter=delimiter, header=delimiter.join(names), comments=comment)
    return path


TABLES = {
    "short names": (["tx", "ty", "tz", "qw", "qx", "qy", "qz"], [PLACES, WXYZ], {}),
    "ROS": (
        [f"pose.position.{a}" for a in "xyz"] + [f"pose.orientation.{a}" for a in "xyzw"],
        [PLACES, XYZW],
        {},
    ),
    "quaternion first, millimetres": (
        [*(f"rot_{a}" for a in "wxyz"), *(f"pos_{a} [mm]" for a in "xyz")],
        [WXYZ, 1000 * PLACES],
        {},
    ),
    "rotation vector": (["x", "y", "z", "rotvec_x", "rotvec_y", "rotvec_z"], [PLACES, TURNS.as_rotvec()], {}),
    "asked": (["x", "y", "z", "rx", "ry", "rz"], [PLACES, TURNS.as_rotvec()], {"object_rotation": "axis-angle"}),
    "matrix": (
        [f"r{i}{j}" for i in "123" for j in "123"] + ["x", "y", "z"],
        [POSES[:, :3, :3].reshape(9, 9), PLACES],
        {},
    ),
    "matrix for row vectors": (
        [*(f"R{i}{j}" for i in "012" for j in "012"), "tx", "ty", "tz"],
        [POSES[:, :3, :3].swapaxes(1, 2).reshape(9, 9), PLACES],
        {"object_rotation": "rows"},
    ),
    "4 x 4": ([f"m{i}{j}" for i in "0123" for j in "0123"], [POSES.reshape(9, 16)], {}),
    "unit by option": (["tx", "ty", "tz", "qx", "qy", "qz", "qw"], [100 * PLACES, XYZW], {"object_unit": "cm"}),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("delimiter", [",", " "])
def test_tables_with_names(name, delimiter, tmp_path):
    names, columns, choices = TABLES[name]
    if delimiter == " ":
        names = [each.replace(" ", "") for each in names]
    path = table(tmp_path / "poses.csv", names, columns, delimiter)
    same(read_object_poses(path, Reading(**choices)).matrices)


def test_a_trajectory_of_tum(tmp_path):
    """timestamp tx ty tz qx qy qz qw, with the names in a comment or not."""
    seconds = 1305031102.17 + 0.1 * np.arange(9)
    names = ["timestamp", *("tx", "ty", "tz", "qx", "qy", "qz", "qw")]
    path = table(tmp_path / "poses.txt", names, [seconds, PLACES, XYZW], " ", "# ")
    found = read_object_poses(path, Reading())
    same(found.matrices)
    np.testing.assert_allclose(found.seconds, seconds)
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    found = read_object_poses(path, Reading(object_rotation="xyzw"))
    same(found.matrices)
    np.testing.assert_allclose(found.seconds, seconds)
    with pytest.raises(InputError, match="--object-rotation: expected wxyz or xyzw"):
        read_object_poses(path, Reading())


def test_one_of_several_objects_and_frame_numbers(tmp_path):
    frames = np.array([3, 4, 5, 6, 7, 8, 9, 10, 12])
    one = ["tx", "ty", "tz", "qw", "qx", "qy", "qz"]
    names = ["frame", *(f"mug_{name}" for name in one), *(f"bowl_{name}" for name in one)]
    path = table(tmp_path / "poses.csv", names, [frames, PLACES, WXYZ, PLACES + 1, WXYZ])
    with pytest.raises(InputError, match="--object-key: expected one of the objects mug, bowl, found nothing"):
        read_object_poses(path, Reading())
    found = read_object_poses(path, Reading(object_key="mug"))
    assert found.numbers.tolist() == list(range(3, 13))
    same(np.delete(found.matrices, 8, 0))
    assert np.isnan(found.matrices[8]).all()


def test_records_with_named_axes(tmp_path):
    records = [
        {
            "position": dict(zip("xyz", t.tolist(), strict=True)),
            "orientation": dict(zip("xyzw", q.tolist(), strict=True)),
        }
        for t, q in zip(PLACES, XYZW, strict=True)
    ]
    (tmp_path / "a.json").write_text(json.dumps(records))
    same(read_object_poses(tmp_path / "a.json", Reading()).matrices)


def test_faults_of_tables(tmp_path):
    path = table(tmp_path / "a.csv", ["x", "y", "z", "rx", "ry", "rz"], [PLACES, TURNS.as_rotvec()])
    with pytest.raises(InputError, match=r"--object-rotation axis-angle \(radians\) .*Euler angles are not read"):
        read_object_poses(path, Reading())
    path = table(tmp_path / "a.csv", ["x", "y", "z", "qw", "qx", "qy", "qz"], [PLACES, WXYZ])
    with pytest.raises(InputError, match="--object-rotation: expected none, as the columns are a quaternion's"):
        read_object_poses(path, Reading(object_rotation="rows"))
    path = table(
        tmp_path / "a.csv", ["time", "x", "y", "z", "qw", "qx", "qy", "qz"], [-0.1 * PLACES[:, 0], PLACES, WXYZ]
    )
    with pytest.raises(InputError, match=r"time: expected time stamps|time stamps: expected each after"):
        read_object_poses(path, Reading())
    path = table(tmp_path / "a.csv", ["x", "y", "z", "roll", "pitch", "yaw"], [PLACES, TURNS.as_rotvec()])
    with pytest.raises(
        InputError, match=r"expected columns of a translation and a rotation .*, found x, y, z, roll, pitch, yaw"
    ):
        read_object_poses(path, Reading())
