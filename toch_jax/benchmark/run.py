"""Run of every method on perturbed clips, with its scores; resumes clip by clip."""

import json
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from toch_jax.base.files import write_text
from toch_jax.benchmark.methods.filters import Setting, filter_hands
from toch_jax.benchmark.noisy_clip import perturb_clip
from toch_jax.benchmark.report import Table
from toch_jax.benchmark.score import Answer, Scores, Truth, answer_of, prepare, score
from toch_jax.benchmark.tuning import tune_filters
from toch_jax.object.model import ObjectModel
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.types import Sequence

Clip = tuple[str, Sequence]
"""Id and clean sequence, with hand parameters."""
Repair = Callable[[Sequence, ObjectModel], Sequence]
"""Function from the tracked clip and its object (built beforehand) to the repaired clip."""


@dataclass(frozen=True)
class Oracle:
    """A repair that may read the ground truth: an upper bound for methods, not a method."""

    repair: Repair


AT_ONCE = 2
"""Number of tasks computed in parallel: a single one uses about half of two cores."""

Method = Repair | Oracle | list[Setting]
"""A repair, or the candidate settings of a filter, of which the best on the validation clips is used."""


def benchmark(
    dataset: str,
    clips: Iterable[Clip],
    validation: Iterable[Clip],
    noises: Iterable[str],
    methods: Mapping[str, Method],
    folder: Path,
    seed: int = 0,
    only: Mapping[str, Container[str]] | None = None,
) -> dict[str, Table]:
    """For each of `noises` the scores of the ground truth itself ("truth") and then of `methods`, in their order.

    A method named in `only` is run under the noises given there only. The scores of each clip are written to
    `folder`/clips as soon as they are computed; a resumed run reads them from there. Raises InputError for a noise that
    cannot be parsed.
    """
    perturbations = [parse_perturbation(noise) for noise in noises]
    filters = {name: method for name, method in methods.items() if isinstance(method, list)}
    tuned = tune_filters(validation, filters, perturbations, folder / "filters" / f"{dataset}.json", seed)
    tables: dict[str, Table] = {p.name: {} for p in perturbations}
    work = list(clips)
    shown = {
        p.name: ["truth", *(m for m in methods if only is None or p.name in only.get(m, [p.name]))]
        for p in perturbations
    }
    bar = tqdm(total=len(work) * sum(map(len, shown.values())), desc=dataset, disable=None, smoothing=0.05)

    def tasks() -> Iterator[_Task]:
        for clip_id, clean in work:
            truth = cache(partial(prepare, clean))
            # keyed by the lost frames: the truth's scores depend on the noise through these only
            by_lost: dict[bytes, dict[str, Scores]] = {}
            for perturbation in perturbations:
                names = shown[perturbation.name]
                place = folder / "clips" / dataset / perturbation.name / f"{clip_id}.json"
                record = _read(place) or {"dataset": dataset, "clip": clip_id, "noise": perturbation.name, "seed": seed}
                record |= {"frames": clean.n_frames, "fps": clean.fps}
                scores: dict[str, Scores] = record.setdefault("scores", {})
                noisy = perturb_clip(clip_id, clean, perturbation, seed)
                lost = np.asarray(noisy.hand_valid).tobytes()
                if "truth" in by_lost.setdefault(lost, scores):
                    scores.setdefault("truth", by_lost[lost]["truth"])
                missing = [name for name in names if name not in scores]
                bar.update(len(names) - len(missing))
                bar.set_postfix_str(f"{clip_id} {perturbation.name}")
                best = {name: found.setting for name, found in tuned[perturbation.name].items()}
                for name in missing:
                    yield _Task(place, record, truth(), noisy, name, best.get(name, methods.get(name)))
                tables[perturbation.name][clip_id] = scores

    with bar, ThreadPoolExecutor(AT_ONCE) as workers:
        for task, found in _scored(tasks(), workers):
            task.record["scores"][task.name] = found
            write_text(task.place, json.dumps(task.record, indent=1))
            bar.update()
    return {
        noise: {clip: {name: scores[name] for name in shown[noise]} for clip, scores in table.items()}
        for noise, table in tables.items()
    }


class _Task(NamedTuple):
    """One method to be run and scored on one noisy clip."""

    place: Path
    record: dict[str, Any]
    """Content of the file `place`."""
    truth: Truth
    noisy: Sequence
    name: str
    method: Method | Setting | None
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
    answer = _answer(task.truth, task.noisy, task.method)
    seconds = time.perf_counter() - started
    return score(task.truth, answer, np.asarray(task.noisy.hand_valid)) | {"seconds": seconds}


def _answer(truth: Truth, noisy: Sequence, method: Method | Setting | None) -> Answer:
    if method is None:
        return Answer(truth.hands, truth.motion)
    if isinstance(method, Setting):
        tracked = answer_of(noisy)
        return Answer(filter_hands(noisy, tracked.hands, method), tracked.object_motion)
    if isinstance(method, Oracle):
        return answer_of(method.repair(noisy, truth.object))
    assert callable(method)
    # without the ground truth, so that no method can read it
    return answer_of(method(noisy.replace(truth=None), truth.object))


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
