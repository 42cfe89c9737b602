"""Builder of open_grasps_large: ten times as many clips as open_grasps, each few of them of another object."""

import zlib
from functools import partial
from pathlib import Path

import numpy as np

from toch_jax.datasets.convert import Task, fingerprint
from toch_jax.datasets.open_grasps.builder import Plan, facts, generate
from toch_jax.datasets.open_grasps.motion.one_hand import Job, clips_of
from toch_jax.datasets.open_grasps.objects.families import make_member
from toch_jax.datasets.open_grasps.search.hands import HandSamples, hand_samples
from toch_jax.datasets.open_grasps.search.taxonomy import draw_types
from toch_jax.datasets.prepared import Example
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel

NAME = "open_grasps_large"
GENERATION = 2
"""Increase when the same options would give different clips: cached ones are then not reused."""
LIFT_M = (0.0, 0.0015)
"""Range of how much less deep than in open_grasps hands press, metres, uniform over objects: real ones press less."""


DEFAULT_PLAN = Plan(sequences=3600, held_out=150, two_handed=0, clips_per_object=5)


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
    return generate(NAME, partial(make_tasks, plan), data_dir, processes, shuffled=False)


def make_tasks(plan: Plan, work: Path) -> list[Task]:
    """A task for each job of one hand, its clips cached in `work`."""
    spec, model = load_spec(NAME), load_hand("open")
    folder, samples = work / f"{NAME}-{fingerprint(facts(spec, plan, GENERATION))}", hand_samples(model)
    return [
        Task(split, folder / f"{job.name}_{job.clips}.npz", partial(make_clips, spec, model, samples, job))
        for split, jobs in plan.one_handed_jobs(spec).items()
        for job in jobs
    ]
