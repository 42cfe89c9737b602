"""A tracker's own file comes back with the hands replaced: the same where nothing was repaired, moved where it was.

The files are written after their public layouts by tests/support/tracker_files.py, which shares no code with readers
and writers.
"""

import json
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from support import tracker_files as written
from support.torch_writer import tensor_pickle
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import open_source

BOTH = ("left", "right")
WITHIN = 1e-5
SHIFT = np.array([0.01, -0.02, 0.03])


def moved(sequence):
    """The sequence with its hands moved by SHIFT, which no file of the tracker has."""
    hands = sequence.hands
    if hands.params is None:
        return sequence.replace(hands=hands.replace(joints=hands.joints + SHIFT))
    return sequence.replace(hands=hands.replace(params=hands.params.replace(transl=hands.params.transl + SHIFT)))


def same_track(found, expected, shift=0.0) -> None:
    assert found.sides == expected.sides
    assert (found.joints is None) == (expected.joints is None)
    if found.joints is not None:
        np.testing.assert_allclose(found.joints, expected.joints + shift, atol=1e-4)
    if expected.mano is not None and found.mano is not None:
        for name in ("global_orient", "pose"):
            np.testing.assert_allclose(getattr(found.mano, name), getattr(expected.mano, name), atol=WITHIN)
        np.testing.assert_allclose(found.mano.transl, expected.mano.transl + shift, atol=1e-4)


@pytest.mark.parametrize("shift", [0, 1], ids=["as it came", "moved"])
@pytest.mark.parametrize("sides", [BOTH, ("right",)])
def test_hawor(sides, shift, make, tmp_path):
    seen = np.array([[side in sides] * clip().n_frames for side in BOTH])
    first, _ = written.write_hawor(tmp_path, clip("left"), clip("right"), seen)
    sequence = moved(make(*sides)) if shift else make(*sides)
    export_sequence(tmp_path / "out" / "world_space_res.pth", sequence, "hawor", Writing(like=first))
    found, expected = read_tracked(tmp_path / "out" / "world_space_res.pth"), read_tracked(first)
    same_track(found, expected, SHIFT * shift)
    old, new = (open_source(path).content for path in (first, tmp_path / "out" / "world_space_res.pth"))
    assert [each.dtype for each in new] == [each.dtype for each in old]
    if not shift:
        for before, after in zip(old, new, strict=True):
            np.testing.assert_allclose(after, before, atol=WITHIN)


def test_hawor_without_the_file(make, tmp_path):
    """The hand that the clip has not is not valid, nor is a lost frame."""
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 3] = False
    export_sequence(tmp_path / "a.pth", make("left", hand_valid=valid), "hawor")
    *_, flags = open_source(tmp_path / "a.pth").content
    assert flags.dtype == bool
    np.testing.assert_array_equal(flags, np.concatenate([valid, np.zeros_like(valid)]))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("side", BOTH)
def test_video_to_data_tracks(side, aligned, make, tmp_path):
    """A repaired clip has a file for the frame that had none."""
    first = written.write_v2d(tmp_path / "first", clip(side), aligned, skip=4)
    for file in first.rglob("*.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "score": 0.5}))
    writing = Writing(like=first, camera=str(written.write_camera(tmp_path)))
    sigma = jnp.zeros((1, clip().n_frames, 21))
    sequence = moved(make(side).replace(hand_joint_sigma=sigma))
    export_sequence(tmp_path / "clean", sequence, "v2d-tracks", writing)
    reading = Reading(camera=writing.camera)
    found, expected = read_tracked(tmp_path / "clean", reading), read_tracked(first, reading)
    expected.mano.transl[0, 4], expected.mano.global_orient[0, 4] = clip(side).transl[4], clip(side).orient[4]
    expected.mano.pose[0, 4] = clip(side).pose[4]
    same_track(found, expected, SHIFT)
    records = {path.name: json.loads(path.read_text()) for path in (tmp_path / "clean").rglob("*.json")}
    assert set(records) == {f"{frame:06d}.json" for frame in range(clip().n_frames)}
    before = json.loads(next(first.rglob("000003.json")).read_text())
    for name, record in records.items():
        assert set(record) == set(before)
        assert (record["frame_idx"], record["score"]) == (int(name[:6]), 0.5)


def test_video_to_data_params(make, tmp_path):
    first = tmp_path / "mano_params.npz"
    export_sequence(first, make(*BOTH), "mano-smplx", Writing(mean_pose="relative"))
    with np.load(first) as file:
        arrays = dict(file)
    arrays |= {"vertex_rmsd": np.full((2, clip().n_frames), 0.001)}
    arrays.pop("fps")
    np.savez(first, **arrays)
    export_sequence(tmp_path / "clean.npz", moved(make(*BOTH)), "v2d-mano", Writing(like=first))
    with np.load(tmp_path / "clean.npz") as clean:
        assert set(clean.files) == set(arrays)
        for key, value in arrays.items():
            np.testing.assert_allclose(clean[key], value + (SHIFT if key == "transl" else 0), atol=WITHIN)


def javascript(frames):
    return [
        {
            "landmarks": frame["hand_landmarks"],
            "worldLandmarks": frame["hand_world_landmarks"],
            "handednesses": [[{"categoryName": side[0]["category_name"]}] for side in frame["handedness"]],
        }
        for frame in frames
    ]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("form", ["python", "javascript"])
def test_mediapipe(form, lines, make, tmp_path):
    """The frame in which the hand was lost has one after the repair; its landmarks project to the joints."""
    frames = [{**frame, "video": "a"} for frame in written.mediapipe_frames(clip(), lost=5)]
    frames = javascript(frames) if form == "javascript" else frames
    first = tmp_path / "hands.json"
    first.write_text("\n".join(map(json.dumps, frames)) if lines else json.dumps(frames))
    camera = str(written.write_camera_json(tmp_path))
    sigma = jnp.zeros((1, clip().n_frames, 21))
    sequence = moved(make("right", form="joints").replace(hand_joint_sigma=sigma))
    export_sequence(tmp_path / "clean.json", sequence, "mediapipe", Writing(like=first, camera=camera))
    found = read_tracked(tmp_path / "clean.json", Reading(camera=camera))
    np.testing.assert_allclose(found.joints[0], clip().joints + SHIFT, atol=1e-4)
    clean = open_source(tmp_path / "clean.json").content
    assert [set(frame) for frame in clean] == [set(frame) for frame in frames]
    world, image = (
        ("worldLandmarks", "landmarks") if form == "javascript" else ("hand_world_landmarks", "hand_landmarks")
    )
    points = np.array([[[point[axis] for axis in "xyz"] for point in frame[world][0]] for frame in clean])
    np.testing.assert_allclose(points.mean(axis=1), 0, atol=1e-9)
    assert set(clean[5][image][0][0]) == set(frames[4][image][0][0])
    assert ("\n" in (tmp_path / "clean.json").read_text().strip()) == lines


def hamer_content(form, frames):
    """One of the forms in which people save HaMeR's detections."""
    if form == "dict":
        return {f"img_{number:04d}.jpg": rows for number, rows in enumerate(frames)}
    if form == "flat":
        return [{**row, "img_name": f"{number:04d}.jpg"} for number, rows in enumerate(frames) for row in rows]
    return frames


@pytest.mark.parametrize("form", ["list", "dict", "flat"])
@pytest.mark.parametrize("side", BOTH)
def test_hamer(side, form, make, tmp_path):
    """Points of a mesh that is not MANO's have no vertices to write, which is said."""
    frames = written.hamer_frames(clip(side), lost=(2,))
    for rows in frames:
        for row in rows:
            row["boxes"] = np.arange(4.0)
    first = written.dump(tmp_path / "hamer.pkl", hamer_content(form, frames))
    camera = str(written.write_camera(tmp_path))
    sigma = jnp.zeros((1, clip().n_frames, 21))
    sequence = moved(make(side).replace(hand_joint_sigma=sigma))
    said = export_sequence(tmp_path / "clean.pkl", sequence, "hamer", Writing(like=first, camera=camera))
    found = read_tracked(tmp_path / "clean.pkl", Reading(camera=camera))
    assert found.sides == (side,)
    seen = np.arange(clip().n_frames) != (2 if form == "flat" else -1)
    np.testing.assert_allclose(found.joints[0][seen], (clip(side).joints + SHIFT)[seen], atol=1e-4)
    np.testing.assert_allclose(found.mano.pose[0][seen], clip(side).pose[seen], atol=WITHIN)
    np.testing.assert_allclose(found.mano.transl[0][seen], (clip(side).transl + SHIFT)[seen], atol=1e-4)
    assert any("pred_vertices" in line for line in said)
    assert any("1 hands of frames" in line for line in said) == (form == "flat")
    content = pickle.loads((tmp_path / "clean.pkl").read_bytes())
    assert type(content) is type(hamer_content(form, frames))
    row = content[0] if form == "flat" else (content["img_0000.jpg"] if form == "dict" else content[0])[0]
    np.testing.assert_array_equal(row["boxes"], np.arange(4.0))
    assert row["pred_keypoints_3d"].shape == (1, 21, 3)
    assert row["pred_mano_params"]["hand_pose"].shape == (1, 15, 3, 3)
    assert "pred_vertices" not in row


def test_rows_in_arrays(make, tmp_path):
    """The file without --like, with a row lost and another tracker's key; a row for the lost frame is added."""
    camera = str(written.write_camera(tmp_path))
    first = tmp_path / "first.npz"
    export_sequence(first, make(*BOTH), "hamer", Writing(camera=camera))
    with np.load(first) as file:
        rows = {key: np.delete(file[key], 6, axis=0) for key in file.files}
        whole = dict(file)
    rows["score"] = np.arange(len(rows["frame_idx"]), dtype=np.float32)
    np.savez(first, **rows)
    sigma = jnp.zeros((2, clip().n_frames, 21))
    sequence = make(*BOTH).replace(hand_joint_sigma=sigma)
    export_sequence(tmp_path / "clean.npz", sequence, "hamer", Writing(like=first, camera=camera))
    with np.load(tmp_path / "clean.npz") as clean:
        assert set(clean.files) == {*whole, "score"}
        keys = list(zip(clean["frame_idx"].tolist(), clean["is_right"].tolist(), strict=True))
        order = [keys.index(key) for key in zip(whole["frame_idx"].tolist(), whole["is_right"].tolist(), strict=True)]
        for key, value in whole.items():
            np.testing.assert_allclose(clean[key][order], value, atol=1e-4)


@pytest.mark.parametrize("side", BOTH)
def test_wilor_mini(side, make, tmp_path):
    """Joints alone: the parameters are left out, and said; axis-angle stays axis-angle."""
    frames = written.wilor_mini_frames(clip(side))
    first = written.dump(tmp_path / "mini.pkl", frames)
    camera = str(written.write_camera_json(tmp_path))
    writing = Writing(like=first, camera=camera)
    export_sequence(tmp_path / "clean.pkl", make(side), "wilor-mini", writing)
    same_track(*(read_tracked(path, Reading(camera=camera)) for path in (tmp_path / "clean.pkl", first)))
    content = pickle.loads((tmp_path / "clean.pkl").read_bytes())
    assert content[0][0]["hand_bbox"] == frames[0][0]["hand_bbox"]
    assert content[0][0]["wilor_preds"]["hand_pose"].shape == (1, 15, 3)
    said = export_sequence(tmp_path / "clean.json", moved(make(side, form="joints")), "wilor-mini", writing)
    found = read_tracked(tmp_path / "clean.json", Reading(camera=camera))
    assert found.mano is None
    np.testing.assert_allclose(found.joints[0], clip(side).joints + SHIFT, atol=1e-4)
    assert any("betas, global_orient, hand_pose" in line for line in said)


def test_tensors_stay_tensors(make, tmp_path):
    frames = written.wilor_mini_frames(clip())
    first = tmp_path / "mini.pkl"
    first.write_bytes(tensor_pickle(frames))
    camera = str(written.write_camera_json(tmp_path))
    export_sequence(tmp_path / "clean.pkl", make("right"), "wilor-mini", Writing(like=first, camera=camera))
    assert b"torch._utils" in (tmp_path / "clean.pkl").read_bytes()
    same_track(*(read_tracked(path, Reading(camera=camera)) for path in (tmp_path / "clean.pkl", first)))


def test_what_is_wrong_is_said(make, tmp_path):
    camera = str(written.write_camera(tmp_path))
    hawor, _ = written.write_hawor(tmp_path, clip("left"), clip("right"), np.ones((2, clip().n_frames), bool))
    mini = written.dump(tmp_path / "mini.pkl", written.wilor_mini_frames(clip()))
    cases = [
        ("wilor-mini", "a.pkl", Writing(camera=camera), "--like: expected the tracker's own file"),
        ("mediapipe", "a.json", Writing(camera=camera), "--like: expected the tracker's own file"),
        ("v2d-tracks", "a", Writing(like=mini), "--like: expected a file of the format v2d-tracks, found another"),
        ("wilor-mini", "a.pkl", Writing(like=mini), "camera: expected the real camera"),
        (
            "hawor",
            "a.pth",
            Writing(like=hawor),
            r"expected the clip's hands \(right\) and 28 frames, found left, right",
        ),
        ("hamer", "a.pkl", Writing(camera=camera), "ends in .npz without --like"),
    ]
    for to, name, writing, message in cases:
        with pytest.raises(InputError, match=message):
            export_sequence(tmp_path / name, make("right"), to, writing)
    assert not (tmp_path / "a.pkl").exists()
