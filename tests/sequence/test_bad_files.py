import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.records import Record, write_record

from toch_jax.base.errors import InputError
from toch_jax.sequence.file import load_sequence


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
        ({"version": 3}, "version: expected 1 or 2, found 3"),
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
        (
            {"object_translation": np.full((1, 6, 3), 1e300)},
            "object data (part 0): expected a frame in which the object is tracked, found none",
        ),
        (
            {"object_valid": np.zeros(6, bool)},
            "object data (part 0): expected a frame in which the object is tracked, found none",
        ),
        ({"object_valid": np.ones((1, 6))}, "object_valid: expected true or false, found float64"),
        ({"object_valid": np.ones(5, bool)}, "object_valid: expected shape (T) with T = 6"),
        ({"object_pose_sigma": np.full((1, 6, 6), np.nan)}, "object_pose_sigma: expected finite numbers, found 36"),
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
    path = write_record(tmp_path / "clip.npz", record, **(change(record) if callable(change) else change))
    with pytest.raises(InputError) as error:
        load_sequence(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hand_that_is_not_named_is_one_fault(tmp_path: Path, record: Record) -> None:
    """Also in a file in which both the tracked hand and the ground truth are parameters."""
    truth = {f"truth_{name}": record[f"hand_{name}"] for name in ("global_orient", "pose", "transl", "betas")}
    with pytest.raises(InputError) as error:
        load_sequence(write_record(tmp_path / "clip.npz", record, hand_model=None, **truth))
    assert str(error.value).count("hand_model: expected this key") == len(str(error.value).splitlines()) == 1


def test_faults_of_one_file_are_told_together(tmp_path: Path, record: Record) -> None:
    changes = {"fps": 0.0, "object_vertices": record["object_vertices"] * 1000, "hand_pose": np.zeros((1, 6, 44))}
    with pytest.raises(InputError) as error:
        load_sequence(write_record(tmp_path / "clip.npz", record, **changes))
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{tmp_path / 'clip.npz'}: ") for line in lines)
    assert [line.split(": ")[1] for line in lines] == ["fps", "object mesh", "hand_pose"]
    with pytest.raises(InputError) as error:
        load_sequence(write_record(tmp_path / "clip.npz", record, **{f"key_{i}": 0.0 for i in range(100)}))
    assert len(str(error.value).splitlines()) == 11


def test_parameters_that_never_meet_the_object(tmp_path: Path, record: Record) -> None:
    changes = dict.fromkeys(("hand_joints", "hand_vertices"))
    path = write_record(
        tmp_path / "clip.npz", record, **changes, object_translation=record["object_translation"] * 1000
    )
    with pytest.raises(InputError, match=r"hand_transl: expected .* found .* are both in metres"):
        load_sequence(path)


@pytest.mark.parametrize("spoil", ["absent", "text", "npy", "truncated", "flipped", "folder"])
def test_files_that_are_no_npz(tmp_path: Path, record: Record, spoil: str) -> None:
    path = write_record(tmp_path / "clip.npz", record)
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
