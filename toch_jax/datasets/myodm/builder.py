"""Builder of the myodm data set: retargets every clip of the wheel to the open hand."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool
from scipy.spatial.transform import Rotation

from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.examples import Example, stack_hands
from toch_jax.datasets.myodm.hand_points import HandPoints, fit_shape, hand_points
from toch_jax.datasets.myodm.measure import measure
from toch_jax.datasets.myodm.retarget import retarget
from toch_jax.datasets.myodm.skeleton import Motion, Skeleton, resample
from toch_jax.datasets.myodm.source import clip_names, fetch, read_mesh, read_recording
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams
from toch_jax.object.mesh import check_mesh, orient_outward

NAME = "myodm"
GENERATION = 3
"""Increase when the same wheel would give different clips: cached ones are then not reused."""


def prepare(
    data_dir: str | Path | None = None, wheel: str | Path | None = None, splits: tuple[str, ...] = SPLITS
) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `wheel` is the wheel named in data_specs/myodm.toml; if None, pip downloads it. The folder also gets reports.json,
    the quality measures of each clip (`Report`). Raises InputError if the wheel cannot be downloaded or is another one.
    """
    spec = load_spec(NAME)
    data_dir, wheel = Path(data_dir or default_data_dir()), fetch(spec, wheel)
    facts = {"generation": GENERATION, "fps": spec.fps, "wheel": spec.extra["wheel_sha256"], "hand": spec.hand_model}
    cached = data_dir / "work" / f"{NAME}-{fingerprint(facts)}"
    files, skipped = convert_all(spec, make_tasks(spec, wheel, cached, splits))
    reports = {path.stem: json.loads(_report(path).read_text()) for paths in files.values() for path in paths}
    return write_dataset(spec, files, data_dir, shuffled=True, reports=reports, skipped=skipped)


def make_tasks(spec: DatasetSpec, wheel: Path, cached: Path, splits: tuple[str, ...]) -> list[Task]:
    """A task for each clip; each also writes the clip's report beside its cached file."""
    model = load_hand(spec.hand_model)
    shape_clip = str(spec.extra["shape_clip"])
    skeleton = Skeleton(wheel, shape_clip.split("_")[0])
    hand = hand_points(model, fit_shape(model, skeleton.motion(read_recording(wheel, shape_clip)).joints[0]))

    def convert(name: str) -> list[Example]:
        recording = read_recording(wheel, name)
        mesh = outward(read_mesh(wheel, recording.object))
        motion = resample(skeleton.motion(recording), spec.fps)
        params = retarget(model, hand, mesh, motion)
        report, grasp = measure(model, params, mesh, motion)
        cached.mkdir(parents=True, exist_ok=True)
        _report(cached / f"{name}.npz").write_text(json.dumps(dataclasses.asdict(report)))
        return [as_example(spec, name, recording.object, params, hand, mesh, motion, grasp)]

    left_out = spec.extra["left_out"]
    assert isinstance(left_out, dict)
    names = [name for name in clip_names(wheel) if name not in left_out]
    clips = {split: [name for name in names if name.split("_")[0] in spec.splits[split]] for split in splits}
    # smallest splits first, so that validation and test clips are ready early
    return [
        Task(split, cached / f"{name}.npz", partial(convert, name))
        for split in sorted(splits, key=lambda split: len(clips[split]))
        for name in clips[split]
    ]


def _report(cache: Path) -> Path:
    """The file of the report on the clip that is cached in the file `cache`."""
    return cache.with_suffix(".json")


def outward(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, checked as in all data sets, with its faces oriented outward."""
    vertices, faces = check_mesh("mesh", np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return trimesh.Trimesh(vertices, orient_outward(vertices, faces), process=False)


def as_example(
    spec: DatasetSpec,
    name: str,
    obj: str,
    params: HandParams,
    hand: HandPoints,
    mesh: trimesh.Trimesh,
    motion: Motion,
    grasp: Bool[np.ndarray, "T"],
) -> Example:
    """The retargeted clip as an example."""
    entries = {
        "hand_global_orient": params.global_orient,
        "hand_pose": params.pose,
        "hand_transl": params.transl,
        "hand_betas": hand.betas,
    }
    return {
        "id": name,
        "object": obj,
        "fps": spec.fps,
        **stack_hands(("right",), [entries], grasp[None]),
        "object_vertices": mesh.vertices,
        "object_faces": mesh.faces,
        "object_vertex_part": np.zeros(len(mesh.vertices)),
        "object_rotation": Rotation.from_matrix(motion.rotation).as_rotvec()[None],
        "object_translation": motion.translation[None],
    }
