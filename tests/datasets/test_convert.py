"""The way from tasks to a prepared data set: caching, resuming, what is left out, the round trip through TFDS."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.examples import example

from toch_jax.base.errors import InputError, bad_input
from toch_jax.datasets.convert import Task, cache_clips, cached_clips, convert_all, fingerprint, write_dataset
from toch_jax.datasets.prepared import Example, read_examples, read_sequences
from toch_jax.datasets.spec import load_spec

SPEC = load_spec("open_grasps")


def clip(number: int) -> Example:
    return {**example(frames=5 + number, seed=number), "id": f"clip_{number}"}


def tasks(folder: Path, count: int = 3, per_task: int = 1) -> list[Task]:
    """Tasks of the split train, each with its own clips."""
    return [
        Task("train", folder / f"task_{k}.npz", lambda k=k: [clip(per_task * k + i) for i in range(per_task)])
        for k in range(count)
    ]


def test_cached_clips_come_back(tmp_path: Path) -> None:
    clips = [clip(0), clip(1)]
    cache_clips(tmp_path / "new" / "some.npz", clips)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["some.npz"]
    for found, wanted in zip(cached_clips(tmp_path / "new" / "some.npz"), clips, strict=True):
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_array_equal(found[key], value)
            assert np.asarray(found[key]).dtype == np.asarray(value).dtype


def test_each_task_is_converted_once(tmp_path: Path) -> None:
    first, _ = convert_all(SPEC, tasks(tmp_path))

    def never() -> list[Example]:
        raise AssertionError

    again, faults = convert_all(SPEC, [Task(task.split, task.cache, never) for task in tasks(tmp_path)])
    assert again == first == {"train": [tmp_path / f"task_{k}.npz" for k in range(3)]}
    assert not faults


def test_faulty_and_empty_tasks_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def faulty() -> list[Example]:
        raise bad_input("file", "field", "something", "nothing")

    some = [*tasks(tmp_path, 1), Task("val", tmp_path / "bad.npz", faulty), Task("test", tmp_path / "none.npz", list)]
    files, faults = convert_all(SPEC, some)
    assert files == {"train": [tmp_path / "task_0.npz"]}
    assert faults == {"bad": "file: field: expected something, found nothing"}
    assert "toch: 1 of 3 recordings skipped" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^open_grasps: recordings: expected one with a clip in it, found none"):
        convert_all(SPEC, some[2:])


def test_fingerprint_is_of_facts_not_of_their_order() -> None:
    assert fingerprint({"a": 1, "b": Path("x")}) == fingerprint({"b": Path("x"), "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


@pytest.mark.parametrize("shuffled", [True, False])
def test_way_through_tfds(tmp_path: Path, shuffled: bool) -> None:
    files, faults = convert_all(SPEC, tasks(tmp_path / "cached", 2, per_task=2))
    folder = write_dataset(SPEC, files, tmp_path, shuffled=shuffled, skipped=faults)
    assert json.loads((folder / "skipped.json").read_text()) == {}
    found = {each["id"]: each for each in read_examples("open_grasps", "train", tmp_path)}
    assert found.keys() == {f"clip_{k}" for k in range(4)}
    assert shuffled or list(found) == sorted(found)
    for k in range(4):
        for key, value in clip(k).items():
            np.testing.assert_array_equal(found[f"clip_{k}"][key], value)
            assert np.asarray(found[f"clip_{k}"][key]).dtype.kind == np.asarray(value).dtype.kind
    name, sequence = next(read_sequences("open_grasps", "train[:1]", tmp_path))
    assert sequence.n_frames == found[name]["grasp"].shape[1]
    np.testing.assert_array_equal(sequence.hand_valid, found[name]["hand_valid"])
    with pytest.raises(InputError, match="split: expected one of train, found 'val'"):
        next(read_sequences("open_grasps", "val", tmp_path))


def test_missing_data_set_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="toch prepare open_grasps"):
        next(read_sequences("open_grasps", "train", tmp_path))
