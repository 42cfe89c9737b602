"""Makes the clip of `toch demo`: tracked.npz and recipe.json in toch_jax/example/.

    python scripts/make_example.py       # needs `toch prepare open_grasps`; about five minutes on two cores

NOISE is added to every one-handed clip of the test split of open_grasps, and the joint errors of the best filter, of
the fit without the network and of the whole method are measured on each. The shipped clip is a typical one: its two
error ratios, method to filter and method to fit, are nearest (in logarithms) to the medians over all these clips.
The filter is the one of `toch_jax.benchmark.methods.filters.FILTERS` with the smallest error on validation clips under
NOISE.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

import toch_jax
from toch_jax.benchmark.methods.filters import FILTERS, Filter, Gaussian, Kalman, OneEuro, SavitzkyGolay
from toch_jax.benchmark.run import perturb_clip, tune_filters
from toch_jax.cli.demo_clip import versions
from toch_jax.datasets.prepared import read_sequences
from toch_jax.denoiser.window import Denoiser
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.types import Sequence

NOISE = parse_perturbation("T(0.02)")
MEANING = "each frame's hand moved by a new random offset, normal with 20 mm along each axis"
METHODS = ("before", "filter", "without network", "with network")
SEED = 0
VALIDATION_CLIPS = 8
"""Number of clips on which the filter is chosen, as in a benchmark."""
EXAMPLE = Path(toch_jax.__file__).parent / "example"


def main() -> None:
    filter = best_filter()
    denoiser = toch_jax.load_denoiser()
    tracked = {
        clip_id: perturb_clip(clip_id, clean, NOISE, SEED)
        for clip_id, clean in read_sequences("open_grasps", "test")
        if len(clean.hand_side) == 1
    }
    errors = {clip_id: joint_errors(clip, filter, denoiser) for clip_id, clip in tqdm(tracked.items())}
    ratios = np.log(
        [[e["with network"] / e["filter"], e["with network"] / e["without network"]] for e in errors.values()]
    )
    median = np.median(ratios, axis=0)
    chosen = list(errors)[np.linalg.norm(ratios - median, axis=1).argmin()]
    over_filter, over_fit = np.exp(median).round(3).tolist()
    recipe = {
        "clip": chosen,
        "data": "open_grasps' test split",
        "noise": NOISE.name,
        "meaning": MEANING,
        "seed": SEED,
        "filter": filter.name,
        "setting": str(filter.settings[0]),
        "filter_in_words": in_words(filter),
        "choice": f"of {len(errors)} one-handed test clips the nearest to the median gains over filter and fit",
        "median_error_over_filter": over_filter,
        "median_error_over_fit": over_fit,
        "errors_mm": {clip_id: {m: round(e, 2) for m, e in found.items()} for clip_id, found in sorted(errors.items())},
    }
    toch_jax.save_sequence(EXAMPLE / "tracked.npz", tracked[chosen])
    (EXAMPLE / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(recipe, indent=1))


def best_filter() -> Filter:
    """The filter with the smallest error on validation clips, at its best setting."""
    clips = list(read_sequences("open_grasps", "val"))
    clips = [clip for clip in clips if len(clip[1].hand_side) == 1]
    spread = [clips[(2 * i + 1) * len(clips) // (2 * VALIDATION_CLIPS)] for i in range(VALIDATION_CLIPS)]
    with tempfile.TemporaryDirectory() as folder:
        tuned = tune_filters("open_grasps", spread, FILTERS, [NOISE], Path(folder), SEED)[NOISE.name]
    best = min(FILTERS, key=lambda filter: tuned[filter.name].mpjpe_mm)
    return best.with_setting(tuned[best.name].setting)


def in_words(filter: Filter) -> str:
    """Description of the filter in the demo's output."""
    kinds = {
        Gaussian: "a Gaussian filter",
        SavitzkyGolay: "a Savitzky-Golay filter",
        OneEuro: "a one-euro filter",
        Kalman: "a constant-velocity Kalman smoother",
    }
    return f"{kinds[type(filter.settings[0])]} of joints and skin in the {filter.frame}'s frame"


def joint_errors(tracked: Sequence, filter: Filter, denoiser: Denoiser) -> dict[str, float]:
    """Mean joint error (mm) of the tracked hand and of each method's result."""
    _, rows = versions(tracked, denoiser, filter)
    truth = np.asarray(rows["ground truth"][0].joints)
    return {name: mpjpe_mm(np.asarray(rows[name][0].joints), truth) for name in METHODS}


if __name__ == "__main__":
    main()
