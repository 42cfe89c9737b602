"""What `toch demo` does: the package's example, repaired, beside a filter and the fit without the network."""

import dataclasses
import json
import time
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent
from typing import Any

from toch_jax.base.errors import DISTRIBUTION, extra_with
from toch_jax.base.files import atomic
from toch_jax.base.progress import Progress, silent
from toch_jax.benchmark.methods.filters import FILTERS, Filter
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.window import Denoiser
from toch_jax.metrics.clip import measure, metrics_table, sequence_parts
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import pose_hands
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.view.picture import draw_picture
from toch_jax.view.scene import Rows, rows_of


@dataclasses.dataclass(frozen=True)
class Demo:
    """What the demo found and wrote."""

    metrics: dict[str, dict[str, float]]
    """By column: see `versions` and `measure`."""
    recipe: dict[str, Any]
    """How the clip was made and chosen: scripts/make_example.py."""
    seconds: float
    tracked: Path
    clean: Path
    picture: Path


def run_demo(folder: Path, progress: Progress = silent) -> Demo:
    """Repair the example into `folder`: the tracked file, the repaired one and a picture."""
    start = time.perf_counter()
    progress("reading")
    tracked, recipe = load_example()
    clean, rows = versions(tracked, load_denoiser(), recipe_filter(recipe), progress)
    progress("metrics")
    parts = sequence_parts(tracked)
    metrics = {name: measure(tracked, hands, rows["ground truth"], parts) for name, hands in rows.items()}
    progress("picture")
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / name for name in ("tracked.npz", "clean.npz", "clean.png")]
    shown = {"before": rows["before"], "after": rows["with network"], "truth": rows["ground truth"]}
    with atomic(written[2]) as unfinished:
        draw_picture(unfinished, tracked, shown)
        save_sequence(written[0], tracked)
        save_sequence(written[1], clean)
    return Demo(metrics, recipe, time.perf_counter() - start, *written)


def load_example() -> tuple[Sequence, dict[str, Any]]:
    """The example, noise added, and the recipe that it was made by."""
    package = files("toch_jax.example")
    with as_file(package / "tracked.npz") as path:
        tracked = load_sequence(path)
    return tracked, json.loads((package / "recipe.json").read_text(encoding="utf-8"))


def recipe_filter(recipe: dict[str, Any]) -> Filter:
    """The filter that the recipe names, at the setting that it names."""
    return next(each for each in FILTERS if each.name == recipe["filter"]).with_setting(recipe["setting"])


def versions(
    tracked: Sequence, denoiser: Denoiser, filter: Filter, progress: Progress = silent
) -> tuple[Sequence, Rows]:
    """The repaired sequence, and the hands by method: as tracked ("before"), filtered ("filter"), fitted without the
    network ("without network"), repaired ("with network"), and "ground truth", which the sequence must have."""
    given = rows_of(tracked)
    without = refine(tracked, None, progress=lambda stage: progress(f"without network: {stage}"))
    clean = refine(tracked, denoiser, progress=lambda stage: progress(f"with network: {stage}"))
    rows = {
        "before": given["before"],
        "filter": filter.filter_hands(tracked, given["before"]),
        "without network": pose_hands(without),
        "with network": pose_hands(clean),
        "ground truth": given["truth"],
    }
    return clean, rows


def demo_text(demo: Demo, command: str) -> str:
    """What the demo prints; `command` is what its user types for `toch`."""
    recipe = demo.recipe
    over_filter, over_fit = recipe["median_error_over_filter"], recipe["median_error_over_fit"]
    viewer = extra_with("viser") if find_spec("viser") is None else None
    first = [f"pip install '{DISTRIBUTION}[{viewer}]'"] if viewer else []
    following = [
        *first,
        f"{command} view {demo.tracked} {demo.clean}",
        f"{command} denoise YOUR_SEQUENCE.npz -o CLEAN.npz",
        f"{command} --help",
    ]
    return f"""\
Clip: a generated grasp ({recipe["clip"]} of {recipe["data"]}) with the noise {recipe["noise"]}:
{recipe["meaning"]}.
"filter" is {recipe["filter_in_words"]}, tuned for this noise on other clips.

{metrics_table(demo.metrics)}

The clip is a typical one, {recipe["choice"]};
the medians: the joint error is {over_filter:.2f} of the filter's and {over_fit:.2f} of that without the network.
An offset that stays the same for seconds is not corrected: see the README for all kinds of noise.

{demo.seconds:.0f} s in all. Written: {demo.clean}, {demo.picture}

Next:
{indent(chr(10).join(following), "  ")}"""
