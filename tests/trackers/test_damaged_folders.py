"""Folders of data sets in which one value of one file is replaced, or one file is cut: they are read, or refused in one
line that names a file, also where a data set is prepared of them."""

import copy
import dataclasses
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support import annotation_files as written
from support.annotated_hand import pose_space
from support.tracker_clip import Clip, clip

from toch_jax.base.errors import InputError
from toch_jax.datasets.annotation_folders import SETS
from toch_jax.datasets.spec import load_spec
from toch_jax.trackers.formats import is_one_clip, read_tracked
from toch_jax.trackers.reading import Reading

FRAMES, TRIES = 4, 30
ODD = (None, "text", "", [], {}, -1, 0, 1e300, float("nan"), [[1, 2], [3]], [None], True, 10**400, {"a": 1}, [0.5] * 7)


def short(side: str) -> Clip:
    whole = clip(side)
    arrays = {key: value for key, value in vars(whole).items() if isinstance(value, np.ndarray)}
    return dataclasses.replace(
        whole, **{key: value[:FRAMES] for key, value in arrays.items() if len(value) == whole.n_frames}
    )


def written_set(root: Path, name: str) -> Path:
    right, left = short("right"), short("left")
    spaces = {side: pose_space(side) for side in ("right", "left")}
    match name:
        case "ho3d":
            return written.write_ho3d(root, {"hand": right}, lost=2)
        case "dexycb":
            return written.write_dexycb(root, right, spaces["right"], lost=2)
        case "dexycb_s1":
            return written.write_dexycb(root, right, spaces["right"], lost=2).parent
        case "hocap":
            return written.write_hocap(root, {"right": right, "left": left}, spaces, lost=2)
        case "h2o":
            return written.write_h2o(root, {"right": right, "left": left}, lost=2)[0]
        case "hoi4d":
            return written.write_hoi4d(root, right, lost=2, unsure=1)
    grasp = {"pose": np.zeros(18), "joints": right.joints[1], "to_hand": np.eye(4)}
    return written.write_contactpose(root, right, grasp)[0]


READERS: dict[str, tuple[Callable[[str], Any], Callable[[Any], bytes]]] = {
    ".json": (json.loads, lambda content: json.dumps(content).encode()),
    ".yml": (yaml.safe_load, lambda content: yaml.safe_dump(content).encode()),
    ".yaml": (yaml.safe_load, lambda content: yaml.safe_dump(content).encode()),
}


def keys(content: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """The places of nested dicts and lists, each as its holder and key."""
    own = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    inner = [place for key in own for place in keys(content[key], depth + 1)] if depth < 6 else []
    return [(content, key) for key in own] + inner


def damaged(path: Path, chance: random.Random) -> bytes:
    """The file's bytes with one value replaced, where it has values with names, or cut or of another kind."""
    content = path.read_bytes()
    if path.suffix in (".pkl", ".pickle"):
        record = pickle.loads(content)
        return pickle.dumps({**record, chance.choice(list(record)): chance.choice(ODD)}, protocol=2)
    if path.suffix in READERS and chance.random() < 0.8:
        read, write = READERS[path.suffix]
        record = copy.deepcopy(read(content.decode()))
        holder, key = chance.choice(keys(record))
        holder[key] = chance.choice(ODD)
        return write(record)
    return chance.choice([b"", content[: len(content) // 2], b"\xff" * 20, b"1 2 3\n"])


@pytest.mark.parametrize("name", ["ho3d", "dexycb", "dexycb_s1", "hocap", "h2o", "hoi4d", "contactpose"])
def test_one_value_of_one_file_is_replaced(name, tmp_path):
    folder = written_set(tmp_path, name)
    reading = Reading(object_key="G01_1" if name == "hocap" else None)
    assert read_tracked(folder, reading).n_frames == FRAMES
    kinds = {".pkl", ".pickle", ".json", ".yml", ".yaml", ".txt", ".npy", ".npz"}
    files = sorted(path for path in tmp_path.rglob("*") if path.suffix in kinds)
    chance = random.Random(name)
    for _ in range(TRIES):
        path = chance.choice(files)
        content = path.read_bytes()
        path.write_bytes(damaged(path, chance))
        for use in (
            lambda: read_tracked(folder, reading),
            lambda: list(SETS[name.partition("_")[0]](load_spec(name), tmp_path)),
            lambda: is_one_clip(folder),
        ):
            try:
                use()
            except InputError as fault:
                lines = str(fault).splitlines()
                if len(lines) != 1 or not lines[0].startswith(str(tmp_path)):
                    pytest.fail(str(fault))
        path.write_bytes(content)
