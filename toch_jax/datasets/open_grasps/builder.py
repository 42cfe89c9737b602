"""The open_grasps data set: which clips, made in which order, kept as they come, written by TFDS."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toch_jax.datasets.kept import keep_clips, kept_clips
from toch_jax.datasets.open_grasps.make import Job, make_clips
from toch_jax.datasets.open_grasps.probe import HandProbe, flexion_axes, make_probe
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.datasets.write import write_dataset
from toch_jax.hand.files import load_hand
from toch_jax.hand.limits import pose_prior
from toch_jax.hand.model import HandModel

NAME = "open_grasps"
CLIPS_PER_JOB = 4
# Raise when the same options would give other clips.
GENERATION = 3


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
        jobs: dict[str, list[Job]] = {}
        for split in SPLITS:
            objects, left = spec.splits[split], wanted[split]
            jobs[split] = []
            for k in range(-(-left // CLIPS_PER_JOB)):
                jobs[split].append(
                    Job(objects[k % len(objects)], k // len(objects), min(CLIPS_PER_JOB, left), self.seed)
                )
                left -= CLIPS_PER_JOB
        return jobs


def prepare(data_dir: str | Path | None = None, sequences: int = 280, seed: int = 0, held_out: int = 24) -> Path:
    """Make the data set and return its folder; broken off, it goes on where it was.

    `sequences` is for training. What is there already is replaced.
    """
    plan = Plan(sequences=sequences, held_out=held_out, seed=seed)
    data_dir = Path(data_dir or default_data_dir())
    work = data_dir / "work" / f"{NAME}-{_fingerprint(plan)}"
    files = make_all(plan, work)
    clips = {split: (clip for path in paths for clip in kept_clips(path)) for split, paths in files.items()}
    return write_dataset(load_spec(NAME), clips, data_dir)


def hand_probe(model: HandModel) -> HandProbe:
    """The probe of a right hand."""
    return make_probe(model, flexion_axes(model, np.asarray(pose_prior("right").mean)))


def make_all(plan: Plan, work: Path) -> dict[str, list[Path]]:
    """Each split's clip files; those that lie in `work` already are not made again."""
    spec, model = load_spec(NAME), load_hand("open")
    probe = hand_probe(model)
    work.mkdir(parents=True, exist_ok=True)
    jobs = plan.jobs(spec)
    files = {split: [work / f"{job.name}_{job.clips}.npz" for job in jobs[split]] for split in jobs}
    todo = [(job, path) for split in jobs for job, path in zip(jobs[split], files[split], strict=True)]
    for job, path in tqdm(todo, desc=NAME, unit="object"):
        if not path.exists():
            keep_clips(path, make_clips(spec, model, probe, job))
    return files


def _fingerprint(plan: Plan) -> str:
    """Of all that the clips depend on, except how many there are."""
    facts = {"generation": GENERATION, "seed": plan.seed, "spec": dataclasses.asdict(load_spec(NAME))}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
