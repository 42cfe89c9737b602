"""Builder of the open_grasps data set: plans which clips are made of which objects, and has them made."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.base.processes import usual_processes
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.open_grasps.motion.one_hand import Job, make_clips
from toch_jax.datasets.open_grasps.objects.hinged import HINGED
from toch_jax.datasets.open_grasps.search.hands import hand_samples
from toch_jax.datasets.open_grasps.two_hands.pairs import TwoHandedJob, make_two_handed
from toch_jax.datasets.prepared import default_data_dir
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand

NAME = "open_grasps"
CLIPS_PER_TWO_HANDED_JOB = 3
GENERATION, TWO_HANDED_GENERATION = 4, 2
"""Increase when the same options would give different clips of one hand, or of two: cached ones are then not reused."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Number of clips of each split, and the seed. Splits may get fewer, if some objects are hard to grasp."""

    sequences: int = 280
    """Training clips of one hand and a rigid object."""
    held_out: int = 24
    """Validation clips of one hand and a rigid object; test has as many."""
    two_handed: int = 72
    """Additional training clips of two hands or of hinged objects; validation has 1/6 of this number, test 2/9."""
    clips_per_object: int = 4
    """Clips of one hand and one object in one size: few, so that a data set has many sizes."""
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
            for k in range(-(-left // self.clips_per_object)):
                jobs[split].append(
                    Job(objects[k % len(objects)], k // len(objects), min(self.clips_per_object, left), self.seed)
                )
                left -= self.clips_per_object
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
            for k in range(-(-wanted[split] // CLIPS_PER_TWO_HANDED_JOB)):
                half, is_whole = divmod(k, 2)
                objects, number = (hinged if half % 2 else rigid, half // 2) if is_whole else (hinged, half)
                variant, index = divmod(number, len(objects))
                first = ("lift", "pass") if is_whole else ("open", "open")
                last = ("lift", "pass") if is_whole else ("pass", "lift", "hold")
                actions = (*first, last[(variant + number) % len(last)])
                left = wanted[split] - k * CLIPS_PER_TWO_HANDED_JOB
                jobs[split].append(TwoHandedJob(objects[index], variant, actions[:left], self.seed))
        return jobs


DEFAULT_PLAN = Plan()


def prepare(data_dir: str | Path | None = None, plan: Plan = DEFAULT_PLAN, processes: int | None = None) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `processes` make clips at the same time, by default one for each core, at most 8. The clips do not depend on them.
    Raises InputError if they are fewer than one.
    """
    return generate(NAME, partial(make_tasks, plan), data_dir, processes, shuffled=True)


def generate(
    name: str,
    make_tasks: Callable[[Path], list[Task]],
    data_dir: str | Path | None,
    processes: int | None,
    *,
    shuffled: bool,
) -> Path:
    """`prepare` of the data set `name`: `make_tasks` gives its tasks, with clips cached in a folder.

    `shuffled`: see `write_dataset`.
    """
    if processes is not None and processes < 1:
        raise bad_input(name, "processes", "1 or more", str(processes))
    data_dir, spec = Path(data_dir or default_data_dir()), load_spec(name)
    files, skipped = convert_all(spec, make_tasks(data_dir / "work"), processes or usual_processes())
    return write_dataset(spec, files, data_dir, shuffled=shuffled, skipped=skipped)


def make_tasks(plan: Plan, work: Path) -> list[Task]:
    """A task for each job. The cached clips of one hand and those of two have folders of their own in `work`."""
    spec, model = load_spec(NAME), load_hand("open")
    samples = hand_samples(model)
    one, two = (
        work / f"{name}-{fingerprint(facts(spec, plan, generation))}"
        for name, generation in ((NAME, GENERATION), (f"{NAME}-two_handed", TWO_HANDED_GENERATION))
    )
    tasks = []
    for split, jobs in plan.jobs(spec).items():
        for job in jobs:
            if isinstance(job, Job):
                tasks.append(Task(split, one / _file(job), partial(make_clips, spec, model, samples, job)))
            else:
                tasks.append(Task(split, two / _file(job), partial(make_two_handed, spec, model, samples, job)))
    return tasks


def _file(job: Job | TwoHandedJob) -> str:
    return f"{job.name}_{job.clips}.npz"


def facts(spec: DatasetSpec, plan: Plan, generation: int) -> dict[str, object]:
    """All that a cached clip depends on: not the number of clips, nor the spec's texts and splits."""
    layout = {key: (entry.shape, entry.dtype) for key, entry in spec.features.items()}
    return {"generation": generation, "seed": plan.seed, "features": layout}
