"""LeRobot's files: a feature with names, without, of several episodes."""

import json

import numpy as np
import pytest
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

LEFT, RIGHT = clip("left"), clip("right")
BOTH = np.concatenate([LEFT.joints, RIGHT.joints], axis=1).reshape(LEFT.n_frames, 126)
NAMES = [f"{side}_hand_{joint}_{axis}" for side in ("left", "right") for joint in range(21) for axis in "xyz"]


def write(tmp_path, features, names=None, episodes=(0,), frames=None):
    """Version 2.1's layout: as many rows for each episode; the second has other numbers."""
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    count = len(next(iter(features.values())))
    numbers = np.arange(count) if frames is None else frames
    columns = {
        key: pyarrow.array([(row + shift).tolist() for shift in range(len(episodes)) for row in np.float32(value)])
        for key, value in features.items()
    }
    columns["timestamp"] = pyarrow.array(np.tile(np.arange(count, dtype=np.float32) / 30, len(episodes)))
    columns["frame_index"] = pyarrow.array(np.tile(numbers, len(episodes)))
    columns["episode_index"] = pyarrow.array(np.repeat(episodes, count))
    columns["task"] = pyarrow.array(["fold"] * (count * len(episodes)))
    parquet.write_table(pyarrow.table(columns), path)
    info = {"codebase_version": "v2.1", "fps": 30, "features": {}}
    for key, value in features.items():
        info["features"][key] = {"dtype": "float32", "shape": [value.shape[1]], "names": (names or {}).get(key)}
    (tmp_path / "meta").mkdir(exist_ok=True)
    (tmp_path / "meta" / "info.json").write_text(json.dumps(info))
    return path


@pytest.mark.parametrize("form", ["list", "dict"])
def test_a_feature_with_names(form, tmp_path):
    """Another feature of the same length has no names of joints."""
    order = np.random.default_rng(1).permutation(126)
    names = [NAMES[index] for index in order]
    features = {"observation.state": BOTH[:, order], "action": BOTH + 1}
    path = write(tmp_path, features, {"observation.state": names if form == "list" else {"axes": names}})
    tracked = read_tracked(path)
    assert (tracked.format, tracked.fps) == ("lerobot", 30)
    for hand, side in enumerate(tracked.sides):
        np.testing.assert_allclose(tracked.joints[hand], clip(side).joints, atol=1e-6)
    assert "hands from observation.state" in tracked.said


def test_a_feature_without_names(tmp_path):
    path = write(tmp_path, {"observation.state": BOTH[:, :7], "observation.hand": 1000 * BOTH})
    with pytest.raises(InputError, match="hand side: expected --side right or --side left"):
        read_tracked(path)
    tracked = read_tracked(path, Reading(side="left,right", hand_unit="mm"))
    np.testing.assert_allclose(tracked.joints, np.stack([LEFT.joints, RIGHT.joints]), atol=1e-6)
    one = write(tmp_path, {"hand": LEFT.joints.reshape(-1, 63)}, frames=2 * np.arange(LEFT.n_frames))
    found = read_tracked(one, Reading(side="left"))
    np.testing.assert_allclose(found.joints[0], LEFT.joints, atol=1e-6)
    assert found.numbers[:2].tolist() == [0, 2]


def test_several_episodes(tmp_path):
    path = write(tmp_path, {"hand": LEFT.joints.reshape(-1, 63)}, episodes=(4, 5))
    with pytest.raises(InputError, match="--episode: expected one of the file's episodes, 4 to 5, found None"):
        read_tracked(path, Reading(side="left"))
    with pytest.raises(InputError, match="4 to 5, found 3"):
        read_tracked(path, Reading(side="left", episode=3))
    found = read_tracked(path, Reading(side="left", episode=5)).joints[0]
    np.testing.assert_allclose(found, LEFT.joints + 1, atol=1e-6)


def test_faults(tmp_path):
    path = write(tmp_path, {"one": LEFT.joints.reshape(-1, 63), "two": LEFT.joints.reshape(-1, 63)})
    with pytest.raises(
        InputError, match=r"one feature with the joints of a hand or two \(--hand-key KEY\), found one 63, two 63"
    ):
        read_tracked(path, Reading(side="left"))
    with pytest.raises(
        InputError, match="--hand-key: expected a feature with the joints of a hand or two, found one 63"
    ):
        read_tracked(path, Reading(side="left", hand_key="timestamp"))
    np.testing.assert_allclose(
        read_tracked(path, Reading(side="left", hand_key="two")).joints[0], LEFT.joints, atol=1e-6
    )
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="file: expected a whole Parquet file"):
        read_tracked(path, Reading(side="left"))
    path = write(tmp_path, {"hand": LEFT.joints.reshape(-1, 63)}, frames=np.zeros(LEFT.n_frames, int))
    with pytest.raises(InputError, match="frame_index: expected numbers that increase"):
        read_tracked(path, Reading(side="left"))
