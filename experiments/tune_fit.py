"""The fit's settings, each varied around its present value on validation clips, the others held.

    python experiments/tune_fit.py                     # many hours; resumes when interrupted
    python experiments/tune_fit.py --clips 3 --factors 0.5 2 --frames 32 --settings depth acceleration_per_speed.wrist

A setting is multiplied by each of the factors. The middle frames of each clip are perturbed by each noise and repaired
without and with the shipped network. Written to the output folder: the scores of each clip, results.json, results.md.
Settings are judged by the joint error plus the error of the penetration depth, both in mm; `sigma_scale` by the share
of errors in its intervals under noise. Nothing is compiled for a new value: settings are traced.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import numpy as np
import tyro
from scipy.stats import t as student_t
from tqdm import tqdm

from toch_jax.base.device import keep_compiled
from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_text
from toch_jax.benchmark.experiment import Dataset, claim, read_clips
from toch_jax.benchmark.methods.method import predict
from toch_jax.benchmark.report import markdown_table
from toch_jax.benchmark.run import perturb_clip
from toch_jax.denoiser.checkpoints import as_denoiser
from toch_jax.metrics.clip import hand_contact, sequence_parts
from toch_jax.metrics.contact import Part
from toch_jax.metrics.joints import LEVELS, inside_interval, mpjpe_mm
from toch_jax.metrics.motion import acceleration_error_m_s2
from toch_jax.observe import observe
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.pipeline import repair_by
from toch_jax.sequence.derived import PosedHand, sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT, FitSettings, Levels

CLEAN = "T(0)"
NOISES = ("T(0.01)", "R(0.3)", "B(0.01,0.3)", CLEAN)
FACTORS = (0.25, 0.5, 2.0, 4.0)
METHODS = {"fit": None, "ours": "default"}
"""The denoiser of each method, as `refine` takes it."""
NETWORK_ONLY = ("field_effective_samples", "joint_effective_samples", "steady_noise")
"""Settings without effect where there is no network."""
HELD = ("tracked_assumed", "shape", "correspondences", "steps", "last_steps")
"""Settings that are not varied: for clips of a few frames; a definition; limits on the time, which compile anew."""
PARTS = {"finger_bias": ("finger_bias.0", "finger_bias.1")}
"""A pair of two units is varied number by number."""
SETTINGS = tuple(
    name
    for field in dataclasses.fields(FitSettings)
    if field.name not in HELD
    for name in PARTS.get(field.name, (field.name,))
)
METRICS = {
    "error": "joint error and error of the penetration depth, mm",
    "mpjpe": "joint error, mm",
    "depth": "penetration depth, mm",
    "depth_error": "error of the mean penetration depth, mm",
    "acceleration": "acceleration error, m/s²",
    "inside": "errors in the intervals, %, mean over nominal levels of 10 to 90 % (right: 50)",
}

LEAST_GAIN = 0.005
"""Gains that the tables round to 0 (mm, points) are none."""

Scores = dict[str, float]
"""Value of each of METRICS but the first, which is a sum."""
Clip = Mapping[str, Mapping[str, Mapping[str, Scores]]]
"""Scores of a clip by noise, method and variant."""


def main(
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("runs/tune_fit"),
    settings: tuple[str, ...] = SETTINGS,
    datasets: tuple[str, ...] = ("myodm", "open_grasps"),
    clips: int | None = None,
    noises: tuple[str, ...] = NOISES,
    factors: tuple[float, ...] = FACTORS,
    frames: int = 64,
    seed: int = 0,
) -> None:
    """Vary the fit's settings, one at a time, on validation clips.

    Args:
        output: Folder of the results; an interrupted run is resumed there.
        settings: Their names; `acceleration_per_speed.wrist` is one number of a setting.
        datasets: Prepared data sets.
        clips: Most clips of each data set, evenly spread over it; all if not given.
        noises: Perturbations of the clean clips, T(0) for none.
        factors: What the present values are multiplied by.
        frames: Most frames of a clip, from its middle.
        seed: Of the perturbations.
    """
    keep_compiled()
    for name in settings:
        scaled(DEFAULT, name, 1.0)
    chosen = [(name, *clip) for name in datasets for clip in read_clips(Dataset(name, noises), "val", clips, frames)]
    claim(output, {"seed": str(seed), "clips": f"cut to {frames} frames", "settings": str(DEFAULT)})
    keys = {method: [key for key, _ in variants(settings, factors, method)] for method in METHODS}
    found: dict[str, Clip] = {}
    with tqdm(total=len(chosen) * len(noises) * sum(map(len, keys.values())), unit="fit", smoothing=0.02) as bar:
        for name, clip_id, clean in chosen:
            path = output / "clips" / name / f"{clip_id}.json"
            found[f"{name}/{clip_id}"] = run_clip(clip_id, clean, noises, settings, factors, path, seed, bar)
            rows = [row(found, name, factors) for name in settings]
            write_text(output / "results.json", json.dumps([each._asdict() for each in rows], indent=1))
            write_text(output / "results.md", report(rows, found, noises, factors, frames))


def scaled(settings: FitSettings, name: str, factor: float) -> FitSettings:
    """The settings with all numbers of the one called `name` times `factor`. Raises InputError if there is none."""
    found = False

    def one(path: jax.tree_util.KeyPath, value: float) -> float:
        nonlocal found
        here = jax.tree_util.keystr(path, simple=True, separator=".")
        chosen = here == name or here.startswith(name + ".")
        found |= chosen
        return factor * value if chosen else value

    changed = jax.tree_util.tree_map_with_path(one, settings)
    if not found:
        raise bad_input("tune_fit", "setting", "one of " + ", ".join(SETTINGS), name)
    return changed


def variants(names: tuple[str, ...], factors: tuple[float, ...], method: str) -> Iterator[tuple[str, FitSettings]]:
    """Key and settings of each fit: the present ones, then each of `names` times each factor."""
    yield "present", DEFAULT
    for name in names:
        if METHODS[method] is not None or name not in NETWORK_ONLY:
            yield from ((f"{name} x{factor:g}", scaled(DEFAULT, name, factor)) for factor in factors)


def run_clip(
    clip_id: str,
    clean: Sequence,
    noises: tuple[str, ...],
    names: tuple[str, ...],
    factors: tuple[float, ...],
    path: Path,
    seed: int,
    bar: tqdm,
) -> Clip:
    """Scores of one clip under each noise, method and variant; kept in the file `path`, where an earlier run's are."""
    scores: dict[str, dict[str, dict[str, Scores]]] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    obj, parts, truth = sequence_object(clean), sequence_parts(clean), predict(clean).hands
    for noise in noises:
        noisy = perturb_clip(clip_id, clean, parse_perturbation(noise), seed).replace(truth=None)
        for method, network in METHODS.items():
            denoiser = as_denoiser(network)
            observer = None if denoiser is None else partial(observe, denoiser=denoiser)
            found = scores.setdefault(noise, {}).setdefault(method, {})
            for key, settings in variants(names, factors, method):
                bar.set_postfix_str(f"{clip_id} {noise} {method} {key}")
                if key not in found:
                    repaired = repair_by(noisy, observer, settings, obj).model
                    found[key] = measure(clean, parts, truth, predict(repaired).hands)
                    write_text(path, json.dumps(scores))
                bar.update()
    return {noise: scores[noise] for noise in noises}


def measure(clean: Sequence, parts: list[Part], truth: list[PosedHand], hands: list[PosedHand]) -> Scores:
    """Scores of a repaired clip, means over its hands; depth over the frames in which the true hand is in contact."""
    rows = []
    for mine, true in zip(hands, truth, strict=True):
        assert mine.joints is not None
        assert true.joints is not None
        assert mine.sigma is not None
        there, here = (hand_contact(clean.object_motion, parts, hand) for hand in (true, mine))
        depth, true_depth = (
            each.depth_mm[there.contact].mean() if there.contact.any() else 0 for each in (here, there)
        )
        inside = [inside_interval(mine.joints - true.joints, mine.sigma, level) for level in LEVELS]
        rows.append(
            {
                "mpjpe": mpjpe_mm(mine.joints, true.joints),
                "depth": depth,
                "depth_error": abs(depth - true_depth),
                "acceleration": acceleration_error_m_s2(mine.joints, true.joints, clean.fps),
                "inside": 100 * float(np.mean(inside)),
            }
        )
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}


class Row(NamedTuple):
    """What was measured of one setting, by factor as text ("1": the present value)."""

    setting: str
    value: str
    scores: dict[str, Scores]
    """Means of METRICS over clips, noises and methods."""
    change: dict[str, tuple[float, float]]
    """Change of the error (for `sigma_scale`: of the distance of `inside` from 50) against the present value, and half
    of its 95 % interval (Student's t over clips under one noise, methods averaged)."""
    verdict: str


def row(clips: Mapping[str, Clip], name: str, factors: tuple[float, ...]) -> Row:
    """The results of one setting on the clips run so far."""
    scores, change = {}, {}
    # without noise there are no errors whose size the intervals could tell
    skipped = CLEAN if name == "sigma_scale" else ""
    units = [under for clip in clips.values() for noise, under in clip.items() if noise != skipped]
    for factor in sorted({*factors, 1.0}):
        key = "present" if factor == 1.0 else f"{name} x{factor:g}"
        cells = [[found[key] for method, found in unit.items() if applies(name, method)] for unit in units]
        present = [[found["present"] for method, found in unit.items() if applies(name, method)] for unit in units]
        scores[f"{factor:g}"] = {metric: float(np.mean(over(cells, metric))) for metric in METRICS}
        if name == "sigma_scale":
            # a mean over clips: one clip's intervals may be too narrow, another's too wide
            off, usual = (abs(float(np.mean(over(each, "inside"))) - 50) for each in (cells, present))
            change[f"{factor:g}"] = off - usual, half_interval(over(cells, "inside"))
        else:
            difference = over(cells, "error") - over(present, "error")
            change[f"{factor:g}"] = float(difference.mean()), half_interval(difference)
    best = min(change, key=lambda factor: change[factor][0])
    gain, half = change[best]
    verdict = f"x{best} is better" if -gain > half else "best" if gain > -LEAST_GAIN else f"x{best}, within noise"
    return Row(name, present_value(name), scores, change, verdict)


def applies(name: str, method: str) -> bool:
    return METHODS[method] is not None or name not in NETWORK_ONLY


def over(units: list[list[Scores]], metric: str) -> np.ndarray:
    """Mean of a metric over the methods of each unit: a clip under one noise."""
    parts = ("mpjpe", "depth_error") if metric == "error" else (metric,)
    return np.array([np.mean([sum(cell[part] for part in parts) for cell in cells]) for cells in units])


def half_interval(values: np.ndarray) -> float:
    """Half of the 95 % interval of the mean; infinite for a single value."""
    if len(values) < 2:
        return float("inf")
    return float(student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def present_value(name: str) -> str:
    """Numbers of the setting, as text."""
    numbers = jax.tree_util.tree_leaves_with_path(DEFAULT)
    names = [(jax.tree_util.keystr(path, simple=True, separator="."), value) for path, value in numbers]
    return ", ".join(f"{value:g}" for here, value in names if here == name or here.startswith(name + "."))


def unit_of(name: str) -> str:
    """Unit of a setting, or of the one number of it that the name picks."""
    first, *rest = name.split(".")
    field = next(field for field in dataclasses.fields(FitSettings) if field.name == first)
    units: list[str] = field.metadata["unit"].split(", ")
    if not rest or len(units) == 1:
        return ", ".join(units)
    return units[int(rest[0])] if rest[0].isdigit() else units[list(Levels.__dataclass_fields__).index(rest[0])]


def report(
    rows: list[Row], clips: Mapping[str, Clip], noises: tuple[str, ...], factors: tuple[float, ...], frames: int
) -> str:
    """Text of results.md."""
    columns = [f"{factor:g}" for factor in sorted({*factors, 1.0})]

    def changes(each: Row) -> list[str]:
        return [f"{each.change[c][0]:+.2f} ± {each.change[c][1]:.2f}" for c in columns if c != "1"]

    text = [
        f"{len(clips)} validation clips ({', '.join(clips)}), their middle {frames} frames, under {', '.join(noises)}, "
        "without and with the shipped network.\n",
        "Change of the joint error plus the error of the penetration depth (mm) when a setting is multiplied, and half "
        "of its 95 % interval. Of `sigma_scale`: of the distance from 50 % of the share of errors in its intervals.\n",
        markdown_table(
            ["setting", "unit", "value", *(f"x{c}" for c in columns if c != "1"), "present value"],
            [[f"`{r.setting}`", unit_of(r.setting), r.value, *changes(r), r.verdict] for r in rows],
        ),
    ]
    for metric, meaning in METRICS.items():
        cells = [[f"`{r.setting}`", *(f"{r.scores[c][metric]:.2f}" for c in columns)] for r in rows]
        head = ["setting", *(f"x{c}" for c in columns)]
        text += [f"{meaning[0].upper()}{meaning[1:]}:\n", markdown_table(head, cells)]
    return "\n".join(text)


if __name__ == "__main__":
    tyro.cli(main)
