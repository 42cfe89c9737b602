"""Data sets of annotated video: recordings and splits after the sets' own code, clips against hands posed by NumPy."""

import json
import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from support import annotation_files as written
from support.annotated_clips import SIDES, converted, is_the_clip
from support.annotated_hand import near, pose_space
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.cli import main
from toch_jax.datasets.annotated import one_shape
from toch_jax.datasets.annotation_folders import SETS, Annotation
from toch_jax.datasets.prepared import read_sequences
from toch_jax.datasets.recordings import runs
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import rest_joints
from toch_jax.trackers.self_check import hand_joints

pytestmark = pytest.mark.usefixtures("open_mano")


def test_ho3d_is_prepared(tmp_path, capsys):
    """From the command to the sequences; runs of frames without annotation end a clip."""
    true = clip("right")
    written.write_ycb(tmp_path / "raw", true)
    folder = written.write_ho3d(tmp_path / "raw", {"hand": true}, lost=5)
    # a sequence that can't be read is left out, with its reason
    broken = folder.parent / "MC1" / "meta"
    broken.mkdir(parents=True)
    (broken / "0000.pkl").write_bytes(b"\x80\x02no")
    assert main(["prepare", "ho3d", "--source", str(tmp_path / "raw"), "--data-dir", str(tmp_path / "data")]) == 0
    ((name, sequence),) = read_sequences("ho3d", "train", tmp_path / "data")
    assert (name, sequence.n_frames, sequence.hand_model, sequence.fps) == ("ABF10_6", 22, "mano", 30)
    near(hand_joints(sequence, 0)[:, :20], true.joints[6:, :20])
    skipped = json.loads(next((tmp_path / "data" / "ho3d").glob("*/skipped.json")).read_text())
    assert list(skipped) == ["MC1"]
    assert "skipped" in capsys.readouterr().err


def test_splits_of_our_own(tmp_path):
    """By the letters of HO-3D's names, HO-Cap's subjects, HOI4D's categories."""
    for name in ("ABF10", "SMu1", "SMu41", "ND2"):
        (tmp_path / "train" / name / "meta").mkdir(parents=True)
    found = {each.id: each.split for each in SETS["ho3d"](load_spec("ho3d"), tmp_path)}
    assert found == {"ABF10": "train", "ND2": "train", "SMu1": "val", "SMu41": "val"}
    for category in ("C2", "C13"):
        path = Path("handpose", "refinehandpose_right", "ZY20210800001", "H1", category, "N1", "S1", "s1", "T1")
        (tmp_path / path).mkdir(parents=True)
    splits = [each.split for each in SETS["hoi4d"](load_spec("hoi4d"), tmp_path)]
    assert splits == ["val", "train"]


def test_hocap_of_objects_that_are_no_list(tmp_path):
    folder = written.write_hocap(tmp_path, {"right": clip("right")}, {"right": pose_space("right")}, lost=5)
    (folder / "meta.yaml").write_text("object_ids: 7")
    with pytest.raises(InputError, match="object_ids: expected a list of names, found 7"):
        list(SETS["hocap"](load_spec("hocap"), tmp_path))


def test_nothing_to_prepare(tmp_path, capsys):
    assert main(["prepare", "hocap", "--source", str(tmp_path), "--data-dir", str(tmp_path)]) == 2
    assert "expected recordings (download the subjects, calibration and models" in capsys.readouterr().err


# dex_ycb.py's indices of subjects and sequences
PROTOCOLS = {
    "dexycb": {
        "train": (range(10), [i for i in range(100) if i % 5 != 4]),
        "val": ([0, 1], [i for i in range(100) if i % 5 == 4]),
        "test": (range(2, 10), [i for i in range(100) if i % 5 == 4]),
    },
    "dexycb_s1": {
        "train": ([0, 1, 2, 3, 4, 5, 9], range(100)),
        "val": ([6], range(100)),
        "test": ([7, 8], range(100)),
    },
    "dexycb_s3": {
        "train": (range(10), [i for i in range(100) if i // 5 not in (3, 7, 11, 15, 19)]),
        "val": (range(10), [i for i in range(100) if i // 5 in (3, 19)]),
        "test": (range(10), [i for i in range(100) if i // 5 in (7, 11, 15)]),
    },
}


@pytest.fixture(scope="module")
def dexycb(tmp_path_factory) -> Path:
    """The folders of all sequences."""
    root = tmp_path_factory.mktemp("dexycb")
    for subject in load_spec("dexycb").extra["subjects"]:
        for place in range(100):
            (root / subject / f"20200101_{place:06d}").mkdir(parents=True)
            (root / subject / f"20200101_{place:06d}" / "meta.yml").touch()
    return root


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_dexycb_has_its_own_splits(name, dexycb):
    spec = load_spec(name)
    found = {(each.split, each.path.relative_to(dexycb)) for each in SETS["dexycb"](spec, dexycb)}
    subjects = sorted(path.name for path in dexycb.iterdir())
    expected = {
        (split, Path(subjects[subject]) / f"20200101_{place:06d}")
        for split, (numbers, places) in PROTOCOLS[name].items()
        for subject in numbers
        for place in places
    }
    assert found == expected
    assert len(found) == 1000


def test_dexycb_by_cameras(dexycb):
    spec = load_spec("dexycb_s2")
    found = {(each.split, each.path.relative_to(dexycb)) for each in SETS["dexycb"](spec, dexycb)}
    serials = [
        *("836212060125", "839512060362", "840412060917", "841412060263"),
        *("932122060857", "932122060861", "932122061900", "932122062010"),
    ]
    splits = ["train"] * 6 + ["val", "test"]
    sequences = [path.parent.relative_to(dexycb) for path in dexycb.glob("*/*/meta.yml")]
    assert found == {(split, each / name) for name, split in zip(serials, splits, strict=True) for each in sequences}


def test_dexycb_of_which_sequences_are_missing(tmp_path):
    folder = tmp_path / "20200709-subject-01" / "20200709_141754"
    folder.mkdir(parents=True)
    (folder / "meta.yml").touch()
    with pytest.raises(InputError, match="20200709-subject-01: folders: expected 100 sequences, found 1"):
        list(SETS["dexycb"](load_spec("dexycb"), tmp_path))


def test_dexycb_in_the_world_and_before_a_camera(tmp_path):
    true = clip("right")
    written.write_ycb(tmp_path, true)
    folder = written.write_dexycb(tmp_path, true, pose_space("right"), lost=5).parent
    (example,) = converted("dexycb", Annotation("a", "train", folder))
    assert (example["id"], example["object"], example["hand_side"]) == ("a_6", "025_mug", "right")
    is_the_clip("dexycb", example, true, 6, written.TO_WORLD)
    (example,) = converted("dexycb_s2", Annotation("a", "train", folder / "836212060125"))
    is_the_clip("dexycb_s2", example, true, 6)


def test_hocap(tmp_path):
    """Once for each object; the other object has no mesh here."""
    true = {"right": clip("right"), "left": clip("left")}
    written.write_hocap(tmp_path, true, {side: pose_space(side) for side in SIDES}, lost=5)
    first, second = SETS["hocap"](load_spec("hocap"), tmp_path)
    assert (first.id, first.split, second.object_key) == ("subject_1_20231025_165502_G01_1", "train", "G01_2")
    (example,) = converted("hocap", first)
    assert example["hand_side"] == "right left"
    is_the_clip("hocap", example, true["right"], 6)
    with pytest.raises(InputError, match="object: expected the mesh of G01_2 in the set's folder, found none"):
        converted("hocap", second)


def test_a_hand_that_is_lost_for_some_frames(tmp_path):
    """It keeps its nearest pose; the other hand keeps the clip together."""
    true = {"right": clip("right"), "left": clip("left")}
    folder = written.write_hocap(tmp_path, true, {side: pose_space(side) for side in SIDES}, lost=5)
    poses = np.load(folder / "poses_m.npy")
    poses[0, 10:14] = -1
    np.save(folder / "poses_m.npy", poses)
    (example,) = converted("hocap", Annotation("a", "train", folder, "G01_1"))
    assert np.flatnonzero(~example["hand_valid"][0]).tolist() == [4, 5, 6, 7]
    near(example["hand_transl"][0][[4, 5, 6, 7]], example["hand_transl"][0][[3, 3, 8, 8]])
    is_the_clip("hocap", example, true["right"], 6)


def test_h2o(tmp_path):
    """Its README's splits."""
    true = {"right": clip("right"), "left": clip("left")}
    folder, _ = written.write_h2o(tmp_path, true, lost=5)
    for subject, place in (("subject3_ego", "k2"), ("subject4", "o1"), ("subject3", "k1")):
        (tmp_path / subject / place / "0" / "cam4").mkdir(parents=True)
    found = {each.id: each.split for each in SETS["h2o"](load_spec("h2o"), tmp_path)}
    names = ("subject1_h1_0", "subject3_k1_0", "subject3_k2_0", "subject4_o1_0")
    assert found == dict(zip(names, ("train", "train", "val", "test"), strict=True))
    (example,) = converted("h2o", Annotation("a", "train", folder))
    assert example["hand_side"] == "left right"
    flipped = {**example, "hand_side": "right"}
    flipped |= {key: example[key][1:] for key in example if key.startswith("hand_") and key != "hand_side"}
    is_the_clip("h2o", flipped | {"grasp": example["grasp"][1:]}, true["right"], 6)


def test_hoi4d(tmp_path):
    true = clip("right")
    written.write_hoi4d(tmp_path, true, lost=5, unsure=7)
    (annotation,) = SETS["hoi4d"](load_spec("hoi4d"), tmp_path)
    assert annotation.id == "ZY20210800001_H1_C2_N05_S100_s02_T1"
    (example,) = converted("hoi4d", annotation)
    assert (example["fps"], example["object"]) == (15, "Mug 005")
    is_the_clip("hoi4d", example, true, 8)


def test_contactpose(tmp_path):
    """By object, or by participant."""
    true = clip("right")
    grasp = {"pose": np.zeros(18), "joints": true.joints[20], "to_hand": np.eye(4)}
    written.write_contactpose(tmp_path, true, grasp)
    for name in ("full5_use/bowl", "full28_handoff/pan", "full10_use/apple"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "annotations.json").touch()
    splits = {
        name: {each.id: each.split for each in SETS["contactpose"](load_spec(name), tmp_path)}
        for name in ("contactpose", "contactpose_participants")
    }
    ids = ("full10_use_apple", "full28_handoff_pan", "full28_use_mug", "full5_use_bowl")
    assert splits["contactpose"] == dict(zip(ids, ("train", "test", "test", "train"), strict=True))
    assert splits["contactpose_participants"] == dict(zip(ids, ("val", "train", "train", "test"), strict=True))


def test_one_shape_of_a_clip():
    """Betas of each frame become their mean; the wrists stay."""
    true, model = clip("left"), load_hand("mano", "left")
    betas = np.tile(true.betas, (28, 1)) + np.random.default_rng(0).normal(0, 0.3, (28, 10))
    mean, transl = one_shape([model], betas[None], true.transl[None])
    near(mean[0], betas.mean(axis=0))
    before = np.asarray(rest_joints(model, jnp.asarray(betas, jnp.float32)))[:, 0] + true.transl
    after = np.asarray(rest_joints(model, jnp.asarray(mean, jnp.float32)))[:, 0] + transl[0]
    near(after, before)


def test_runs():
    selected = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1], bool)
    assert list(runs(selected, 3)) == [slice(1, 4), slice(8, 12)]


def test_a_hand_far_from_the_object_makes_no_clip(tmp_path):
    true = clip("right")
    written.write_ycb(tmp_path, true)
    folder = written.write_ho3d(tmp_path, {"hand": true}, lost=5)
    for file in (folder / "meta").iterdir():
        record = pickle.loads(file.read_bytes())
        if record["objTrans"] is not None:
            file.write_bytes(pickle.dumps(record | {"objTrans": record["objTrans"] + 1}))
    assert converted("ho3d", Annotation("a", "train", folder)) == []
