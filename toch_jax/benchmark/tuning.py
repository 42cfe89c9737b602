"""Tuning of the filters on validation clips, separately for each noise, by joint error."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toch_jax.base.files import write_text
from toch_jax.benchmark.methods.filters import Setting, filter_hands
from toch_jax.benchmark.noisy_clip import perturb_clip
from toch_jax.benchmark.score import answer_of
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.perturb.registry import Perturbation
from toch_jax.sequence.types import Sequence


@dataclass(frozen=True)
class Tuned:
    """The setting of a filter with the smallest error."""

    setting: Setting
    mpjpe_mm: float
    """Mean joint error on the validation clips."""


def tune_filters(
    validation: Iterable[tuple[str, Sequence]],
    candidates: Mapping[str, list[Setting]],
    perturbations: list[Perturbation],
    path: Path,
    seed: int,
) -> dict[str, dict[str, Tuned]]:
    """For each noise and each filter the best of its settings.

    The results are stored in the file at `path`. Noises that it already has for all filters are not tuned again, and
    the clips are read only if some noise is missing.
    """
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    missing = [p for p in perturbations if candidates.keys() - kept.get(p.name, {}).keys()]
    if missing:
        for noise, found in _errors(validation, candidates, missing, seed).items():
            kept[noise] = {
                name: _record(min(settings, key=lambda s: found[s]), found) for name, settings in candidates.items()
            }
        write_text(path, json.dumps(kept, indent=1))
    return {
        p.name: {
            name: Tuned(
                next(s for s in settings if str(s) == kept[p.name][name]["setting"]), kept[p.name][name]["mpjpe_mm"]
            )
            for name, settings in candidates.items()
        }
        for p in perturbations
    }


def _record(best: Setting, found: Mapping[Setting, float]) -> dict[str, str | float]:
    return {"setting": str(best), "mpjpe_mm": found[best]}


def _errors(
    validation: Iterable[tuple[str, Sequence]],
    candidates: Mapping[str, list[Setting]],
    perturbations: list[Perturbation],
    seed: int,
) -> dict[str, dict[Setting, float]]:
    """For each noise the mean joint error (mm) of each setting over clips and hands."""
    errors: dict[str, dict[Setting, list[float]]] = {p.name: {} for p in perturbations}
    for clip_id, clean in tqdm(list(validation), desc="tuning filters", unit="clip", disable=None):
        truth = answer_of(clean).hands
        for perturbation in perturbations:
            noisy = perturb_clip(clip_id, clean, perturbation, seed)
            skeletons = [replace(hand, vertices=None, faces=None) for hand in answer_of(noisy).hands]
            for setting in (setting for settings in candidates.values() for setting in settings):
                errors[perturbation.name].setdefault(setting, []).extend(
                    mpjpe_mm(np.asarray(hand.joints), np.asarray(true.joints))
                    for hand, true in zip(filter_hands(noisy, skeletons, setting), truth, strict=True)
                )
    return {noise: {s: float(np.mean(values)) for s, values in found.items()} for noise, found in errors.items()}
