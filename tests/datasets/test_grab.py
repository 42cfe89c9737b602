"""GRAB's layout, files and conventions, against the formulas of its own code in NumPy."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from support.grab_folder import (
    KEYS,
    SUBJECTS,
    object_mesh,
    official_hand,
    official_object,
    recording,
    subject_hand,
    write_grab,
    write_recording,
)
from support.mano_files import SIDES, mano_arrays, pose_hand, write_mano
from support.prepared import hand_vertices, object_vertices

from toch_jax.base.arrays import take
from toch_jax.base.errors import InputError
from toch_jax.cli import main
from toch_jax.datasets import grab
from toch_jax.datasets.grab import wrist_distance
from toch_jax.datasets.prepared import dataset_hand, read_examples, read_sequences
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.mirror import mirror

# mug and camera are in GRAB's test split, apple in its validation split
CLIPS = {f"{subject}/0": "cup_lift_1" for subject in SUBJECTS} | {
    "s1/1": "mug_drink_1",
    "s2/1": "apple_eat_1",
    "s10/1": "camera_pass_1",
}
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("GRAB")


@pytest.fixture(scope="module")
def contents(raw: Path) -> dict[str, dict]:
    return write_grab(raw, CLIPS)


@pytest.fixture(autouse=True)
def _mano(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_MANO", str(write_mano(tmp_path_factory.getbasetemp() / "mano")))


@pytest.fixture(scope="module")
def data(raw: Path, contents: dict[str, dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCH_MANO", str(write_mano(tmp_path_factory.getbasetemp() / "mano")))
        folder = tmp_path_factory.mktemp("data")
        grab.prepare(raw, folder)
        return folder


def clips(data: Path) -> dict:
    return {name: found for split in ("train", "val", "test") for name, found in read_sequences("grab", split, data)}


def test_vertices_are_those_of_grabs_own_code(data: Path, contents: dict[str, dict]) -> None:
    found = clips(data)
    assert found.keys() == contents.keys()
    for name, sequence in found.items():
        assert sequence.fps == 30
        assert sequence.hand_side == SIDES
        assert np.asarray(sequence.hand_valid).all()
        for hand, side in enumerate(SIDES):
            expected = official_hand(contents[name], side)[::4]
            np.testing.assert_allclose(hand_vertices(sequence, hand), expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(
            object_vertices(sequence), official_object(contents[name])[::4], rtol=0, atol=TOLERANCE
        )


def test_splits_are_by_object(data: Path) -> None:
    for split, objects in (("train", {"cup"}), ("val", {"apple"}), ("test", {"mug", "camera"})):
        assert {clip["object"] for clip in read_examples("grab", split, data)} == objects


def test_contact_labels_tell_which_hand_holds(data: Path, contents: dict[str, dict]) -> None:
    for clip in read_examples("grab", "test", data):
        labels = contents[clip["id"]]["contact"]["object"][::4]
        for hand, known in enumerate(({22, *range(41, 56)}, {21, *range(26, 41)})):
            expected = [bool(known & set(row.tolist())) for row in labels]
            np.testing.assert_array_equal(clip["grasp"][hand], expected)
            assert 0 < clip["grasp"][hand].sum() < len(expected)


def dropped(content: dict, trap: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices by GRAB's formula, and by the formula without one of its conventions, `trap`."""
    if trap == "row vector":
        params = content["object"]["params"]
        turn = Rotation.from_rotvec(params["global_orient"]).as_matrix()
        vertices = np.asarray(object_mesh(content["obj_name"]).vertices)
        return official_object(content), np.einsum("tab,vb->tva", turn, vertices) + params["transl"][:, None]
    side = "left" if trap == "left hand" else "right"
    mano, params = mano_arrays(side), content[KEYS[side]]["params"]
    template = subject_hand(side, SUBJECTS.index(content["sbj_id"]))
    pose = params["hand_pose"] @ mano["hands_components"][:24]
    if trap == "mean pose":
        pose = pose + mano["hands_mean"]
    elif trap == "PCA":
        pose = np.pad(params["hand_pose"], ((0, 0), (0, 21)))
    elif trap == "personal template":
        template = mano["v_template"].astype(np.float64)
    elif trap == "left hand":
        template = subject_hand("right", SUBJECTS.index(content["sbj_id"])) * [-1, 1, 1]
    return official_hand(content, side), pose_hand(mano, template, params["global_orient"], pose, params["transl"])


@pytest.mark.parametrize("trap", ["row vector", "mean pose", "PCA", "personal template", "left hand"])
def test_each_convention_counts(data: Path, contents: dict[str, dict], trap: str) -> None:
    """The clip that was read agrees with the full formula and differs from the formula without the convention."""
    sequence, content = clips(data)["s10_camera_pass_1"], contents["s10_camera_pass_1"]
    official, without = (vertices[::4] for vertices in dropped(content, trap))
    found = object_vertices(sequence) if trap == "row vector" else hand_vertices(sequence, int(trap == "left hand"))
    np.testing.assert_allclose(found, official, rtol=0, atol=TOLERANCE)
    assert np.abs(found - without).max() > 1e-3


def test_a_mirrored_left_hand_belongs_to_the_right_model(data: Path, contents: dict[str, dict]) -> None:
    """The subject's left template is in the right model's shape space, so that one network learns from both sides."""
    sequence = mirror(clips(data)["s10_camera_pass_1"])
    assert sequence.hand_side == ("left", "right")
    model = load_hand(sequence.hand_model or "", "right")
    found = np.asarray(skin_frames(model, take(sequence.hands.params, 1))[0])
    expected = official_hand(contents["s10_camera_pass_1"], "left")[::4] * [-1, 1, 1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_tochs_rules(tmp_path: Path) -> None:
    """100 frames: the right hand touches in the first 50, the left from frame 67 on; both are away from frame 90 on."""
    contents = write_grab(tmp_path / "raw", CLIPS, frames=400)
    folder = grab.prepare(tmp_path / "raw", tmp_path, toch_rules=True)
    assert folder.parent.name == "grab_toch"
    expected = {"right": slice(0, 67), "left": slice(50, 90)}
    found = dict(read_sequences("grab_toch", "train", tmp_path))
    assert set(found) == {f"{subject}_cup_lift_1_{side}_0" for subject in SUBJECTS for side in expected}
    for name, sequence in found.items():
        source, side = name.removesuffix("_0").rsplit("_", 1)
        frames = expected[side]
        assert sequence.hand_side == (side,)
        official, thing = official_hand(contents[source], side)[::4], official_object(contents[source])[::4]
        np.testing.assert_allclose(hand_vertices(sequence, 0), official[frames], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(object_vertices(sequence), thing[frames], rtol=0, atol=TOLERANCE)


def test_missing_files_are_named(
    raw: Path, contents: dict[str, dict], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for missing in (
        raw / "grab" / "s7",
        raw / "tools/object_meshes/contact_meshes/apple.ply",
        raw / "tools/subject_meshes/male/s3_lhand.ply",
    ):
        aside = tmp_path / "aside"
        missing.rename(aside)
        assert main(["prepare", "grab", "--raw", str(raw), "--data-dir", str(tmp_path / "data")]) == 2
        aside.rename(missing)
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert line.startswith(f"toch: {missing}: grab: expected ")
        assert "grab.is.tue.mpg.de" in line
    assert not (tmp_path / "data").exists()
    assert main(["prepare", "grab", "--data-dir", str(tmp_path / "data")]) == 2
    assert "toch prepare grab: missing --raw FOLDER" in capsys.readouterr().err


class Trap:
    """An object that runs a command when it is unpickled without restrictions."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.witness}",)


def test_bad_recordings_are_skipped_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    raw, rng = tmp_path / "raw", np.random.default_rng(1)
    write_grab(raw, CLIPS, frames=8)
    witness, n_vertices = tmp_path / "witness", len(object_mesh("mug").vertices)

    def whole() -> dict:
        return recording(rng, "s1", "mug", 8, n_vertices)

    trap, short, apart, nan, ragged, away = (whole() for _ in range(6))
    trap["object"]["params"]["transl"] = Trap(witness)
    short["lhand"]["params"]["transl"] = short["lhand"]["params"]["transl"][:-1]
    apart["rhand"]["params"]["fullpose"] += 0.1
    nan["rhand"]["params"]["hand_pose"][3, 3] = np.nan
    ragged["lhand"]["params"]["transl"] = [[1.0, 2.0, 3.0], [4.0]]
    away["rhand"]["vtemp"] = "../../hand.ply"
    bad = {"trap": trap, "short": short, "apart": apart, "nan": nan, "ragged": ragged, "away": away}
    for name, content in bad.items():
        write_recording(raw / "grab" / "s1" / f"mug_{name}_1.npz", content)
    whole_file = raw / "grab" / "s1" / "mug_cut_1.npz"
    write_recording(whole_file, whole())
    whole_file.write_bytes(whole_file.read_bytes()[:-2000])
    folder = grab.prepare(raw, tmp_path / "data")
    assert not witness.exists()
    skipped = json.loads((folder / "skipped.json").read_text())
    assert set(skipped) == {f"s1_mug_{name}_1" for name in (*bad, "cut")}
    assert "system, which was not run" in skipped["s1_mug_trap_1"]
    assert "lhand.params.transl: expected numbers of shape (8, 3)" in skipped["s1_mug_short_1"]
    assert "fullpose: expected what hand_pose gives" in skipped["s1_mug_apart_1"]
    assert "finite numbers" in skipped["s1_mug_nan_1"]
    assert "lhand.params.transl: expected an array" in skipped["s1_mug_ragged_1"]
    assert "vtemp: expected a path below the raw folder" in skipped["s1_mug_away_1"]
    assert f"7 of {len(CLIPS) + 7} recordings skipped" in capsys.readouterr().err
    assert {clip["id"] for clip in read_examples("grab", "test", tmp_path / "data")} == {
        "s1_mug_drink_1",
        "s10_camera_pass_1",
    }


def test_a_killed_preparation_goes_on(
    raw: Path, contents: dict[str, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    convert = grab.as_example

    def dies_at_the_third(spec: object, raw: object, recording: object, *rest: object) -> object:
        if len(made) == 2 and "resumed" not in made:
            raise KeyboardInterrupt
        made.append(recording.id)  # type: ignore[attr-defined]
        return convert(spec, raw, recording, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(grab, "as_example", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        grab.prepare(raw, tmp_path)
    with pytest.raises(InputError, match="toch prepare grab"):
        next(read_examples("grab", "train", tmp_path))
    made.append("resumed")
    grab.prepare(raw, tmp_path)
    assert sorted(made) == sorted([*contents, "resumed"])
    assert len(clips(tmp_path)) == len(contents)


def test_hand_model_lies_beside_the_data(data: Path) -> None:
    place = Path(dataset_hand("grab", data))
    assert place == next((data / "grab").glob("*")) / "hand"
    mano = load_hand("mano", "left")
    model = load_hand(place, "left")
    assert model.shapedirs.shape[-1] == mano.shapedirs.shape[-1] + 2 * len(SUBJECTS)
    np.testing.assert_array_equal(model.shapedirs[..., :10], mano.shapedirs)
    np.testing.assert_array_equal(model.faces, mano.faces)


def test_wrist_distance_in_closed_form(data: Path) -> None:
    """The distance from the wrist ring's centre to the surface, from the official vertices and dense points."""
    clip = next(read_examples("grab", "test", data))
    model = load_hand(dataset_hand("grab", data), "right")
    sequence = clips(data)[clip["id"]]
    centre = hand_vertices(sequence, 0)[:, np.asarray(model.wrist_ring)].mean(axis=1)
    points, _ = object_mesh(clip["object"]).sample(60_000, return_index=True)
    turn = Rotation.from_rotvec(clip["object_rotation"][0]).as_matrix()
    expected = [
        cKDTree(points @ matrix.T + shift).query(at)[0]
        for matrix, shift, at in zip(turn, clip["object_translation"][0], centre, strict=True)
    ]
    np.testing.assert_allclose(wrist_distance(clip, 0, model), expected, atol=2e-3)
