"""Files of every format in which one value is replaced: they are read, or refused in one line that names a file."""

import copy
import io
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import annotated_sets as sets
from support import tracker_files as written
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import open_source

FRAMES, TRIES = 4, 40
ODD = (None, "text", "", [], {}, -1, 0, 1e300, float("nan"), [[1, 2], [3]], [None], True, 10**400, {"a": 1}, [0.5] * 7)
ARRAYS = (np.zeros((0, 3)), np.array(["a"]), np.full(3, np.nan), np.zeros((2, 2, 2, 2)), np.array(5), np.array(None))


def short(content: list) -> list:
    return content[:FRAMES]


def contents(folder: Path) -> dict[str, tuple[Any, str]]:
    """What a file of each format holds, and the ending of its name."""
    left, right = clip("left"), clip("right")
    still = np.tile(np.eye(4), (left.n_frames, 1, 1))
    hot3d = written.write_hot3d(folder / "hot3d", [right], lost=2) / "hand_data" / "mano_hand_pose_trajectory.jsonl"
    vitra = np.load(written.write_vitra(folder / "a.npy", [left, right], still, lost=1), allow_pickle=True).item()
    dyn_hamr = dict(np.load(written.write_dyn_hamr(folder / "a.npz", [left, right], object_pose_world=still)))
    params = {key: np.zeros((1, 5, size)) for key, size in (("global_orient", 3), ("transl", 3), ("hand_pose", 45))}
    oakink2 = open_source(sets.write_oakink2(folder / "oakink2", [left, right], lost=1)).content
    oakink2["obj_transf"] = dict(list(oakink2["obj_transf"].items())[-1:])
    places = [np.zeros((28, 3))] * 2
    gigahands = sets.write_gigahands(
        folder / "giga", [left, right], {"left": np.zeros(45), "right": np.zeros(45)}, places
    )
    hawor = [np.zeros((2, 5, size), np.float32) for size in (3, 3, 45, 10)]
    return {
        "hamer": (short(written.hamer_frames(left)), "pkl"),
        "wilor-mini": (short(written.wilor_mini_frames(left)), "pkl"),
        "mediapipe": (short(written.mediapipe_frames(left, lost=1)), "json"),
        "leap": (short(written.leap_frames(left, right, lost=1)), "json"),
        "hot3d": (short(list(map(json.loads, hot3d.read_text().splitlines()))), "json"),
        "oakink2": (oakink2, "pkl"),
        "gigahands": (json.loads(gigahands.read_text()), "json"),
        "vitra": (vitra, "npy"),
        "dyn-hamr": (dyn_hamr, "npz"),
        "v2d-mano": (params | {"betas": np.zeros((1, 10)), "is_right": np.ones((1, 5)), "flat_hand_mean": True}, "npz"),
        "hawor": ([*hawor, np.ones((2, 5), bool)], "pkl"),
        "plain": ({"joints": left.joints, "fps": 30, "poses": still}, "npz"),
    }


def write(path: Path, content: Any) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps(content, default=lambda each: each.tolist()))
    elif path.suffix == ".npz":
        with path.open("wb") as file:
            lists = {key: np.array(value, object) for key, value in content.items() if isinstance(value, list | dict)}
            np.savez(file, **{**content, **lists})
    elif path.suffix == ".npy":
        file = io.BytesIO()
        np.save(file, np.array(content, dtype=object), allow_pickle=True)
        path.write_bytes(file.getvalue())
    else:
        path.write_bytes(pickle.dumps(content))


def places(content: Any, depth: int = 0) -> list[Callable[[Any], None]]:
    """Functions that put a value into each place of nested dicts and lists."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    found: list[Callable[[Any], None]] = []
    for key in keys:
        found.append(lambda value, key=key: content.__setitem__(key, value))
        found += places(content[key], depth + 1) if depth < 7 else []
    return found


@pytest.mark.parametrize(
    "name",
    [
        *("hamer", "wilor-mini", "mediapipe", "leap", "hot3d", "vitra", "dyn-hamr", "v2d-mano", "hawor", "plain"),
        *("oakink2", "gigahands"),
    ],
)
def test_one_value_is_replaced(name, tmp_path):
    content, ending = contents(tmp_path)[name]
    camera = str(written.write_camera_json(tmp_path))
    reading = Reading(camera=camera, side="left", format=name)
    path = tmp_path / f"odd.{ending}"
    write(path, content)
    assert read_tracked(path, reading).format == name
    chance = random.Random(name)
    odd = (*ODD, *ARRAYS) if ending in ("pkl", "npy", "npz") else ODD
    for _ in range(TRIES):
        changed = copy.deepcopy(content)
        chance.choice(places(changed))(chance.choice(odd))
        if isinstance(changed, dict):
            changed = {key: value for key, value in changed.items() if not (ending == "npz" and value is None)}
        write(path, changed)
        try:
            read_tracked(path, reading)
        except InputError as fault:
            lines = str(fault).splitlines()
            if len(lines) != 1 or "odd." not in lines[0]:
                pytest.fail(str(fault))
