"""Recordings and splits of TACO, OakInk, OakInk2, HOGraspNet and GigaHands, after their authors' lists and code."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support import annotated_sets as written
from support.annotated_clips import converted, is_the_clip
from support.annotated_hand import near, pose_space
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.cli import main
from toch_jax.datasets.annotation_folders import SETS, Annotation
from toch_jax.datasets.prepared import read_sequences
from toch_jax.datasets.spec import load_spec

pytestmark = pytest.mark.usefixtures("open_mano")
HANDS = ("left", "right")


def found(name: str, source: Path) -> list[Annotation]:
    return list(SETS[name.partition("_")[0]](load_spec(name), source))


def right(example: dict) -> dict:
    """The example with its second hand alone, the right one: betas of the left hand are changed."""
    alone = {key: example[key][1:] for key in example if key.startswith("hand_") and key != "hand_side"}
    return {**example, **alone, "hand_side": "right", "grasp": example["grasp"][1:]}


def test_taco(tmp_path, capsys):
    """From the command to the sequences: once for the tool; the target has no mesh here."""
    true = [clip(side) for side in reversed(HANDS)]
    folder = written.write_taco(tmp_path / "raw", true, np.tile(np.eye(4), (true[0].n_frames, 1, 1)))
    command = ["prepare", "taco", "--source", str(tmp_path / "raw"), "--data-dir", str(tmp_path / "data")]
    assert main(command) == 2
    assert "test_split.txt: file: expected a list of splits (download Hand_Poses" in capsys.readouterr().err
    listed = tmp_path / "raw" / "v1_overall_data_train_test_split.txt"
    listed.write_text(f"20230927_032,train\n{folder.name},train\n")
    assert main(command) == 0
    ((name, sequence),) = read_sequences("taco", "train", tmp_path / "data")
    assert (name, sequence.n_frames, sequence.fps) == ("20231105_019_tool_0", 28, 30)
    (skipped,) = (tmp_path / "data" / "taco").glob("*/skipped.json")
    assert list(json.loads(skipped.read_text())) == ["20231105_019_target"]
    (example,) = converted("taco", Annotation("a", "train", folder, "tool"))
    assert example["object"] == "007"
    near(example["hand_pose"][0], true[1].pose)
    is_the_clip("taco", right(example), true[0], 0)


def test_splits_of_taco(tmp_path):
    """A day of training is for validation; of a protocol the other tests are left out."""
    days = {"20231015_080": "train", "20231015_118": "test_2", "20231019_056": "train", "20231104_202": "test_4"}
    for name in days:
        folder = tmp_path / "Hand_Poses" / "(stir, spoon, bowl)" / name
        folder.mkdir(parents=True)
        (folder / "right_hand.pkl").touch()
    listed = tmp_path / "v1_overall_data_train_test_split.txt"
    listed.write_text("".join(f"{name},{split}\n" for name, split in days.items()))
    splits = {each.path.name: each.split for each in found("taco", tmp_path)}
    assert splits == dict(zip(days, ("val", "test", "train", "test"), strict=True))
    assert {each.path.name for each in found("taco_s2", tmp_path)} == set(days) - {"20231104_202"}
    listed.write_text("20231015_080,train\n20231015_118,test_2\n")
    with pytest.raises(InputError, match="20231019_056: expected the split of this sequence, found none"):
        found("taco", tmp_path)
    listed.write_bytes(b"[1, 2]")
    with pytest.raises(InputError, match="expected lines of text, found int"):
        found("taco", tmp_path)


def test_oakink(tmp_path):
    """Each person of a handover, before the first camera; by its authors' list, where it names the object's tests."""
    true = clip("right")
    centred = true.mesh.bounds.mean(axis=0)
    written.write_oakink(tmp_path, true, list(range(16, 16 + true.n_frames)))
    with pytest.raises(InputError, match=r"seq_test.json: file: expected OakInk's list"):
        found("oakink", tmp_path)
    split = tmp_path / "image" / "anno" / "split" / "split2"
    split.mkdir(parents=True)
    (split / "seq_test.json").write_text(json.dumps([["B/2021", 0, 16, 0]]))
    giver, receiver = found("oakink", tmp_path)
    assert (giver.id, giver.split) == ("A01001_0004_0001_0003__2021-09-26-19-59-58__0", "train")
    (split / "seq_test.json").write_text(json.dumps([["A01001_0004_0001_0003/2021-09-26-19-59-58", 0, 16, 3]]))
    assert [each.split for each in found("oakink", tmp_path)] == ["test", "test"]
    # the giver's hand is a metre away
    assert converted("oakink", giver) == []
    (example,) = converted("oakink", receiver)
    moved = {**example, "object_vertices": example["object_vertices"] + np.float32(centred)}
    near(moved["object_vertices"].min(axis=0), true.mesh.bounds[0])
    assert (example["object"], example["hand_side"], example["fps"]) == ("A01001", "right", 30)


def test_oakink2(tmp_path):
    """Once for each object, by the lists of TaMF; a frame without hands ends a clip."""
    true = [clip(side) for side in reversed(HANDS)]
    path = written.write_oakink2(tmp_path, true, lost=5)
    with pytest.raises(InputError, match=r"val.txt: file: expected a list of splits"):
        found("oakink2", tmp_path)
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "val.txt").write_text("scene_01__A003/seq__e76b__2023\nscene_02__A001/seq__c1e3__2023\n")
    (tmp_path / "split" / "test.txt").write_text(path.stem.replace("++", "/"))
    still, moved = found("oakink2", tmp_path)
    assert (still.split, still.object_key, moved.object_key) == ("test", *written.OAKINK2_OBJECTS)
    (example,) = converted("oakink2", moved)
    near(example["hand_pose"][0], true[1].pose[6:])
    is_the_clip("oakink2", right(example), true[0], 6)


def test_hograspnet(tmp_path):
    """A frame without a file is bridged; a hand of another size than MANO's is left out."""
    true = clip("right")
    trial = written.write_hograspnet(tmp_path, true, "01_cracker_box.obj")
    (annotation,) = found("hograspnet", tmp_path / "data")
    assert (annotation.id, annotation.split) == ("230905_S01_obj_16_grasp_14_trial_0", "test")
    (example,) = converted("hograspnet", annotation)
    assert np.flatnonzero(~example["hand_valid"][0]).tolist() == [5]
    between = (true.object_poses[4, :3, 3] + true.object_poses[6, :3, 3]) / 2
    near(example["object_translation"][0, 5], between)
    for key, exact in (("object_translation", true.object_poses[:, :3, 3]), ("hand_global_orient", true.orient)):
        near(np.delete(example[key][0], 5, axis=0), np.delete(exact, 5, axis=0))
    for name in ("trial_1", "trial_2"):
        (trial.parent / name).mkdir()
    assert [each.split for each in found("hograspnet", tmp_path / "data")] == ["test", "val", "train"]
    for name in ("230905_S01_obj_10_grasp_14", "230905_S01_obj_01_grasp_25"):
        (trial.parent.parent / name / "trial_0").mkdir(parents=True)
    splits = {
        name: [each.split for each in found(name, tmp_path / "data")][:2] for name in ("hograspnet_s3", "hograspnet_s4")
    }
    assert splits == {"hograspnet_s3": ["val", "test"], "hograspnet_s4": ["test", "train"]}
    other = written.write_hograspnet(tmp_path / "other", true, "01_cracker_box.obj", size=1.1)
    with pytest.raises(InputError, match="hand: expected parameters of MANO, found joints alone"):
        converted("hograspnet", Annotation("a", "train", other))


def test_gigahands(tmp_path):
    """Poses of the object in every second frame are interpolated; frames without a hand are bridged."""
    true = [clip(side) for side in HANDS]
    places = []
    for each in true:
        # the wrist is at R w + Th, and at w + transl
        turned = np.einsum("tab,b->ta", Rotation.from_rotvec(each.orient).as_matrix(), each.wrist_offset)
        places.append(each.transl + each.wrist_offset - turned)
    written.write_gigahands(tmp_path, true, {side: pose_space(side)["mean"] for side in HANDS}, places)
    (annotation,) = found("gigahands", tmp_path)
    assert (annotation.id, annotation.split) == ("p003-instrument_033_ukelele_scan", "train")
    (example,) = converted("gigahands", annotation)
    assert example["object_translation"].shape == (1, 27, 3)
    near(example["object_translation"][0, ::2], true[0].object_poses[:27:2, :3, 3])
    lost = [np.flatnonzero(~seen).tolist() for seen in example["hand_valid"]]
    assert (example["hand_side"], lost) == ("left right", [[3, 5], [5]])
    for row, each in enumerate(true):
        seen = example["hand_valid"][row]
        near(example["hand_global_orient"][row][seen], each.orient[:27][seen])
        near(example["hand_pose"][row][seen], each.pose[:27][seen])
    # the left hand's place follows its betas, which are changed
    near(example["hand_transl"][1][seen], true[1].transl[:27][seen])
