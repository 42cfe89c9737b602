"""ARCTIC's layout, files and conventions, against the formulas of its own code in NumPy."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.arctic_folder import halves, official_hand, official_object, write_arctic
from support.mano_files import SIDES, mano_arrays, pose_hand, write_mano
from support.prepared import hand_vertices, object_vertices

from toch_jax.base.arrays import take
from toch_jax.base.errors import InputError
from toch_jax.cli import main
from toch_jax.datasets import arctic
from toch_jax.datasets.prepared import dataset_hand, read_examples, read_sequences
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.mirror import mirror

PROTOCOL = {
    "train": ["s01/box_grab_01", "s02/laptop_use_02"],
    "val": ["s05/box_use_01"],
    "test": ["s03/box_use_01"],
}
TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def _mano(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_MANO", str(write_mano(tmp_path_factory.getbasetemp() / "mano")))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "arctic_data" / "data"


@pytest.fixture
def contents(raw: Path) -> dict[str, tuple]:
    return write_arctic(raw, PROTOCOL)


@pytest.fixture
def data(raw: Path, contents: dict[str, tuple], tmp_path: Path) -> Path:
    arctic.prepare(raw, tmp_path / "prepared")
    return tmp_path / "prepared"


def clips(data: Path, name: str = "arctic") -> dict:
    return {clip: found for split in ("train", "val") for clip, found in read_sequences(name, split, data)}


def test_vertices_are_those_of_arctics_own_code(data: Path, contents: dict[str, tuple]) -> None:
    found = clips(data)
    assert found.keys() == contents.keys()
    for name, sequence in found.items():
        hands, pose = contents[name]
        assert sequence.fps == 30
        assert sequence.hand_side == SIDES
        for hand, side in enumerate(SIDES):
            np.testing.assert_allclose(
                hand_vertices(sequence, hand), official_hand(hands, side), rtol=0, atol=TOLERANCE
            )
        np.testing.assert_allclose(object_vertices(sequence), official_object(pose), rtol=0, atol=TOLERANCE)


def test_labels_mean_what_geometry_says(data: Path) -> None:
    """The labels of the two objects are swapped; the lid is the top of both."""
    n_top = len(halves()[1].vertices)
    for name in ("s01_box_grab_01", "s02_laptop_use_02"):
        part = np.asarray(clips(data)[name].object_vertex_part)
        np.testing.assert_array_equal(part, np.arange(len(part)) < n_top)


def dropped(content: tuple, trap: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices by ARCTIC's formula, and by the formula without one of its conventions, `trap`."""
    hands, pose = content
    if trap in ("mm", "hinge", "parts label"):
        official = official_object(pose)
        if trap == "mm":
            return official, official_object(pose * np.array([1] * 4 + [1000] * 3))
        if trap == "hinge":
            return official, official_object(pose * np.array([-1] + [1] * 6))
        bottom, top = halves()
        turn = Rotation.from_rotvec(pose[:, 1:4])
        opened = turn * Rotation.from_rotvec(pose[:, :1] * [0, 0, -1])
        swapped = [
            np.einsum("tab,vb->tva", moved.as_matrix(), np.asarray(part.vertices) / 1000)
            for part, moved in ((top, turn), (bottom, opened))
        ]
        return official, np.concatenate(swapped, axis=1) + pose[:, None, 4:] / 1000
    side = "left" if trap == "left shape" else "right"
    mano, params = mano_arrays(side), hands[side]
    directions = mano["shapedirs"] * (np.array([-1, 1, 1])[:, None] if trap == "left shape" else 1)
    mean = 0 if trap == "mean pose" else mano["hands_mean"]
    template = mano["v_template"] + directions.astype(np.float64) @ np.atleast_2d(params["shape"])[0]
    return official_hand(hands, side), pose_hand(mano, template, params["rot"], params["pose"] + mean, params["trans"])


@pytest.mark.parametrize("trap", ["mm", "hinge", "parts label", "mean pose", "left shape"])
def test_each_convention_counts(data: Path, contents: dict[str, tuple], trap: str) -> None:
    """The clip that was read agrees with the full formula and differs from the formula without the convention."""
    for name, sequence in clips(data).items():
        official, without = dropped(contents[name], trap)
        is_hand = trap in ("mean pose", "left shape")
        found = hand_vertices(sequence, int(trap == "left shape")) if is_hand else object_vertices(sequence)
        np.testing.assert_allclose(found, official, rtol=0, atol=TOLERANCE)
        assert np.abs(found - without).max() > 1e-3


def test_a_mirrored_left_hand_belongs_to_the_right_model(data: Path, contents: dict[str, tuple]) -> None:
    sequence = mirror(clips(data)["s05_box_use_01"])
    model = load_hand(sequence.hand_model or "", "right")
    found = np.asarray(skin_frames(model, take(sequence.hands.params, 1))[0])
    expected = official_hand(contents["s05_box_use_01"][0], "left") * [-1, 1, 1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def to_box(points: np.ndarray, box: trimesh.Trimesh) -> np.ndarray:
    """Distance (m) to the surface of an axis-aligned box in closed form; the box is in millimetres."""
    low, high = np.asarray(box.bounds) / 1000
    beyond = np.abs(points - (low + high) / 2) - (high - low) / 2
    return np.abs(np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0))


def test_grasp_is_3_mm_from_the_surface(data: Path, contents: dict[str, tuple]) -> None:
    some = 0
    for split in ("train", "val"):
        for clip in read_examples("arctic", split, data):
            hands, pose = contents[clip["id"]]
            turn = Rotation.from_rotvec(pose[:, 1:4])
            opened = turn * Rotation.from_rotvec(pose[:, :1] * [0, 0, -1])
            for hand, side in enumerate(SIDES):
                skin = official_hand(hands, side) - pose[:, None, 4:] / 1000
                near = np.min(
                    [
                        to_box(np.einsum("tba,tvb->tva", moved.as_matrix(), skin), box).min(axis=1)
                        for box, moved in zip(halves(), (turn, opened), strict=True)
                    ],
                    axis=0,
                )
                sure = np.abs(near - 0.003) > 1e-5
                np.testing.assert_array_equal(clip["grasp"][hand][sure], (near < 0.003)[sure])
                some += (near < 0.003).sum()
    assert some > 0


def test_protocols_have_their_own_splits(raw: Path, contents: dict[str, tuple], data: Path, tmp_path: Path) -> None:
    assert [clip["id"] for clip in read_examples("arctic", "val", data)] == ["s05_box_use_01"]
    arctic.prepare(raw, data, protocol="p2")
    assert [clip["id"] for clip in read_examples("arctic_p2", "train", data)] == ["s05_box_use_01"]
    assert set(clips(data)) == set(contents)
    with pytest.raises(InputError, match="split: expected one of"):
        next(read_examples("arctic", "test", data))


def test_missing_files_are_named(raw: Path, contents: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for missing in (
        raw / "splits_json/protocol_p1.json",
        raw / "raw_seqs/s05/box_use_01.mano.npy",
        raw / "raw_seqs/s02/laptop_use_02.object.npy",
        raw / "meta/object_vtemplates/laptop/top.obj",
        raw / "meta/object_vtemplates/box/parts.json",
    ):
        aside = tmp_path / "aside"
        missing.rename(aside)
        assert main(["prepare", "arctic", "--raw", str(raw), "--data-dir", str(tmp_path / "data")]) == 2
        aside.rename(missing)
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert line.startswith(f"toch: {missing}: arctic: expected ")
        assert "arctic.is.tue.mpg.de" in line
    assert not (tmp_path / "data").exists()


class Trap:
    """An object that runs a command when it is unpickled without restrictions."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.witness}",)


def test_bad_recordings_are_skipped_and_counted(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bad = ["s01/box_trap_01", "s01/box_short_01", "s01/box_cut_01", "s01/box_moving_01", "s01/box_bare_01"]
    contents = write_arctic(raw, {**PROTOCOL, "train": [*PROTOCOL["train"], *bad]})
    witness = tmp_path / "witness"

    def save(name: str, hands: dict) -> Path:
        path = raw / "raw_seqs/s01" / f"box_{name}_01.mano.npy"
        np.save(path, np.array(hands, dtype=object), allow_pickle=True)
        return path

    trap, short, _, moving, bare = (contents[name.replace("/", "_")][0] for name in bad)
    trap["left"]["trans"] = Trap(witness)
    short["left"]["trans"] = short["left"]["trans"][:-1]
    moving["right"]["shape"] = np.linspace(0, 1, 60)[:, None] * np.ones(10)
    del bare["right"]["pose"]
    for name, hands in (("trap", trap), ("short", short), ("moving", moving), ("bare", bare)):
        save(name, hands)
    cut = raw / "raw_seqs/s01/box_cut_01.mano.npy"
    cut.write_bytes(cut.read_bytes()[:-500])
    folder = arctic.prepare(raw, tmp_path / "data")
    assert not witness.exists()
    skipped = json.loads((folder / "skipped.json").read_text())
    assert set(skipped) == {name.replace("/", "_") for name in bad}
    assert "system, which was not run" in skipped["s01_box_trap_01"]
    assert "left.trans: expected numbers of shape (60, 3)" in skipped["s01_box_short_01"]
    assert "right.shape: expected one shape for all frames" in skipped["s01_box_moving_01"]
    assert "right.pose: expected this entry" in skipped["s01_box_bare_01"]
    assert "5 of 8 recordings skipped" in capsys.readouterr().err
    assert len(clips(tmp_path / "data")) == 3


def test_a_killed_preparation_goes_on(
    raw: Path, contents: dict[str, tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    convert = arctic.as_example

    def dies_at_the_third(spec: object, recording: object, *rest: object) -> object:
        if len(made) == 2 and "resumed" not in made:
            raise KeyboardInterrupt
        made.append(recording.id)  # type: ignore[attr-defined]
        return convert(spec, recording, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(arctic, "as_example", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        arctic.prepare(raw, tmp_path)
    made.append("resumed")
    arctic.prepare(raw, tmp_path)
    assert sorted(made) == sorted([*contents, "resumed"])
    assert len(clips(tmp_path)) == len(contents)


def test_right_hands_need_no_more_than_mano(data: Path, contents: dict[str, tuple]) -> None:
    """The first ten shape coefficients of a right hand are MANO's own, and MANO alone gives the same vertices."""
    hands, _ = contents["s05_box_use_01"]
    params = take(clips(data)["s05_box_use_01"].hands.params, 0)
    assert dataset_hand("arctic", data).endswith("/hand")
    plain = load_hand("mano", "right")
    found = skin_frames(plain, params.replace(betas=params.betas[:, :10]))[0]
    np.testing.assert_allclose(found, official_hand(hands, "right"), rtol=0, atol=TOLERANCE)
