"""Run of every method on perturbed clips, with its scores; resumes clip by clip."""

import json
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from toch_jax.base.arrays import put
from toch_jax.base.files import write_text
from toch_jax.benchmark.methods.filters import Filter, Setting
from toch_jax.benchmark.methods.method import Method, Repair, hand_model, predict
from toch_jax.benchmark.results import Table
from toch_jax.benchmark.score import GroundTruth, Scores, prepare, score
from toch_jax.object.model import part_middles
from toch_jax.perturb.camera_noise import random_camera
from toch_jax.perturb.registry import Perturbation, parse_perturbation
from toch_jax.sequence.camera import resting_camera
from toch_jax.sequence.object_faults import mend_object
from toch_jax.sequence.types import Sequence

Clip = tuple[str, Sequence]
"""Id and clean sequence, with hand parameters."""
AT_ONCE = 2
"""Number of tasks computed in parallel: a single one uses about half of two cores."""


@dataclass(frozen=True)
class Tuned:
    """The setting of a filter with the smallest error."""

    setting: str
    mpjpe_mm: float
    """Mean joint error on the validation clips, as `Filter.errors_mm` has it."""


def run_methods(
    dataset: str,
    clips: Iterable[Clip],
    validation: Iterable[Clip],
    noises: Iterable[str],
    methods: Iterable[Method],
    folder: Path,
    seed: int = 0,
) -> dict[str, Table]:
    """For each of `noises` the scores of the ground truth itself ("truth") and then of `methods`, in their order.

    The scores of each clip are written to `folder`/clips as soon as they are computed; a resumed run reads them from
    there. Raises InputError for a noise that cannot be parsed and for weights that are missing.
    """
    methods, perturbations = list(methods), [parse_perturbation(noise) for noise in noises]
    filters = [method for method in methods if isinstance(method, Filter)]
    fixed = {method.name: method.load() for method in methods if not isinstance(method, Filter)}
    tuned = tune_filters(dataset, validation, filters, perturbations, folder, seed)
    tables: dict[str, Table] = {p.name: {} for p in perturbations}
    work = list(clips)
    reads_truth = {method.name for method in methods if method.reads_truth}
    shown = {
        p.name: ["truth", *(m.name for m in methods if m.noises is None or p.name in m.noises)] for p in perturbations
    }
    bar = tqdm(total=len(work) * sum(map(len, shown.values())), desc=dataset, disable=None, smoothing=0.05)

    def tasks() -> Iterator[_Task]:
        for clip_id, clean in work:
            truth = cache(partial(prepare, clean))
            # keyed by the lost frames: the truth's scores depend on the noise through these only
            by_lost: dict[bytes, dict[str, Scores]] = {}
            for perturbation in perturbations:
                names, best = shown[perturbation.name], tuned[perturbation.name]
                path = folder / "clips" / dataset / perturbation.name / f"{clip_id}.json"
                record = _read(path) or {"dataset": dataset, "clip": clip_id, "noise": perturbation.name, "seed": seed}
                record |= {"frames": clean.n_frames, "fps": clean.fps}
                scores: dict[str, Scores] = record.setdefault("scores", {})
                noisy = perturb_clip(clip_id, clean, perturbation, seed)
                lost = np.asarray(noisy.hand_valid).tobytes()
                if "truth" in by_lost.setdefault(lost, scores):
                    scores.setdefault("truth", by_lost[lost]["truth"])
                missing = [name for name in names if name not in scores]
                bar.update(len(names) - len(missing))
                bar.set_postfix_str(f"{clip_id} {perturbation.name}")
                repairs = fixed | {f.name: f.with_setting(best[f.name].setting).load() for f in filters}
                for name in missing:
                    # without the ground truth, so that no method can read it
                    given = noisy if name in reads_truth else noisy.replace(truth=None)
                    yield _Task(path, record, truth(), given, name, repairs.get(name))
                tables[perturbation.name][clip_id] = scores

    with bar, ThreadPoolExecutor(AT_ONCE) as workers:
        for task, found in _scored(tasks(), workers):
            task.record["scores"][task.name] = found
            write_text(task.path, json.dumps(task.record, indent=1))
            bar.update()
    return {
        noise: {clip: {name: scores[name] for name in shown[noise]} for clip, scores in table.items()}
        for noise, table in tables.items()
    }


class _Task(NamedTuple):
    """One method to be run and scored on one noisy clip."""

    path: Path
    record: dict[str, Any]
    """Content of the file `path`."""
    truth: GroundTruth
    noisy: Sequence
    name: str
    repair: Repair | None
    """None: the ground truth itself."""


def _scored(tasks: Iterable[_Task], workers: Executor) -> Iterator[tuple[_Task, Scores]]:
    """Each task's scores, in order; up to AT_ONCE later tasks are already submitted to `workers`."""
    ahead: deque[tuple[_Task, Future[Scores]]] = deque()
    for task in tasks:
        ahead.append((task, workers.submit(_scores, task)))
        if len(ahead) > AT_ONCE:
            task, scores = ahead.popleft()
            yield task, scores.result()
    for task, scores in ahead:
        yield task, scores.result()


def _scores(task: _Task) -> Scores:
    started = time.perf_counter()
    truth = task.truth
    prediction = truth.prediction if task.repair is None else task.repair(task.noisy, truth.object)
    seconds = time.perf_counter() - started
    return score(truth, prediction, np.asarray(task.noisy.hand_valid)) | {"seconds": seconds}


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def perturb_clip(clip_id: str, clean: Sequence, perturbation: Perturbation, seed: int) -> Sequence:
    """The clip with perturbed hands and object, the clean hands as truth. The random key is from id and seed only.

    Noise that needs a camera puts a resting one into a clip that has none.
    """
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(clip_id.encode()))
    assert clean.hands.params is not None
    n_hands = len(clean.hand_side)
    if perturbation.needs_camera and clean.camera is None:
        place = random_camera(jax.random.fold_in(key, n_hands + 1), clean.hands.params.transl)
        middle = np.asarray(clean.hands.params.transl).reshape(-1, 3).mean(axis=0)
        clean = clean.replace(camera=resting_camera(np.asarray(place, np.float64), middle, clean.n_frames))
    seen_from = None if clean.camera is None else put(clean.camera.centre, np.float32)
    noisy, masks = [], []
    for hand, side in enumerate(clean.hand_side):
        params = jax.tree.map(lambda leaf, hand=hand: leaf[hand], clean.hands.params)
        model = hand_model(clean.hand_model or "open", side)
        perturbed, observed = perturbation(jax.random.fold_in(key, hand), model, params, seen_from)
        noisy.append(perturbed)
        masks.append(observed)
    noisy_clip: Sequence = clean.replace(
        hands=clean.hands.replace(params=jax.tree.map(lambda *leaves: jnp.stack(leaves), *noisy)),
        hand_valid=jnp.stack(masks),
        truth=clean.hands,
    )
    if not perturbation.moves_object:
        return noisy_clip
    middles = part_middles(np.asarray(clean.object_vertices), np.asarray(clean.object_vertex_part))
    moved, tracked = perturbation.of_object(jax.random.fold_in(key, n_hands), clean.object_motion, middles)
    # as in a file that is read: lost frames are interpolated
    motion, kept, _ = mend_object(moved, np.asarray(tracked), middles, clean.fps)
    return noisy_clip.replace(object_motion=motion, object_valid=None if kept.all() else put(kept))


def tune_filters(
    dataset: str,
    validation: Iterable[Clip],
    filters: Iterable[Filter],
    perturbations: list[Perturbation],
    folder: Path,
    seed: int,
) -> dict[str, dict[str, Tuned]]:
    """For each noise and each filter (by name) the best of its settings, by joint error on the validation clips.

    The results are stored in `folder`/filters. Noises that are there already for all filters are not tuned again, and
    the clips are read only if some noise is missing.
    """
    filters, tuned = list(filters), read_tuned(folder, dataset)
    missing = [p for p in perturbations if any(filter.name not in tuned.get(p.name, {}) for filter in filters)]
    if missing:
        for noise, errors in _setting_errors(validation, filters, missing, seed).items():
            tuned[noise] = {
                filter.name: min(
                    (Tuned(str(s), errors[filter.name, s]) for s in filter.settings), key=lambda each: each.mpjpe_mm
                )
                for filter in filters
            }
        content = {noise: {name: asdict(each) for name, each in found.items()} for noise, found in tuned.items()}
        write_text(_tuned_path(folder, dataset), json.dumps(content, indent=1))
    return {p.name: {filter.name: tuned[p.name][filter.name] for filter in filters} for p in perturbations}


def read_tuned(folder: Path, dataset: str) -> dict[str, dict[str, Tuned]]:
    """The settings that a run has found, by noise and filter; empty if there are none yet."""
    stored = _read(_tuned_path(folder, dataset)) or {}
    return {noise: {name: Tuned(**each) for name, each in found.items()} for noise, found in stored.items()}


def _tuned_path(folder: Path, dataset: str) -> Path:
    return folder / "filters" / f"{dataset}.json"


def _setting_errors(
    validation: Iterable[Clip], filters: list[Filter], perturbations: list[Perturbation], seed: int
) -> dict[str, dict[tuple[str, Setting], float]]:
    """For each noise the mean joint error (mm) of each filter's settings over clips and hands."""
    errors: dict[str, dict[tuple[str, Setting], list[float]]] = {p.name: {} for p in perturbations}
    candidates = [(filter, setting) for filter in filters for setting in filter.settings]
    for clip_id, clean in tqdm(list(validation), desc="tuning filters", unit="clip", disable=None):
        truth = predict(clean).hands
        for perturbation in perturbations:
            noisy = perturb_clip(clip_id, clean, perturbation, seed)
            skeletons = [replace(hand, vertices=None, faces=None) for hand in predict(noisy).hands]
            for filter, setting in candidates:
                found = replace(filter, settings=(setting,)).errors_mm(noisy, clean, skeletons, truth)
                errors[perturbation.name].setdefault((filter.name, setting), []).extend(found)
    return {noise: {key: float(np.mean(each)) for key, each in under.items()} for noise, under in errors.items()}
