"""Objects of several parts: their poses in each form, and the sequence with them."""

import json

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.trackers.part_poses import read_part_poses
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import load_any

RNG = np.random.default_rng(5)
PARTS = np.tile(np.eye(4), (2, 6, 1, 1))
PARTS[..., :3, :3] = Rotation.random(12, rng=RNG).as_matrix().reshape(2, 6, 3, 3)
PARTS[..., :3, 3] = RNG.normal(size=(2, 6, 3))
NAMES = ("base", "lid")


def write(tmp_path, form):
    path = tmp_path / "poses"
    if form == "npz":
        np.savez(path.with_suffix(".npz"), lid=PARTS[1], base=PARTS[0], fps=30)
        return path.with_suffix(".npz")
    if form == "json":
        path = path.with_suffix(".json")
        turns = Rotation.from_matrix(PARTS[..., :3, :3].reshape(-1, 3, 3)).as_quat().reshape(2, 6, 4)
        base = np.concatenate([PARTS[0, :, :3, 3], turns[0]], axis=1).tolist()
        lid = {"quaternion": turns[1].tolist(), "position": PARTS[1, :, :3, 3].tolist()}
        path.write_text(json.dumps({"lid": lid, "base": base}))
        return path
    if form == "npy":
        np.save(path.with_suffix(".npy"), PARTS)
        return path.with_suffix(".npy")
    path.mkdir()
    if form == "files":
        np.savetxt(path / "base.txt", PARTS[0].reshape(6, 16))
        np.save(path / "lid.npy", PARTS[1])
    else:
        for part, name in enumerate(NAMES):
            (path / name).mkdir()
            for frame in range(part, 6):
                np.savetxt(path / name / f"{frame + 10:04d}.txt", PARTS[part, frame])
    return path


@pytest.mark.parametrize("form", ["npz", "json", "npy", "files", "folders"])
def test_forms(form, tmp_path):
    found = read_part_poses(write(tmp_path, form), NAMES, Reading(object_rotation="xyzw" if form == "json" else None))
    expected = PARTS.copy()
    if form == "folders":
        expected[1, 0] = np.nan
        assert found.numbers.tolist() == [10, 11, 12, 13, 14, 15]
    np.testing.assert_allclose(found.matrices, expected, atol=1e-9)
    assert found.said == (("parts in the order base, lid",) if form == "npy" else ())


def test_a_part_at_rest(tmp_path):
    np.savez(tmp_path / "a.npz", base=PARTS[0, 0], lid=PARTS[1])
    found = read_part_poses(tmp_path / "a.npz", NAMES, Reading()).matrices
    np.testing.assert_allclose(found[0], np.tile(PARTS[0, 0], (6, 1, 1)))
    np.testing.assert_allclose(found[1], PARTS[1])


def test_faults(tmp_path):
    np.savez(tmp_path / "a.npz", base=PARTS[0], top=PARTS[1])
    with pytest.raises(InputError, match=r"object poses: expected poses of the part lid, found base, top$"):
        read_part_poses(tmp_path / "a.npz", NAMES, Reading())
    np.savez(tmp_path / "a.npz", base=PARTS[0, :4], lid=PARTS[1])
    with pytest.raises(InputError, match=r"expected as many frames of each part, found base 4, lid 6$"):
        read_part_poses(tmp_path / "a.npz", NAMES, Reading())
    np.save(tmp_path / "a.npy", PARTS[0])
    with pytest.raises(InputError, match=r"poses of the parts base, lid: \(P, T, 4, 4\), .*found ndarray \(6, 4, 4\)$"):
        read_part_poses(tmp_path / "a.npy", NAMES, Reading())


def hinged(tmp_path):
    """The clip's object, and a lid behind it that opens."""
    true = clip("left")
    (tmp_path / "object").mkdir()
    true.mesh.export(tmp_path / "object" / "base.ply")
    trimesh.creation.box((0.06, 0.06, 0.01)).export(tmp_path / "object" / "lid.stl")
    opening = np.tile(np.eye(4), (true.n_frames, 1, 1))
    opening[:, :3, :3] = Rotation.from_rotvec(np.linspace([0, 0, 0], [0.8, 0, 0], true.n_frames)).as_matrix()
    opening[:, :3, 3] = [0, 0, 0.15]
    poses = {"base": true.object_poses, "lid": true.object_poses @ opening}
    np.save(tmp_path / "hand.npy", true.joints)
    np.savez(tmp_path / "poses.npz", **poses)
    return true, poses


def test_a_sequence_of_a_hinged_object(tmp_path):
    true, poses = hinged(tmp_path)
    reading = Reading(fps=8.0, side="left", object_poses=tmp_path / "poses.npz")
    found = load_any(tmp_path / "hand.npy", tmp_path / "object", 1.0, reading)
    motion = found.sequence.object_motion
    for part, name in enumerate(NAMES):
        np.testing.assert_allclose(np.asarray(motion.rotation[part]), poses[name][:, :3, :3], atol=1e-6)
        np.testing.assert_allclose(np.asarray(motion.translation[part]), poses[name][:, :3, 3], atol=1e-6)
    vertices, part = np.asarray(found.sequence.object_vertices), np.asarray(found.sequence.object_vertex_part)
    np.testing.assert_allclose(vertices[part == 0], true.mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(np.abs(vertices[part == 1]).max(axis=0), [0.03, 0.03, 0.005], atol=1e-7)
    # a sequence file without its mesh takes the folder too
    save_sequence(tmp_path / "clip.npz", found.sequence)
    again = load_sequence(tmp_path / "clip.npz", tmp_path / "object")
    np.testing.assert_array_equal(np.asarray(again.object_vertex_part), part)


def test_the_self_check_sees_all_parts(tmp_path):
    """Transposed rotations of both parts are found, as those of a rigid object."""
    _, poses = hinged(tmp_path)
    turned = {name: each.copy() for name, each in poses.items()}
    for each in turned.values():
        each[:, :3, :3] = each[:, :3, :3].swapaxes(1, 2)
    np.savez(tmp_path / "poses.npz", **turned)
    reading = Reading(fps=8.0, side="left", object_poses=tmp_path / "poses.npz")
    with pytest.raises(InputError, match="--object-rotation rows"):
        load_any(tmp_path / "hand.npy", tmp_path / "object", 1.0, reading)


def test_parts_and_poses_must_agree(tmp_path):
    true, _ = hinged(tmp_path)
    np.save(tmp_path / "poses.npy", np.stack([true.object_poses] * 2))
    reading = Reading(fps=8.0, side="left", object_poses=tmp_path / "poses.npy")
    with pytest.raises(InputError, match=r"object poses: expected numbers of shape"):
        load_any(tmp_path / "hand.npy", tmp_path / "object" / "base.ply", 1.0, reading)
