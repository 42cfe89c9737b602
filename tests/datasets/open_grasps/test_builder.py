"""The plan of the data set, and resuming after an interruption."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.datasets.open_grasps import builder
from toch_jax.datasets.open_grasps.builder import Plan, facts, prepare
from toch_jax.datasets.open_grasps.motion.one_hand import Job
from toch_jax.datasets.open_grasps.two_hands.pairs import TwoHandedJob
from toch_jax.datasets.prepared import Example, read_examples
from toch_jax.datasets.spec import load_spec

SPEC = load_spec("open_grasps")


def test_plan_asks_for_what_is_wanted_and_grows_at_its_end() -> None:
    small, large = Plan(sequences=50).one_handed_jobs(SPEC), Plan(sequences=170).one_handed_jobs(SPEC)
    assert sum(job.clips for job in large["train"]) == 170
    assert sum(job.clips for job in large["val"]) == 24
    assert large["train"][: len(small["train"]) - 1] == small["train"][:-1]
    for split in large:
        assert {job.object for job in large[split]} <= set(SPEC.splits[split])


def test_two_handed_clips_are_spread_over_what_can_be_done() -> None:
    jobs = Plan().two_handed_jobs(SPEC)
    assert {split: sum(job.clips for job in jobs[split]) for split in jobs} == {"train": 72, "val": 12, "test": 16}
    done = Counter(action for job in jobs["train"] for action in job.actions)
    assert min(done["open"], done["pass"], done["lift"]) >= 18
    opened = Counter(job.object for job in jobs["train"] if job.in_parts)
    assert set(opened.values()) == {4}
    assert len(opened) >= 3
    for split in jobs:
        assert {job.object for job in jobs[split]} <= set(SPEC.splits[split])
        assert len({job.name for job in jobs[split]}) == len(jobs[split])


def test_cached_clips_do_not_depend_on_the_specs_words_or_splits() -> None:
    other = dataclasses.replace(SPEC, description="other", version="9.0.0", splits={}, extra={})
    assert facts(SPEC, Plan(), 3) == facts(other, Plan(sequences=1), 3)
    assert facts(SPEC, Plan(), 3) != facts(SPEC, Plan(seed=1), 3)
    assert facts(SPEC, Plan(), 3) != facts(dataclasses.replace(SPEC, features={}), Plan(), 3)


def test_no_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="open_grasps: processes: expected 1 or more, found 0"):
        prepare(tmp_path, processes=0)


def fake_clips(spec: object, model: object, samples: object, job: Job | TwoHandedJob) -> list[Example]:
    frames = 4 + job.variant
    return [
        {
            "id": f"{job.name}_{k}",
            "object": job.object,
            "hand_side": "right",
            "fps": 30.0,
            "hand_global_orient": np.zeros((1, frames, 3)),
            "hand_pose": np.zeros((1, frames, 45)),
            "hand_transl": np.zeros((1, frames, 3)),
            "hand_betas": np.zeros((1, 10)),
            "hand_valid": np.ones((1, frames), bool),
            "object_vertices": np.zeros((3, 3)),
            "object_faces": np.zeros((1, 3)),
            "object_vertex_part": np.zeros(3),
            "object_rotation": np.zeros((1, frames, 3)),
            "object_translation": np.zeros((1, frames, 3)),
            "grasp": np.ones((1, frames), bool),
        }
        for k in range(job.clips)
    ]


def test_prepare_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def dies_at_the_third(*arguments: object) -> list[Example]:
        job = arguments[-1]
        assert isinstance(job, Job | TwoHandedJob)
        if len(made) == 2 and "resumed" not in made:
            raise KeyboardInterrupt
        made.append(job.name)
        return fake_clips(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builder, "make_clips", dies_at_the_third)
    monkeypatch.setattr(builder, "make_two_handed", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, Plan(sequences=9, held_out=2, two_handed=6), processes=1)
    with pytest.raises(ValueError, match="toch prepare open_grasps"):
        next(read_examples("open_grasps", "train", tmp_path))
    made.append("resumed")
    prepare(tmp_path, Plan(sequences=9, held_out=2, two_handed=6), processes=1)
    assert len(made) == len(set(made))
    found = [clip["id"] for clip in read_examples("open_grasps", "train", tmp_path)]
    assert len(found) == 9 + 6
    assert len(list(read_examples("open_grasps", "test", tmp_path))) == 2 + 1
