"""Builder of the myodm data set: retargets every clip once, caches it and writes the data set with TFDS."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
import trimesh
from jaxtyping import Bool
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from toch_jax.datasets.features import Example, check_example, with_hand_axis
from toch_jax.datasets.myodm.measure import Report, measure
from toch_jax.datasets.myodm.retarget import retarget
from toch_jax.datasets.myodm.skeleton import Motion, Skeleton, resample
from toch_jax.datasets.myodm.source import clip_names, fetch, read_mesh, read_recording
from toch_jax.datasets.myodm.surrogate import Surrogate, fit_shape, surrogate
from toch_jax.datasets.read import dataset_dir, default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.datasets.write import tfds_info
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams
from toch_jax.object.mesh import check_mesh
from toch_jax.object.orient import orient_outward

NAME = "myodm"
# Increase when the same wheel would give different clips: cached ones are then not reused.
GENERATION = 2


class MyoDM(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder from the clip files that `retarget_all` wrote."""

    name = NAME
    VERSION = tfds.core.Version(load_spec(NAME).version)
    # Otherwise TFDS searches beside the code for checksums of downloads; there are none.
    code_path = None

    def __init__(self, *, files: dict[str, list[Path]], **kwargs: object) -> None:
        self._clip_files = files
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds_info(self, load_spec(NAME))

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[str, Example]]]:
        return {split: self._generate_examples(paths) for split, paths in self._clip_files.items()}

    def _generate_examples(self, paths: list[Path]) -> Iterator[tuple[str, Example]]:
        for path in paths:
            clip = check_example(load_spec(NAME), with_hand_axis(_load(path)))
            yield clip["id"], clip


def prepare(
    data_dir: str | Path | None = None, wheel: str | Path | None = None, splits: tuple[str, ...] = SPLITS
) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `wheel` is the wheel named in data_specs/myodm.toml; if None, pip downloads it. The folder also gets reports.json,
    the quality measures of each clip (`Report`). Raises InputError if the wheel cannot be downloaded or is another one.
    """
    spec = load_spec(NAME)
    data_dir = Path(data_dir or default_data_dir())
    files = retarget_all(spec, fetch(spec, wheel), data_dir / "work" / f"{NAME}-{_fingerprint(spec)}", splits)
    folder = dataset_dir(NAME, data_dir)
    if folder.exists():
        shutil.rmtree(folder)
    MyoDM(data_dir=data_dir, file_format="array_record", files=files).download_and_prepare()
    reports = {
        path.stem: json.loads(path.with_suffix(".json").read_text()) for paths in files.values() for path in paths
    }
    (folder / "reports.json").write_text(json.dumps(reports, indent=1))
    return folder


def retarget_all(spec: DatasetSpec, wheel: Path, work: Path, splits: tuple[str, ...]) -> dict[str, list[Path]]:
    """The clip files of each split. Files already in `work` are reused."""
    left_out = spec.extra["left_out"]
    assert isinstance(left_out, dict)
    names = [name for name in clip_names(wheel) if name not in left_out]
    clips = {split: [name for name in names if name.split("_")[0] in spec.splits[split]] for split in splits}
    files = {split: [work / f"{name}.npz" for name in clips[split]] for split in splits}
    work.mkdir(parents=True, exist_ok=True)
    # Smallest splits first, so that validation and test clips are ready early.
    todo = [path for split in sorted(splits, key=lambda s: len(files[s])) for path in files[split] if not path.exists()]
    if not todo:
        return files
    shape_clip = str(spec.extra["shape_clip"])
    skeleton = Skeleton(wheel, shape_clip.split("_")[0])
    model = load_hand(spec.hand_model)
    hand = surrogate(model, fit_shape(model, skeleton.motion(read_recording(wheel, shape_clip)).joints[0]))
    for path in tqdm(todo, desc=NAME, unit="clip"):
        recording = read_recording(wheel, path.stem)
        mesh = outward(read_mesh(wheel, recording.object))
        motion = resample(skeleton.motion(recording), spec.fps)
        params = retarget(model, hand, model.prior, mesh, motion)
        report, grasp = measure(model, params, mesh, motion)
        _save(path, as_example(spec, path.stem, recording.object, params, hand, mesh, motion, grasp), report)
    return files


def outward(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, checked as in all data sets, with its faces oriented outward."""
    vertices, faces = check_mesh("mesh", np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return trimesh.Trimesh(vertices, orient_outward(vertices, faces), process=False)


def as_example(
    spec: DatasetSpec,
    name: str,
    object: str,
    params: HandParams,
    hand: Surrogate,
    mesh: trimesh.Trimesh,
    motion: Motion,
    grasp: Bool[np.ndarray, "T"],
) -> Example:
    """The clip as it is cached: an example of one hand, without the H axis."""
    return {
        "id": name,
        "object": object,
        "side": "right",
        "fps": spec.fps,
        "hand_global_orient": params.global_orient,
        "hand_pose": params.pose,
        "hand_transl": params.transl,
        "hand_betas": hand.betas,
        "object_vertices": mesh.vertices,
        "object_faces": mesh.faces,
        "object_vertex_part": np.zeros(len(mesh.vertices)),
        "object_rotation": Rotation.from_matrix(motion.rotation).as_rotvec()[None],
        "object_translation": motion.translation[None],
        "grasp": grasp,
    }


def _fingerprint(spec: DatasetSpec) -> str:
    """Hash of everything that the clips depend on."""
    facts = {"generation": GENERATION, "fps": spec.fps, "wheel": spec.extra["wheel_sha256"], "hand": spec.hand_model}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _save(path: Path, clip: Example, report: Report) -> None:
    """Write the clip and its report atomically: the clip's file, which marks it as made, is written last."""
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(report)))
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **clip)
    os.replace(part, path)


def _load(path: Path) -> Example:
    with np.load(path, allow_pickle=False) as stored:
        return {key: str(stored[key]) if stored[key].dtype.kind == "U" else stored[key] for key in stored.files}
