"""Builder of open_grasps_large: ten times as many clips as open_grasps, each few of them of another object."""

import dataclasses
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.processes import usual_processes
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.open_grasps.motion.one_hand import Job, clips_of
from toch_jax.datasets.open_grasps.objects.families import make_member
from toch_jax.datasets.open_grasps.search.hands import HandSamples, hand_samples
from toch_jax.datasets.open_grasps.search.taxonomy import draw_types
from toch_jax.datasets.prepared import Example, default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel

NAME = "open_grasps_large"
CLIPS_PER_OBJECT = 5
GENERATION = 2
"""Increase when the same options would give different clips: cached ones are then not reused."""
LIFT_M = (0.0, 0.0015)
"""Range of how much less deep than in open_grasps hands press, metres, uniform over objects: real ones press less."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Number of clips of each split, and the seed. Splits get fewer, as some objects are hard to grasp."""

    sequences: int = 3600
    """Training clips."""
    held_out: int = 150
    """Validation clips; test has as many."""
    seed: int = 0

    def jobs(self, spec: DatasetSpec) -> dict[str, list[Job]]:
        """The jobs of each split: an object of each family, then another one of each, and so on."""
        wanted = {"train": self.sequences, "val": self.held_out, "test": self.held_out}
        jobs: dict[str, list[Job]] = {}
        for split in SPLITS:
            families = spec.splits[split]
            jobs[split] = [
                Job(
                    families[k % len(families)],
                    k // len(families),
                    min(CLIPS_PER_OBJECT, wanted[split] - k * CLIPS_PER_OBJECT),
                    self.seed,
                )
                for k in range(-(-wanted[split] // CLIPS_PER_OBJECT))
            ]
        return jobs


DEFAULT_PLAN = Plan()


def make_clips(spec: DatasetSpec, model: HandModel, samples: HandSamples, job: Job) -> list[Example]:
    """At most `job.clips` clips of one object; fewer if too few grasps pass the exact test."""
    rng = np.random.default_rng([job.seed, zlib.crc32(b"grasps"), zlib.crc32(job.object.encode()), job.variant])
    surface = make_member(job.object, job.variant, job.seed)
    return clips_of(spec, model, samples, job, surface, draw_types(rng), float(rng.uniform(*LIFT_M)))


def prepare(data_dir: str | Path | None = None, plan: Plan = DEFAULT_PLAN, processes: int | None = None) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `processes` make clips at the same time, by default one for each core, at most 8. The clips do not depend on them.
    Raises InputError if they are fewer than one.
    """
    if processes is not None and processes < 1:
        raise bad_input(NAME, "processes", "1 or more", str(processes))
    data_dir, spec = Path(data_dir or default_data_dir()), load_spec(NAME)
    files, skipped = convert_all(spec, make_tasks(plan, data_dir / "work"), processes or usual_processes())
    return write_dataset(spec, files, data_dir, shuffled=False, skipped=skipped)


def make_tasks(plan: Plan, work: Path) -> list[Task]:
    """A task for each job, its clips cached in `work`."""
    spec, model = load_spec(NAME), load_hand("open")
    layout = {key: (entry.shape, entry.dtype) for key, entry in spec.features.items()}
    facts = {"generation": GENERATION, "seed": plan.seed, "features": layout}
    folder, samples = work / f"{NAME}-{fingerprint(facts)}", hand_samples(model)
    return [
        Task(split, folder / f"{job.name}_{job.clips}.npz", partial(make_clips, spec, model, samples, job))
        for split, jobs in plan.jobs(spec).items()
        for job in jobs
    ]
