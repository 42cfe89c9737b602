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
