"""Builder of the open_grasps data set: plans the clips, makes and caches them, writes the data set with TFDS."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toch_jax.datasets.kept import keep_clips, kept_clips
from toch_jax.datasets.open_grasps.hinged import HINGED
from toch_jax.datasets.open_grasps.make import Job, make_clips
from toch_jax.datasets.open_grasps.pairs import TwoHandedJob, make_two_handed
from toch_jax.datasets.open_grasps.probe import HandProbe, flexion_axes, make_probe
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.datasets.write import write_dataset
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel

NAME = "open_grasps"
CLIPS_PER_JOB = 4
CLIPS_PER_PAIR_JOB = 3
# Increase when the same options would give different clips of one hand, or of two: cached ones are then not reused.
GENERATION = 3
TWO_HANDED_GENERATION = 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """Number of clips of each split, and the seed. Splits may get fewer, if some objects are hard to grasp."""

    sequences: int = 280
    """Training clips of one hand and a rigid object."""
    held_out: int = 24
    """Validation clips of one hand and a rigid object; test has as many."""
    two_handed: int = 72
    """Additional training clips of two hands or of hinged objects; validation has 1/6 of this number, test 2/9."""
    seed: int = 0

    def jobs(self, spec: DatasetSpec) -> dict[str, list[Job | TwoHandedJob]]:
        """The jobs of each split: first one hand and rigid objects, then two hands or hinged objects."""
        one, two = self.one_handed_jobs(spec), self.two_handed_jobs(spec)
        return {split: [*one[split], *two[split]] for split in SPLITS}

    def one_handed_jobs(self, spec: DatasetSpec) -> dict[str, list[Job]]:
        """The jobs of one hand and rigid objects, per split: all objects in one size, then all in the next."""
        wanted = {"train": self.sequences, "val": self.held_out, "test": self.held_out}
        jobs: dict[str, list[Job]] = {}
        for split in SPLITS:
            objects, left = [name for name in spec.splits[split] if name not in HINGED], wanted[split]
            jobs[split] = []
            for k in range(-(-left // CLIPS_PER_JOB)):
                jobs[split].append(
                    Job(objects[k % len(objects)], k // len(objects), min(CLIPS_PER_JOB, left), self.seed)
                )
                left -= CLIPS_PER_JOB
        return jobs

    def two_handed_jobs(self, spec: DatasetSpec) -> dict[str, list[TwoHandedJob]]:
        """The jobs of two hands or hinged objects, per split.

        Jobs that open a hinged object alternate with jobs that hold an object as a whole (alternately a rigid and a
        closed hinged one).
        """
        wanted = {"train": self.two_handed, "val": self.two_handed // 6, "test": self.two_handed * 2 // 9}
        room = spec.extra["room_for_two"]
        assert isinstance(room, list)
        jobs: dict[str, list[TwoHandedJob]] = {}
        for split in SPLITS:
            hinged = [name for name in spec.splits[split] if name in HINGED]
            rigid = [name for name in spec.splits[split] if name in room]
            jobs[split] = []
            for k in range(-(-wanted[split] // CLIPS_PER_PAIR_JOB)):
                turn, is_whole = divmod(k, 2)
                objects, number = (hinged if turn % 2 else rigid, turn // 2) if is_whole else (hinged, turn)
                variant, place = divmod(number, len(objects))
                first = ("lift", "pass") if is_whole else ("open", "open")
                last = ("lift", "pass") if is_whole else ("pass", "lift", "hold")
                actions = (*first, last[(variant + number) % len(last)])
                left = wanted[split] - k * CLIPS_PER_PAIR_JOB
                jobs[split].append(TwoHandedJob(objects[place], variant, actions[:left], self.seed))
        return jobs


def prepare(
    data_dir: str | Path | None = None,
    sequences: int = 280,
    seed: int = 0,
    held_out: int = 24,
    two_handed: int = 72,
) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    The numbers of clips are those of `Plan`.
    """
    plan = Plan(sequences=sequences, held_out=held_out, two_handed=two_handed, seed=seed)
    data_dir = Path(data_dir or default_data_dir())
    files = make_all(plan, data_dir / "work")
    clips = {split: (clip for path in paths for clip in kept_clips(path)) for split, paths in files.items()}
    return write_dataset(load_spec(NAME), clips, data_dir)


def hand_probe(model: HandModel) -> HandProbe:
    """The probe of a right hand model."""
    return make_probe(model, flexion_axes(model, np.asarray(model.prior.mean)))


def make_all(plan: Plan, work: Path) -> dict[str, list[Path]]:
    """The clip files of each split. Files already in the folders of `work` are reused."""
    spec, model = load_spec(NAME), load_hand("open")
    probe = hand_probe(model)
    one, two = (
        work / f"{name}-{_fingerprint(spec, plan, generation)}"
        for name, generation in ((NAME, GENERATION), (f"{NAME}-two_handed", TWO_HANDED_GENERATION))
    )
    for folder in (one, two):
        folder.mkdir(parents=True, exist_ok=True)
    jobs = plan.jobs(spec)
    files = {
        split: [(one if isinstance(job, Job) else two) / f"{job.name}_{job.clips}.npz" for job in jobs[split]]
        for split in jobs
    }
    todo = [(job, path) for split in jobs for job, path in zip(jobs[split], files[split], strict=True)]
    for job, path in tqdm(todo, desc=NAME, unit="object"):
        if path.exists():
            continue
        if isinstance(job, Job):
            keep_clips(path, make_clips(spec, model, probe, job))
        else:
            keep_clips(path, make_two_handed(spec, model, probe, job))
    return files


def _fingerprint(spec: DatasetSpec, plan: Plan, generation: int) -> str:
    """Hash of everything that a cached clip depends on, without the number of clips and the spec's texts and splits."""
    layout = {key: (entry.shape, entry.dtype) for key, entry in spec.features.items()}
    facts = {"generation": generation, "seed": plan.seed, "features": layout}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
