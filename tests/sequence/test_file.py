from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.records import Record, write_record

from toch_jax.base.errors import InputError
from toch_jax.base.files import read_arrays
from toch_jax.sequence.file import load_sequence, save_sequence


def test_reads_what_is_there(tmp_path: Path, record: Record) -> None:
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record))
    assert (sequence.fps, sequence.hand_side, sequence.hand_model, sequence.n_frames) == (30.0, ("right",), "mano", 6)
    params = sequence.hands.params
    assert params is not None
    for name in ("global_orient", "pose", "transl"):
        np.testing.assert_array_equal(getattr(params, name), record[f"hand_{name}"].astype(np.float32))
    np.testing.assert_array_equal(params.betas[0, 3], record["hand_betas"][0].astype(np.float32))
    assert sequence.hands.joints is not None
    np.testing.assert_array_equal(sequence.hands.joints, record["hand_joints"].astype(np.float32))
    matrices = Rotation.from_rotvec(record["object_rotation"][0]).as_matrix()
    np.testing.assert_allclose(sequence.object_motion.rotation[0], matrices, atol=1e-6)
    assert sequence.hand_valid.all()
    assert sequence.truth is not None
    assert sequence.truth.params is None
    assert sequence.hand_joint_sigma is None


@pytest.mark.parametrize("n_frames", [1, 6])
def test_what_is_saved_is_read_again(tmp_path: Path, make_record: Callable[..., Record], n_frames: int) -> None:
    two = make_record(n_frames, ("right", "left"))
    two["hand_valid"] = np.arange(2 * n_frames).reshape(2, n_frames) != 2
    two["hand_joint_sigma"] = np.random.default_rng(0).uniform(size=(2, n_frames, 21))
    two["object_vertex_part"] = np.repeat([0, 1], [len(two["object_vertices"]), 5])
    two["object_vertices"] = np.concatenate([two["object_vertices"], two["object_vertices"][:5] + 1.0])
    for key in ("object_rotation", "object_translation"):
        two[key] = np.repeat(two[key], 2, axis=0)
    save_sequence(tmp_path / "again.npz", load_sequence(write_record(tmp_path / "clip.npz", two)))
    again = read_arrays(tmp_path / "again.npz")
    assert again.keys() == two.keys()
    for key, value in two.items():
        if value.dtype.kind == "f":
            observed = two["hand_valid"] if value.shape[:2] == (2, n_frames) and key.startswith("hand_") else ...
            np.testing.assert_allclose(again[key][observed], value[observed], atol=1e-6, err_msg=key)
        else:
            np.testing.assert_array_equal(again[key], value, err_msg=key)
    assert list(tmp_path.glob(".*")) == []


def test_lost_poses_of_the_object_are_interpolated_and_marked(tmp_path: Path, record: Record) -> None:
    """NaN and `object_valid` mean the same, and are written as they were read; sigma too."""
    rotation, translation = np.array(record["object_rotation"]), np.array(record["object_translation"])
    translation[0, 2], rotation[0, 3, 1] = np.nan, np.nan
    sigma = np.random.default_rng(0).uniform(size=(1, 6, 6)).astype(np.float32)
    valid = np.array([1, 1, 0, 0, 1, 1], bool)
    changes = {"object_rotation": rotation, "object_translation": translation, "object_pose_sigma": sigma}
    by_nan = load_sequence(write_record(tmp_path / "nan.npz", record, **changes))
    marked = load_sequence(write_record(tmp_path / "marked.npz", record, object_valid=valid))
    np.testing.assert_array_equal(by_nan.object_observed, valid[None])
    np.testing.assert_array_equal(marked.object_observed, valid[None])
    np.testing.assert_array_equal(by_nan.object_motion.translation, marked.object_motion.translation)
    assert np.isfinite(by_nan.object_motion.rotation).all()
    assert by_nan.notes[0] == "object: frames 2-3 are lost: filled in"
    save_sequence(tmp_path / "again.npz", by_nan, keep=tmp_path / "nan.npz")
    again = load_sequence(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.object_observed, valid[None])
    np.testing.assert_array_equal(again.object_pose_sigma, sigma)
    np.testing.assert_allclose(again.object_motion.translation, by_nan.object_motion.translation, atol=1e-6)


def test_keeps_the_object_as_it_came(tmp_path: Path, record: Record) -> None:
    source = write_record(tmp_path / "clip.npz", record)
    save_sequence(tmp_path / "clean.npz", load_sequence(source), keep=source)
    clean = read_arrays(tmp_path / "clean.npz")
    for key in (key for key in record if key.startswith("object_")):
        assert clean[key].dtype == record[key].dtype
        np.testing.assert_array_equal(clean[key], record[key])
    assert "object_vertex_part" not in clean


def test_a_mesh_file_beside_it(tmp_path: Path, record: Record) -> None:
    trimesh.creation.box((0.05, 0.06, 0.07)).export(tmp_path / "box.ply")
    source = write_record(tmp_path / "clip.npz", record, object_vertices=None, object_faces=None)
    sequence = load_sequence(source, tmp_path / "box.ply")
    assert sequence.object_faces.shape == (12, 3)
    save_sequence(tmp_path / "clean.npz", sequence, keep=source)
    assert load_sequence(tmp_path / "clean.npz").object_faces.shape == (12, 3)
    with pytest.raises(InputError, match=r"object_vertices: expected this key or a mesh file \(--object\), found none"):
        load_sequence(source)


@pytest.mark.parametrize("beside", [False, True])
def test_a_mesh_in_millimetres(tmp_path: Path, record: Record, beside: bool) -> None:
    """`object_scale` scales the mesh, whether in a separate file or in the sequence file, and not the poses."""
    metres = record["object_vertices"].astype(np.float32)
    mesh = None
    source = write_record(tmp_path / "clip.npz", record, object_vertices=1000 * record["object_vertices"])
    if beside:
        mesh = tmp_path / "mesh.ply"
        trimesh.Trimesh(1000 * record["object_vertices"], record["object_faces"], process=False).export(mesh)
    sequence = load_sequence(source, mesh, object_scale=0.001)
    np.testing.assert_allclose(sequence.object_vertices, metres, rtol=1e-6)
    np.testing.assert_allclose(
        sequence.object_motion.translation, record["object_translation"].astype(np.float32), rtol=1e-6
    )
    save_sequence(tmp_path / "clean.npz", sequence, keep=source)
    clean = read_arrays(tmp_path / "clean.npz")
    np.testing.assert_allclose(clean["object_vertices"], metres, rtol=1e-6)
    np.testing.assert_array_equal(clean["object_rotation"], record["object_rotation"])


def test_a_mesh_file_instead_of_the_one_within(tmp_path: Path, record: Record) -> None:
    """The mesh of the separate file is used and stored with the result."""
    trimesh.creation.box((0.05, 0.06, 0.07)).export(tmp_path / "box.ply")
    source = write_record(tmp_path / "clip.npz", record)
    save_sequence(tmp_path / "clean.npz", load_sequence(source, tmp_path / "box.ply"), keep=source)
    assert load_sequence(tmp_path / "clean.npz").object_faces.shape == (12, 3)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none(tmp_path: Path, record: Record, scale: float) -> None:
    with pytest.raises(InputError, match=r"clip.npz: object_scale: expected a factor above 0, found"):
        load_sequence(write_record(tmp_path / "clip.npz", record), object_scale=scale)


def test_lost_frames_take_the_nearest_one(tmp_path: Path, record: Record) -> None:
    record["hand_pose"][0, 0, 7] = np.nan
    record["hand_vertices"][0, 3, 2] = np.inf
    valid = np.ones((1, 6), bool)
    valid[0, 4] = False
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record, hand_valid=valid))
    np.testing.assert_array_equal(sequence.hand_valid[0], [False, True, True, False, False, True])
    assert sequence.hands.vertices is not None
    expected = record["hand_vertices"][0, [1, 1, 2, 2, 5, 5]].astype(np.float32)
    np.testing.assert_array_equal(sequence.hands.vertices[0], expected)


def test_what_the_repair_has_filled_in_stays(tmp_path: Path, record: Record) -> None:
    """In a repaired clip, which has standard deviations; a frame that is not finite there takes the nearest one."""
    valid = np.ones((1, 6), bool)
    valid[0, [3, 4]] = False
    record["hand_vertices"][0, 3, 2] = np.nan
    repaired = {"hand_valid": valid, "hand_joint_sigma": np.full((1, 6, 21), 0.001, np.float32)}
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record, **repaired))
    np.testing.assert_array_equal(sequence.hand_valid, valid)
    assert sequence.hands.vertices is not None
    expected = record["hand_vertices"][0, [0, 1, 2, 2, 4, 5]].astype(np.float32)
    np.testing.assert_array_equal(sequence.hands.vertices[0], expected)
    save_sequence(tmp_path / "again.npz", sequence)
    again = load_sequence(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.hands.vertices, sequence.hands.vertices)


def test_a_shape_for_each_frame(tmp_path: Path, record: Record) -> None:
    betas = np.random.default_rng(1).normal(size=(1, 6, 10)).astype(np.float32)
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record, hand_betas=betas))
    assert sequence.hands.params is not None
    np.testing.assert_array_equal(sequence.hands.params.betas, betas)
    save_sequence(tmp_path / "again.npz", sequence)
    np.testing.assert_array_equal(read_arrays(tmp_path / "again.npz")["hand_betas"], betas)


def test_turns_the_other_way_round_are_the_same(tmp_path: Path, record: Record) -> None:
    """v and v - 2 pi v/|v| are the same rotation; every other frame is written in the second form."""
    other = record["object_rotation"].copy()
    other[:, ::2] -= 2 * np.pi * other[:, ::2] / np.linalg.norm(other[:, ::2], axis=-1, keepdims=True)
    one = load_sequence(write_record(tmp_path / "one.npz", record))
    two = load_sequence(write_record(tmp_path / "two.npz", record, object_rotation=other))
    np.testing.assert_allclose(one.object_motion.rotation, two.object_motion.rotation, atol=1e-6)


def test_half_precision(tmp_path: Path, record: Record) -> None:
    half = {key: value.astype(np.float16) for key, value in record.items() if value.dtype == np.float64 and value.ndim}
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record | half))
    assert sequence.hands.joints is not None
    assert sequence.hands.joints.dtype == np.float32
    np.testing.assert_allclose(sequence.hands.joints, record["hand_joints"], atol=2e-4)


def test_three_hands(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    sequence = load_sequence(write_record(tmp_path / "clip.npz", make_record(6, ("left", "right", "left"))))
    assert sequence.hand_side == ("left", "right", "left")
    assert sequence.hand_valid.shape == (3, 6)


def test_a_sequence_knows_its_source(tmp_path: Path, record: Record) -> None:
    assert load_sequence(write_record(tmp_path / "clip.npz", record)).source == str(tmp_path / "clip.npz")


def test_nothing_half_written_is_left(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = load_sequence(write_record(tmp_path / "clip.npz", record))
    target = tmp_path / "out" / "clean.npz"
    with pytest.raises(InputError, match="output: expected a folder that exists"):
        save_sequence(target, sequence)
    target.parent.mkdir()
    target.write_text("the old one")

    def full_disk(*args: object, **kwargs: object) -> None:
        args[0].write(b"half")  # type: ignore[attr-defined]
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_sequence(target, sequence)
    assert target.read_text() == "the old one"
    assert list(target.parent.iterdir()) == [target]
