import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.sequence.file import load_sequence, read_arrays, save_sequence

Record = dict[str, np.ndarray]


def _write(path: Path, record: Record, **changes: object) -> Path:
    """Write the record with some keys changed, or left out if the change is None."""
    changed = record | {key: np.asarray(value) for key, value in changes.items()}
    np.savez(path, **{key: value for key, value in changed.items() if value.dtype != object or value[()] is not None})
    return path


def test_reads_what_is_there(tmp_path: Path, record: Record) -> None:
    sequence = load_sequence(_write(tmp_path / "clip.npz", record))
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
    save_sequence(tmp_path / "again.npz", load_sequence(_write(tmp_path / "clip.npz", two)))
    again = read_arrays(tmp_path / "again.npz")
    assert again.keys() == two.keys()
    for key, value in two.items():
        if value.dtype.kind == "f":
            observed = two["hand_valid"] if value.shape[:2] == (2, n_frames) and key.startswith("hand_") else ...
            np.testing.assert_allclose(again[key][observed], value[observed], atol=1e-6, err_msg=key)
        else:
            np.testing.assert_array_equal(again[key], value, err_msg=key)
    assert list(tmp_path.glob(".*")) == []


def test_keeps_the_object_as_it_came(tmp_path: Path, record: Record) -> None:
    source = _write(tmp_path / "clip.npz", record)
    save_sequence(tmp_path / "clean.npz", load_sequence(source), keep=source)
    clean = read_arrays(tmp_path / "clean.npz")
    for key in (key for key in record if key.startswith("object_")):
        assert clean[key].dtype == record[key].dtype
        np.testing.assert_array_equal(clean[key], record[key])
    assert "object_vertex_part" not in clean


def test_a_mesh_file_beside_it(tmp_path: Path, record: Record) -> None:
    trimesh.creation.box((0.05, 0.06, 0.07)).export(tmp_path / "box.ply")
    source = _write(tmp_path / "clip.npz", record, object_vertices=None, object_faces=None)
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
    source = _write(tmp_path / "clip.npz", record, object_vertices=1000 * record["object_vertices"])
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
    source = _write(tmp_path / "clip.npz", record)
    save_sequence(tmp_path / "clean.npz", load_sequence(source, tmp_path / "box.ply"), keep=source)
    assert load_sequence(tmp_path / "clean.npz").object_faces.shape == (12, 3)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none(tmp_path: Path, record: Record, scale: float) -> None:
    with pytest.raises(InputError, match=r"clip.npz: object_scale: expected a factor above 0, found"):
        load_sequence(_write(tmp_path / "clip.npz", record), object_scale=scale)


def test_lost_frames_take_the_nearest_one(tmp_path: Path, record: Record) -> None:
    record["hand_pose"][0, 0, 7] = np.nan
    record["hand_vertices"][0, 3, 2] = np.inf
    valid = np.ones((1, 6), bool)
    valid[0, 4] = False
    sequence = load_sequence(_write(tmp_path / "clip.npz", record, hand_valid=valid))
    np.testing.assert_array_equal(sequence.hand_valid[0], [False, True, True, False, False, True])
    assert sequence.hands.vertices is not None
    expected = record["hand_vertices"][0, [1, 1, 2, 2, 5, 5]].astype(np.float32)
    np.testing.assert_array_equal(sequence.hands.vertices[0], expected)


def test_a_shape_for_each_frame(tmp_path: Path, record: Record) -> None:
    betas = np.random.default_rng(1).normal(size=(1, 6, 10)).astype(np.float32)
    sequence = load_sequence(_write(tmp_path / "clip.npz", record, hand_betas=betas))
    assert sequence.hands.params is not None
    np.testing.assert_array_equal(sequence.hands.params.betas, betas)
    save_sequence(tmp_path / "again.npz", sequence)
    np.testing.assert_array_equal(read_arrays(tmp_path / "again.npz")["hand_betas"], betas)


def test_turns_the_other_way_round_are_the_same(tmp_path: Path, record: Record) -> None:
    """v and v - 2 pi v/|v| are the same rotation; every other frame is written in the second form."""
    other = record["object_rotation"].copy()
    other[:, ::2] -= 2 * np.pi * other[:, ::2] / np.linalg.norm(other[:, ::2], axis=-1, keepdims=True)
    one = load_sequence(_write(tmp_path / "one.npz", record))
    two = load_sequence(_write(tmp_path / "two.npz", record, object_rotation=other))
    np.testing.assert_allclose(one.object_motion.rotation, two.object_motion.rotation, atol=1e-6)


def test_half_precision(tmp_path: Path, record: Record) -> None:
    half = {key: value.astype(np.float16) for key, value in record.items() if value.dtype == np.float64 and value.ndim}
    sequence = load_sequence(_write(tmp_path / "clip.npz", record | half))
    assert sequence.hands.joints is not None
    assert sequence.hands.joints.dtype == np.float32
    np.testing.assert_allclose(sequence.hands.joints, record["hand_joints"], atol=2e-4)


def test_three_hands(tmp_path: Path, make_record: Callable[..., Record]) -> None:
    sequence = load_sequence(_write(tmp_path / "clip.npz", make_record(6, ("left", "right", "left"))))
    assert sequence.hand_side == ("left", "right", "left")
    assert sequence.hand_valid.shape == (3, 6)


def _scaled(key: str, factor: float) -> Callable[[Record], Record]:
    return lambda record: {key: record[key] * factor}


def _nan(key: str) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        value = record[key].copy()
        value.reshape(-1)[-1] = np.nan
        return {key: value}

    return change


HAND_KEYS = [f"hand_{name}" for name in ("global_orient", "pose", "transl", "betas", "joints", "vertices")]
NOWHERE = np.full((1, 6, 21, 3), np.nan)
JOINTS = np.zeros((1, 6, 21, 3)) + np.linspace(0, 0.1, 21)[:, None]
TRUTH = {
    f"truth_{name}": np.zeros((1, 6, width))
    for name, width in (("global_orient", 3), ("pose", 45), ("transl", 3), ("betas", 10))
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "grab"}, 'format: expected "toch-sequence", found "grab"'),
        ({"format": None}, "format: expected this key, found none"),
        ({"version": 2}, "version: expected 1, found 2"),
        ({"version": "1"}, "version: expected whole numbers, found <U1"),
        ({"fps": 0.0}, "fps: expected frames a second, 0.01 to 10000, found 0"),
        ({"fps": np.nan}, "fps: expected frames a second, 0.01 to 10000, found nan"),
        ({"fps": [30.0]}, "fps: expected shape (), found (1,)"),
        ({"hand_side": ["Right"]}, 'hand_side: expected "right" or "left" for each hand, found [\'Right\']'),
        ({"hand_side": [1]}, "hand_side: expected text, found int64"),
        ({"hand_side": "right"}, "hand_side: expected shape (H), found ()"),
        (
            {"hand_side": ["right", "left"], "truth_joints": None},
            "shape (H, T, 3) with H = 2 from hand_side, T = 6 from object_translation",
        ),
        ({"hand_joint": 1.0}, "hand_joint: expected a known key (the nearest is hand_joints), found an unknown one"),
        (
            {"timestamps": 1.0},
            "timestamps: expected a known key (docs/sequence_file.md lists them), found an unknown one",
        ),
        ({"hand_orient": 1.0}, "hand_orient: expected a known key (the nearest is hand_global_orient)"),
        ({"hand_side": ["right\n\x1b[2J"]}, "found ['right\\n\\x1b[2J']"),
        ({"format": "x" * 10_000}, "x..."),
        ({"fps": 1e-30}, "fps: expected frames a second, 0.01 to 10000, found 1e-30"),
        ({"hand_model": None}, "hand_model: expected this key beside hand_global_orient ("),
        (
            {"hand_model": None, **dict.fromkeys(HAND_KEYS), "hand_joints": JOINTS, "truth_joints": None, **TRUTH},
            "hand_model: expected this key beside truth_global_orient (",
        ),
        (
            {"hand_pose": np.zeros((1, 6, 48))},
            "found 48, which are hand_global_orient (pose",
        ),
        ({"hand_pose": np.zeros((1, 6, 15, 3, 3))}, "found (1, 6, 15, 3, 3): rotation matrices, where files hold"),
        ({"hand_global_orient": np.zeros((1, 6, 4))}, "found (1, 6, 4): quaternions, where files hold axis-angle"),
        ({"hand_pose": np.zeros((6, 45))}, "found (6, 45): the axis of the hands comes first, with length 1"),
        ({"object_rotation": np.zeros((6, 3))}, "found (6, 3): the axis of the object parts comes first"),
        ({"hand_joints": np.zeros((1, 6, 26, 3))}, "of OpenXR's 26 leave out 0 (the palm), 6, 11, 16, 21"),
        ({"hand_joints": np.zeros((1, 6, 16, 3))}, "these lack the fingertips"),
        ({"object_translation": np.full((1, 6, 3), 1e300)}, "object_translation: expected finite numbers, found 18"),
        ({"hand_joint_sigma": np.full((1, 6, 21), np.nan)}, "hand_joint_sigma: expected finite numbers"),
        ({"hand_vertex_order": "mano"}, "hand_vertices: expected the 778 points of mano's order, found 21"),
        ({"hand_vertex_order": "open"}, "hand_vertices: expected the 1650 points of open's order, found 21"),
        ({"hand_pose": None}, "hand_pose: expected this key beside hand_global_orient, found none"),
        ({"object_translation": None}, "object_translation: expected this key, found none"),
        (dict.fromkeys(HAND_KEYS), "hand data: expected hand parameters, hand_joints or hand_vertices, found none"),
        (
            {"hand_joints": np.zeros((1, 6, 20, 3))},
            "hand_joints: expected shape (H, T, 21, 3) with H = 1 from hand_side",
        ),
        ({"hand_joints": np.zeros((1, 5, 21, 3))}, "T = 6 from object_translation, found (1, 5, 21, 3)"),
        ({"hand_joints": np.zeros((1, 6, 21, 3), complex)}, "hand_joints: expected numbers, found complex128"),
        ({"hand_valid": np.ones((1, 6))}, "hand_valid: expected true or false, found float64"),
        ({"hand_valid": np.zeros((1, 6), bool)}, "hand data (hand 0): expected a frame in which the hand is tracked"),
        ({"hand_joints": NOWHERE}, "hand data (hand 0): expected a frame in which the hand is tracked, found none"),
        ({"hand_vertex_order": "smplx"}, 'hand_vertex_order: expected one of mano, open, unordered, found "smplx"'),
        ({"object_faces": np.zeros((0, 3), int)}, "object mesh faces: expected triangles, found none"),
        ({"object_faces": np.array([[0, 1, 200]])}, "object mesh faces: expected indices in 0..161, found 0..200"),
        (
            {"object_vertex_part": [0, 1]},
            "object_vertex_part: expected whole numbers of shape (162,), found int64 (2,)",
        ),
        ({"object_rotation": np.zeros((2, 6, 3))}, "with P = 1 from one rigid part, T = 6 from object_translation"),
        (
            {"object_translation": np.zeros((1, 0, 3))},
            "object_translation: expected at least one along T, found (1, 0, 3)",
        ),
        (
            _nan("object_translation"),
            "object_translation: expected finite numbers, found 1 that are not, first in frame 5",
        ),
        (_nan("object_rotation"), "object_rotation: expected finite numbers"),
        (_nan("object_vertices"), "object mesh vertices: expected finite numbers"),
        (_nan("hand_betas"), "hand_betas: expected finite numbers"),
        (_nan("truth_joints"), "truth_joints: expected finite numbers"),
        (
            _scaled("object_vertices", 1000),
            "found 80 m: in millimetres (--object-scale 0.001 makes it 0.08 m) or centimetres (--",
        ),
        (
            _scaled("object_rotation", 180 / np.pi),
            "object_rotation: expected axis-angle in radians, found a rotation of",
        ),
        (_scaled("hand_pose", 180 / np.pi), "hand_pose: expected axis-angle in radians, found a rotation of"),
        (
            _scaled("hand_joints", 1000),
            "hand_joints: expected a hand 0.1-0.3 m from wrist to middle tip along the bones",
        ),
        (_scaled("hand_joints", 0.5), " m: is it in metres?"),
        (_scaled("hand_joints", 100), "found 18.27 m: probably in centimetres, scale by 0.01"),
        (_scaled("hand_vertices", 1000), "probably in millimetres, scale by 0.001"),
        (_scaled("truth_joints", 1000), "truth_joints: expected a hand"),
        ({"object_translation": np.full((1, 6, 3), 0.5)}, "hand_joints: expected a hand that comes within 0.3 m"),
    ],
)
def test_bad_input_has_its_one_line(
    tmp_path: Path, record: Record, change: Record | Callable[[Record], Record], message: str
) -> None:
    path = _write(tmp_path / "clip.npz", record, **(change(record) if callable(change) else change))
    with pytest.raises(InputError) as error:
        load_sequence(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hand_that_is_not_named_is_one_fault(tmp_path: Path, record: Record) -> None:
    """Also in a file in which both the tracked hand and the ground truth are parameters."""
    truth = {f"truth_{name}": record[f"hand_{name}"] for name in ("global_orient", "pose", "transl", "betas")}
    with pytest.raises(InputError) as error:
        load_sequence(_write(tmp_path / "clip.npz", record, hand_model=None, **truth))
    assert str(error.value).count("hand_model: expected this key") == len(str(error.value).splitlines()) == 1


def test_faults_of_one_file_are_told_together(tmp_path: Path, record: Record) -> None:
    changes = {"fps": 0.0, "object_vertices": record["object_vertices"] * 1000, "hand_pose": np.zeros((1, 6, 44))}
    with pytest.raises(InputError) as error:
        load_sequence(_write(tmp_path / "clip.npz", record, **changes))
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{tmp_path / 'clip.npz'}: ") for line in lines)
    assert [line.split(": ")[1] for line in lines] == ["fps", "object mesh", "hand_pose"]
    with pytest.raises(InputError) as error:
        load_sequence(_write(tmp_path / "clip.npz", record, **{f"key_{i}": 0.0 for i in range(100)}))
    assert len(str(error.value).splitlines()) == 11


def test_a_sequence_knows_its_source(tmp_path: Path, record: Record) -> None:
    assert load_sequence(_write(tmp_path / "clip.npz", record)).source == str(tmp_path / "clip.npz")


def test_parameters_that_never_meet_the_object(tmp_path: Path, record: Record) -> None:
    changes = dict.fromkeys(("hand_joints", "hand_vertices"))
    path = _write(tmp_path / "clip.npz", record, **changes, object_translation=record["object_translation"] * 1000)
    with pytest.raises(InputError, match=r"hand_transl: expected .* found .* are both in metres"):
        load_sequence(path)


@pytest.mark.parametrize("spoil", ["absent", "text", "npy", "truncated", "flipped", "folder"])
def test_files_that_are_no_npz(tmp_path: Path, record: Record, spoil: str) -> None:
    path = _write(tmp_path / "clip.npz", record)
    whole = path.read_bytes()
    path.unlink()
    match spoil:
        case "text":
            path.write_text("not a zip")
        case "npy":
            np.save(tmp_path / "clip.npy", np.zeros(3))
            path = tmp_path / "clip.npy"
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "flipped":
            middle = len(whole) // 2
            path.write_bytes(
                whole[:middle] + bytes(255 - b for b in whole[middle : middle + 64]) + whole[middle + 64 :]
            )
        case "folder":
            path.mkdir()
    with pytest.raises(InputError, match=r"^[^\n]*clip.np[^\n]*: expected a (whole )?.npz file[^\n]*$"):
        load_sequence(path)


class _Trap:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return pickle.loads, ("must never run",)


def test_pickles_are_never_read(tmp_path: Path, record: Record) -> None:
    np.savez(tmp_path / "clip.npz", **record, hand_betas_=np.array([_Trap()], dtype=object))
    with pytest.raises(InputError, match="hand_betas_: expected a plain array, found a pickled object"):
        load_sequence(tmp_path / "clip.npz")


def test_nothing_half_written_is_left(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = load_sequence(_write(tmp_path / "clip.npz", record))
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
