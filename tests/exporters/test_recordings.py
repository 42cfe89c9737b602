"""HaPTIC's, HOLD's and HOT3D's folders and files come back with the hands replaced, and are the same where nothing was
repaired."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support import tracker_files as written
from support.tracker_clip import clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import open_source
from toch_jax.trackers.to_sequence import hand_arguments

WITHIN = 1e-4
PLACE = np.array([1.0, 0, 2])
SHIFT = np.array([0.01, -0.02, 0.03])
TURN = Rotation.from_rotvec([0.1, 0.2, -0.1]).as_matrix()


def skin_sequence(make, side, change=lambda points: points, **more):
    return make(
        side, form="points", hand_vertices=change(written.skin(clip(side)))[None], hand_vertex_order="mano", **more
    )


def turned(points: np.ndarray) -> np.ndarray:
    return points @ TURN.T + SHIFT


@pytest.mark.parametrize("side", ["right", "left"])
def test_haptic(side, make, tmp_path):
    """Joints move with the skin, and both in the world with the camera; tensors stay tensors."""
    (tmp_path / "first").mkdir()
    first = written.write_haptic(tmp_path / "first", clip(side))
    camera = Rotation.from_rotvec([0.3, 0, 0.2])
    for file in first.glob("*.pkl"):
        record = open_source(file).content
        for key in ("Hands", "Joints"):
            record[f"w{key}"] = (camera.apply(record[f"c{key}"][0]) + PLACE)[None].astype(np.float32)
        file.write_bytes(written.tensor_pickle(record))
    (first / "00003.pkl").unlink()
    writing = Writing(like=first)
    export_sequence(tmp_path / "same", skin_sequence(make, side), "haptic", writing)
    said = export_sequence(tmp_path / "clean", skin_sequence(make, side, turned), "haptic", writing)
    assert any("betas, cam_full, global_orient, hand_pose" in line for line in said)
    assert sorted(path.name for path in (tmp_path / "clean").iterdir()) == sorted(path.name for path in first.iterdir())
    for file in first.glob("*.pkl"):
        old, same, new = (
            open_source(folder / file.name).content for folder in (first, tmp_path / "same", tmp_path / "clean")
        )
        assert set(same) == set(old) - {"betas", "cam_full", "global_orient", "hand_pose"}
        for key in same:
            if old[key] is not None and key[1:] in ("Hands", "Joints"):
                np.testing.assert_allclose(same[key], old[key], atol=WITHIN)
                assert same[key].dtype == old[key].dtype
        np.testing.assert_allclose(new["cJoints"][0], turned(old["cJoints"][0]), atol=WITHIN)
        np.testing.assert_allclose(new["wJoints"][0], camera.apply(new["cJoints"][0]) + PLACE, atol=WITHIN)
        np.testing.assert_allclose(new["wHands"][0], camera.apply(new["cHands"][0]) + PLACE, atol=WITHIN)
        assert b"torch._utils" in (tmp_path / "clean" / file.name).read_bytes()


def test_haptic_without_skin(make, tmp_path):
    first = written.write_haptic(tmp_path, clip())
    with pytest.raises(InputError, match="expected MANO's 778 vertices, found joints alone"):
        export_sequence(tmp_path / "out", make("right", form="joints"), "haptic", Writing(like=first))


def mean(side: str) -> np.ndarray:
    return hand_arrays(side)["hands_mean"]


@pytest.mark.parametrize("side", ["right", "left"])
def test_hold(side, make, tmp_path):
    first, _ = written.write_hold(tmp_path, clip(side), mean(side))
    place = clip(side).object_poses[:, :3, 3] + SHIFT
    writing = Writing(like=first)
    export_sequence(tmp_path / "same.npy", make(side), "hold", writing)
    export_sequence(tmp_path / "clean.npy", make(side, object_translation=place), "hold", writing)
    old, same, new = (open_source(path).content for path in (first, tmp_path / "same.npy", tmp_path / "clean.npy"))
    assert list(same) == list(old)
    assert set(same["entities"]["object"]) == set(old["entities"]["object"])
    for key, value in old["entities"][side].items():
        np.testing.assert_allclose(same["entities"][side][key], value, atol=WITHIN)
    for key, value in old["entities"]["object"].items():
        np.testing.assert_allclose(same["entities"]["object"][key], value, atol=WITHIN)
    poses = old["entities"]["object"]["object_poses"] + np.concatenate([np.zeros(3), SHIFT])
    np.testing.assert_allclose(new["entities"]["object"]["object_poses"], poses, atol=WITHIN)
    np.testing.assert_allclose(read_tracked(tmp_path / "clean.npy").object_poses[:, :3, 3], place, atol=WITHIN)


UID = "106957734975303"


@pytest.mark.parametrize("form", ["folder", "file"])
def test_hot3d(form, make, tmp_path):
    """Read, written and read again; the empty frame has hands after the repair, both stamps the same."""
    true = [clip("left"), clip("right")]
    first = written.write_hot3d(tmp_path / "first", true, lost=5)
    hands = first / "hand_data" / "mano_hand_pose_trajectory.jsonl"
    reading = Reading(object_key=UID)
    old = read_tracked(first, reading)
    arguments, _ = hand_arguments(first, old, reading)
    sequence = make("left", "right", **arguments)
    sequence = sequence.replace(hand_joint_sigma=jnp.zeros((2, sequence.n_frames, 21)))
    target = tmp_path / ("clean" if form == "folder" else "clean.jsonl")
    like = first if form == "folder" else hands
    (said,) = export_sequence(target, sequence, "hot3d", Writing(like=like, object_key=UID))
    assert "joints at most 0.0 mm off" in said
    found = read_tracked(target, reading)
    seen = np.arange(sequence.n_frames) != 5
    for name in ("global_orient", "pose", "transl", "betas"):
        values = getattr(found.mano, name)
        np.testing.assert_allclose(values[:, seen], getattr(old.mano, name)[:, seen], atol=WITHIN)
        assert np.isfinite(values[:, 5]).all()
    out = target / hands.relative_to(first) if form == "folder" else target
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == len(hands.read_text().splitlines())
    assert lines[6]["hand_poses"] == lines[7]["hand_poses"]
    if form == "folder":
        np.testing.assert_allclose(found.object_poses, old.object_poses, atol=1e-5)
        before, after = (
            (folder / "ground_truth" / "dynamic_objects.csv").read_text().splitlines() for folder in (first, target)
        )
        assert [line for line in after if not line.startswith(UID)] == [
            line for line in before if not line.startswith(UID)
        ]


def test_hot3d_says_what_fifteen_coefficients_leave(make, tmp_path):
    first = written.write_hot3d(tmp_path / "first", [clip()], lost=0)
    lines = (first / "hand_data" / "mano_hand_pose_trajectory.jsonl").read_text().splitlines()
    whole = make("right", hand_pose=np.tile(clip().pose[:, :45], (1, 1, 1)))
    (said,) = export_sequence(tmp_path / "clean", whole, "hot3d", Writing(like=first, object_key=UID))
    assert 1 < float(said.split("at most ")[1].split(" mm")[0]) < 100
    assert len(lines) == 2 * clip().n_frames
