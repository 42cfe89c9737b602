"""Clean clips, perturbed; what comes back from each method; how far it is from the truth."""

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from toch_jax.evaluate.baselines import FILTERS, Setting, filter_hands
from toch_jax.evaluate.clip import Touch, sequence_parts, touch
from toch_jax.evaluate.contact import Part, contact_iou
from toch_jax.evaluate.joints import mpjpe_mm
from toch_jax.evaluate.motion import acceleration_error_m_s2
from toch_jax.evaluate.pose import PosedHand, pose_hands
from toch_jax.evaluate.report import Result, summarise, write_results, write_whole
from toch_jax.field.contact_field import contact_field
from toch_jax.field.types import ContactField
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import close_surface
from toch_jax.hand.model import HandModel, Side
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.perturb import Perturbation, parse_perturbation
from toch_jax.sequence.types import Sequence

Clip = tuple[str, Sequence]
"""Its id, and the clean clip with parameters."""
Method = Callable[[Sequence], list[PosedHand]]
"""From the tracked clip to its repaired hands."""

CONTACT_FRAMES = 64
"""Depth, volume and contact are taken on this many frames of a clip, evenly spread; joints and skin on all."""


def benchmark(
    dataset: str,
    clips: Iterable[Clip],
    validation: Iterable[Clip],
    noises: list[str],
    refine: Callable[[Sequence], Sequence],
    folder: Path,
    label: str = "ours",
    seed: int = 0,
) -> list[Result]:
    """Scores the tracked input, the best filter in the world's and in the object's frame, and `refine`, under `noises`.

    Each clip's scores go to a file in `folder` as they come, and a run that finds them there goes on from them: use a
    folder of its own for each seed and each network. Writes results.json and results.md. Raises InputError for a
    noise that isn't one.
    """
    perturbations = [parse_perturbation(noise) for noise in noises]
    tuned = _tuned_filters(validation, perturbations, folder, seed)
    scores: dict[str, dict[str, dict[str, dict[str, float]]]] = {p.name: {} for p in perturbations}
    for clip_id, clean in tqdm(list(clips), desc=dataset, unit="clip"):
        truth: Truth | None = None
        for perturbation in perturbations:
            path = folder / perturbation.name / f"{clip_id}.json"
            done = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            methods = _methods(tuned[perturbation.name], refine, label)
            missing = [name for name in methods if name not in done]
            if missing:
                truth = prepare(clean) if truth is None else truth
                noisy = perturb_clip(clip_id, clean, perturbation, seed)
                done |= {name: score(truth, methods[name](noisy)) for name in missing}
                write_whole(path, json.dumps(done, indent=1))
            scores[perturbation.name][clip_id] = {name: done[name] for name in methods}
    results = [result for noise, found in scores.items() for result in summarise(dataset, noise, found)]
    write_results(folder, results)
    return results


def perturb_clip(clip_id: str, clean: Sequence, perturbation: Perturbation, seed: int) -> Sequence:
    """The clip as a bad tracker sees it, the clean hands as its truth. The noise depends on id and seed alone."""
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(clip_id.encode()))
    assert clean.hands.params is not None
    noisy, seen = [], []
    for hand, side in enumerate(clean.hand_side):
        params = jax.tree.map(lambda leaf, hand=hand: leaf[hand], clean.hands.params)
        perturbed, valid = perturbation(jax.random.fold_in(key, hand), _model(clean.hand_model or "open", side), params)
        noisy.append(perturbed)
        seen.append(valid)
    return clean.replace(
        hands=clean.hands.replace(params=jax.tree.map(lambda *leaves: jnp.stack(leaves), *noisy)),
        hand_valid=jnp.stack(seen),
        truth=clean.hands,
    )


@dataclass(frozen=True)
class Truth:
    """What is computed once for a clean clip."""

    clean: Sequence
    hands: list[PosedHand]
    object: ObjectModel
    parts: list[Part]
    frames: np.ndarray
    """Where contact is measured: at most CONTACT_FRAMES of them."""
    touches: list[Touch]
    fields: list[ContactField]


def prepare(clean: Sequence) -> Truth:
    """The truth of a clean clip."""
    frames = np.unique(np.linspace(0, clean.n_frames - 1, CONTACT_FRAMES).round().astype(int))
    hands = pose_tracked(clean)
    mesh = (np.asarray(clean.object_vertices), np.asarray(clean.object_faces), np.asarray(clean.object_vertex_part))
    truth = Truth(clean, hands, build_object(*mesh).without_mesh(), sequence_parts(clean), frames, [], [])
    met = [_meet(truth, hand, side) for hand, side in zip(hands, clean.hand_side, strict=True)]
    return replace(truth, touches=[m[0] for m in met], fields=[m[1] for m in met])


def score(truth: Truth, answer: list[PosedHand]) -> dict[str, float]:
    """The metrics of `report.UNITS`, means over the clip's hands.

    Every frame counts, those that the tracker lost too. Depth and volume are means over the frames in which the true
    hand is in contact, so that a hand that flees the object gains nothing by having fewer frames to count.
    """
    rows = []
    for i, (hand, true) in enumerate(zip(answer, truth.hands, strict=True)):
        mine, field = _meet(truth, hand, truth.clean.hand_side[i])
        held = truth.touches[i].contact
        rows.append(
            {
                "mpjpe": mpjpe_mm(_there(hand.joints), _there(true.joints)),
                "mpvpe": mpjpe_mm(_there(hand.vertices), _there(true.vertices)),
                "penetration_depth": float(mine.depth_mm[held].mean()) if held.any() else np.nan,
                "intersection_volume": float(_there(mine.volume_cm3)[held].mean()) if held.any() else np.nan,
                "contact_iou": 100 * contact_iou(field, truth.fields[i]),
                "acceleration_error": acceleration_error_m_s2(
                    _there(hand.joints), _there(true.joints), truth.clean.fps
                ),
            }
        )
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}


def _there(values: np.ndarray | None) -> np.ndarray:
    assert values is not None, "the benchmark's hands have joints and a mesh"
    return values


def _meet(truth: Truth, hand: PosedHand, side: Side) -> tuple[Touch, ContactField]:
    """How a hand meets the clip's object on the chosen frames."""
    skin, motion, frames = _there(hand.vertices), truth.clean.object_motion, truth.frames
    then = ObjectMotion(motion.rotation[:, frames], motion.translation[:, frames])
    met = touch(then, truth.parts, PosedHand(None, skin[frames], hand.faces, np.ones(len(frames), dtype=bool)))
    # padded to one length, so that the field is compiled once for clips of all lengths
    padded = np.pad(frames, (0, CONTACT_FRAMES - len(frames)), mode="edge")
    then = ObjectMotion(motion.rotation[:, padded], motion.translation[:, padded])
    model = _model(truth.clean.hand_model or "open", side)
    canonical, faces = close_surface(model, model.v_template), jnp.asarray(hand.faces)
    field = contact_field(jnp.asarray(skin[padded]), faces, canonical, truth.object, then)
    return met, jax.tree.map(lambda leaf: leaf[: len(frames)], field)


def _methods(tuned: dict[str, Setting], refine: Callable[[Sequence], Sequence], label: str) -> dict[str, Method]:
    def filtered(setting: Setting) -> Method:
        return lambda noisy: filter_hands(noisy, pose_tracked(noisy), setting)

    filters = {name: filtered(setting) for name, setting in tuned.items()}
    ours = {label: lambda noisy: pose_tracked(refine(noisy))}
    return {"truth": _pose_true, "input": pose_tracked} | filters | ours


def _pose_true(noisy: Sequence) -> list[PosedHand]:
    """What no method can do better than: the true hands' own depth and volume are not zero."""
    assert noisy.truth is not None
    return pose_tracked(noisy.replace(hands=noisy.truth, hand_valid=jnp.ones_like(noisy.hand_valid)))


def _tuned_filters(
    validation: Iterable[Clip], perturbations: list[Perturbation], folder: Path, seed: int
) -> dict[str, dict[str, Setting]]:
    """For each noise the best filter in the world's frame and in the object's, by joint error on validation clips."""
    errors: dict[str, dict[Setting, list[float]]] = {p.name: {} for p in perturbations}
    for clip_id, clean in tqdm(list(validation), desc="tuning filters", unit="clip"):
        truth = pose_tracked(clean)
        for perturbation in perturbations:
            noisy = perturb_clip(clip_id, clean, perturbation, seed)
            skeletons = [replace(hand, vertices=None, faces=None) for hand in pose_tracked(noisy)]
            for setting in (setting for settings in FILTERS.values() for setting in settings):
                errors[perturbation.name].setdefault(setting, []).extend(
                    mpjpe_mm(_there(hand.joints), _there(true.joints))
                    for hand, true in zip(filter_hands(noisy, skeletons, setting), truth, strict=True)
                )
    chosen: dict[str, dict[str, Setting]] = {}
    for noise, found in errors.items():
        best = [
            min((setting for setting in found if setting.frame == frame), key=lambda s: np.mean(found[s]))
            for frame in ("world", "object")
            if found
        ]
        chosen[noise] = {f"best {setting.frame}-frame filter: {setting}": setting for setting in best}
    write_whole(folder / "filters.json", json.dumps({noise: list(best) for noise, best in chosen.items()}, indent=1))
    return chosen


def pose_tracked(sequence: Sequence) -> list[PosedHand]:
    name = sequence.hand_model or "open"
    return pose_hands(sequence, {side: _model(name, side) for side in sequence.hand_side})


@cache
def _model(name: str, side: Side) -> HandModel:
    return load_hand(name, side)
