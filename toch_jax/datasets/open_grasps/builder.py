"""The open_grasps data set: which clips, made in which order, kept as they come, written by TFDS."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from toch_jax.datasets.features import Example, tfds_info
from toch_jax.datasets.open_grasps.make import Job, make_clips
from toch_jax.datasets.open_grasps.probe import make_probe, flexion_axes
from toch_jax.datasets.read import dataset_dir, default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.limits import pose_prior

NAME = "open_grasps"
CLIPS_PER_JOB = 3
# Raise when the same options would give other clips.
GENERATION = 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many clips each split is to have (a few less where an object is hard to hold), and the seed of it all."""

    sequences: int = 280
    """For training."""
    held_out: int = 24
    """For validation, and as many for test."""
    seed: int = 0

    def jobs(self, spec: DatasetSpec) -> dict[str, list[Job]]:
        """Each split's work, object after object, then the next size of each."""
        wanted = {"train": self.sequences, "val": self.held_out, "test": self.held_out}
        jobs = {}
        for split in SPLITS:
            objects, jobs[split], left = spec.splits[split], [], wanted[split]
            for k in range(-(-left // CLIPS_PER_JOB)):
                jobs[split].append(Job(objects[k % len(objects)], k // len(objects), min(CLIPS_PER_JOB, left), self.seed))
                left -= CLIPS_PER_JOB
        return jobs


class OpenGrasps(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Reads the clips that `make_all` has left in a folder."""

    VERSION = tfds.core.Version(load_spec(NAME).version)

    def __init__(self, *, files: dict[str, list[Path]], **kwargs: object) -> None:
        self._clip_files = files
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds_info(self, load_spec(NAME))

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[str, Example]]]:
        return {split: self._generate_examples(paths) for split, paths in self._clip_files.items()}

    def _generate_examples(self, paths: list[Path]) -> Iterator[tuple[str, Example]]:
        for path in paths:
            for clip in _load(path):
                yield clip["id"], clip


def prepare(data_dir: str | Path | None = None, sequences: int = 280, seed: int = 0, held_out: int = 24) -> Path:
    """Make the data set and return its folder; broken off, it goes on where it was. What is there already is replaced."""
    plan = Plan(sequences=sequences, held_out=held_out, seed=seed)
    data_dir = Path(data_dir or default_data_dir())
    work = data_dir / "work" / f"{NAME}-{_fingerprint(plan)}"
    files = make_all(plan, work)
    folder = dataset_dir(NAME, data_dir)
    if folder.exists():
        shutil.rmtree(folder)
    OpenGrasps(data_dir=data_dir, file_format="array_record", files=files).download_and_prepare()
    return folder


def make_all(plan: Plan, work: Path) -> dict[str, list[Path]]:
    """Each split's clip files; those that lie in `work` already are not made again."""
    spec, model = load_spec(NAME), load_hand("open")
    probe = make_probe(model, flexion_axes(model, np.asarray(pose_prior("right").mean)))
    work.mkdir(parents=True, exist_ok=True)
    jobs = plan.jobs(spec)
    files = {split: [work / f"{job.name}_{job.clips}.npz" for job in jobs[split]] for split in jobs}
    todo = [(job, path) for split in jobs for job, path in zip(jobs[split], files[split], strict=True)]
    for job, path in tqdm(todo, desc=NAME, unit="object"):
        if not path.exists():
            _save(path, make_clips(spec, model, probe, job))
    return files


def _fingerprint(plan: Plan) -> str:
    """Of all that the clips depend on, except how many there are."""
    facts = {"generation": GENERATION, "seed": plan.seed, "spec": dataclasses.asdict(load_spec(NAME))}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _save(path: Path, clips: list[Example]) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **{f"{k}/{key}": value for k, clip in enumerate(clips) for key, value in clip.items()})
    os.replace(part, path)


def _load(path: Path) -> list[Example]:
    clips: dict[str, Example] = {}
    with np.load(path, allow_pickle=False) as stored:
        for entry in stored.files:
            number, key = entry.split("/")
            value = stored[entry]
            clips.setdefault(number, {})[key] = str(value) if value.dtype.kind == "U" else value
    return list(clips.values())
