"""The plan of open_grasps_large; its grasp types; resuming; some of its clips, measured on the stored mesh."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.datasets.open_grasps import large
from toch_jax.datasets.open_grasps.large import DEFAULT_PLAN, make_clips, make_tasks, prepare
from toch_jax.datasets.open_grasps.motion.one_hand import Job
from toch_jax.datasets.open_grasps.search.hands import HandSamples
from toch_jax.datasets.open_grasps.search.starts import KINDS, LIMITS, template
from toch_jax.datasets.open_grasps.search.taxonomy import AT_ONCE, TAXONOMY, draw_types
from toch_jax.datasets.prepared import Example, posed_vertices, read_examples
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel
from toch_jax.metrics.contact import object_parts, signed_distances

SPEC = load_spec("open_grasps_large")


def test_plan_has_hundreds_of_objects_and_grows_at_its_end() -> None:
    small, large_jobs = (
        plan.one_handed_jobs(SPEC) for plan in (dataclasses.replace(DEFAULT_PLAN, sequences=50), DEFAULT_PLAN)
    )
    assert sum(job.clips for job in large_jobs["train"]) >= 3000
    assert len({job.name for job in large_jobs["train"]}) == len(large_jobs["train"]) >= 300
    assert large_jobs["train"][:10] == small["train"]
    for split, jobs in large_jobs.items():
        assert {job.object for job in jobs} == set(SPEC.splits[split])


def test_types_are_drawn_without_repetition_and_all_in_the_end() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_types(rng) for _ in range(100)]
    assert all(len(types) == AT_ONCE == len(KINDS) for types in drawn)
    assert set().union(*drawn) == set(TAXONOMY)


@pytest.mark.parametrize("name", TAXONOMY)
def test_postures_of_the_types_close_within_the_joints_limits(name: str) -> None:
    opened, closed = template(TAXONOMY[name], np.array([0.0, 1.0]))
    assert (opened >= LIMITS[0]).all()
    assert (closed <= LIMITS[1]).all()
    assert closed[:12, 0].sum() > opened[:12, 0].sum()
    assert TAXONOMY[name].digits[0] == 1


def test_no_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="open_grasps_large: processes: expected 1 or more, found 0"):
        prepare(tmp_path, processes=0)


def test_prepare_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def dies_at_the_third(spec: object, model: object, samples: object, job: Job) -> list[Example]:
        if len(made) == 2 and "resumed" not in made:
            raise KeyboardInterrupt
        made.append(job.name)
        return [clip_of(job, number) for number in range(job.clips)]

    monkeypatch.setattr(large, "make_clips", dies_at_the_third)
    plan = dataclasses.replace(DEFAULT_PLAN, sequences=12, held_out=2)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, plan, processes=1)
    made.append("resumed")
    prepare(tmp_path, plan, processes=1)
    assert len(made) == len(set(made)) == 1 + 3 + 1 + 1
    assert len(list(read_examples("open_grasps_large", "train", tmp_path))) == 12
    assert len(list(read_examples("open_grasps_large", "test", tmp_path))) == 2


def clip_of(job: Job, number: int) -> Example:
    sizes = {"H": 1, "T": 3, "S": 10, "P": 1, "Vo": 3, "Fo": 1}
    shapes = {key: [sizes[n] if isinstance(n, str) else n for n in entry.shape] for key, entry in SPEC.features.items()}
    texts = {"id": f"{job.name}_{number}", "object": job.object, "hand_side": "right"}
    return {key: texts.get(key, np.zeros(shape)) for key, shape in shapes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["knob", "trinket"])
def test_digits_touch_and_nothing_is_deep(model: HandModel, samples: HandSamples, family: str) -> None:
    """Compiling the grasp search takes a minute or two."""
    clips = make_clips(SPEC, model, samples, Job(family, 0, 3, seed=0))
    assert clips
    for clip in clips:
        rotation = Rotation.from_rotvec(clip["object_rotation"][0]).as_matrix()
        skin = load_hand("open", clip["hand_side"])
        points = posed_vertices(clip, 0, skin)
        local = np.einsum("tab,tva->tvb", rotation, points - clip["object_translation"][0][:, None])
        vertices, faces = (np.asarray(clip[key]) for key in ("object_vertices", "object_faces"))
        (part,) = object_parts(vertices, faces, np.zeros(len(vertices), np.int32))
        held = np.flatnonzero(clip["grasp"][0])
        assert len(held) > 30
        for frame in held[:: len(held) // 3]:
            depth = -signed_distances(local[frame], part)
            assert depth.max() < 0.0031
            digit = (np.argmax(np.asarray(skin.weights), axis=1) - 1) // 3
            near = {d for d in digit[depth > -0.0021] if d >= 0}
            assert len(near) >= 2


def test_tasks_are_cached_apart_from_those_of_open_grasps(tmp_path: Path) -> None:
    folders = {task.cache.parent.name for task in make_tasks(DEFAULT_PLAN, tmp_path)}
    assert len(folders) == 1
    assert folders.pop().startswith("open_grasps_large-")
