"""Files in, files out: one sequence or a folder of them, with a table and a picture of each."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from toch_jax.base.errors import InputError, bad_input, naming
from toch_jax.base.files import atomic
from toch_jax.base.progress import Progress, each_clip, silent
from toch_jax.critic.network import Critic
from toch_jax.denoiser.window import Denoiser
from toch_jax.metrics.clip import measure, metrics_table, sequence_parts, summed_up
from toch_jax.pipeline import HandForm, repair, with_object_of
from toch_jax.sequence.file import save_sequence
from toch_jax.track.object_scale import with_scale_from_contact
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import is_sequence_file, load_any
from toch_jax.view.picture import draw_picture
from toch_jax.view.scene import rows_of


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of one file."""

    metrics: Mapping[str, dict[str, float]]
    """Of the hands before, after and, if the file has it, of the ground truth: see `measure`."""
    notes: tuple[str, ...]
    """Remarks on the data, a line each."""
    lost: int
    """Frames that the tracker lost, filled in."""
    frames: int
    seconds: float
    picture: Path | None
    read: tuple[str, ...] = ()
    """What was read of a tracker's file, a line each."""


@dataclasses.dataclass(frozen=True)
class FolderReport:
    """What became of the files of a folder, by name."""

    written: Mapping[str, Report]
    refused: Mapping[str, InputError]
    kept: tuple[str, ...]
    """Not repaired again: their results are newer than they are."""


def denoise_file(
    source: Path,
    target: Path,
    denoiser: Denoiser | None,
    object_mesh: Path | None = None,
    object_scale: float = 1.0,
    hand: HandForm = "given",
    keep_object: bool = False,
    scale: Literal["given", "free"] = "given",
    picture: bool = True,
    progress: Progress = silent,
    reading: Reading | None = None,
    critic: Critic | None = None,
) -> Report:
    """Repair one sequence file, or one file or folder of a tracker, read by `reading`.

    `target` (.npz) and its picture (.png beside it) appear whole or not at all.

    `hand`: the form in which the hands are written, see `refine`. Of hands that are written as joints alone, the table
    and the picture show the skin of the hand model that was fitted to them. With `scale` "free" the table and the
    picture show the scaled object, before and after.

    `progress` is called with the name of each stage. Raises InputError for what is wrong with the file.
    """
    progress("reading")
    loaded = load_any(source, object_mesh, object_scale, reading)
    sequence, read = loaded.sequence, loaded.lines
    start = time.perf_counter()
    if scale == "free":
        progress("scale")
        sequence = with_scale_from_contact(sequence)
    repaired = repair(sequence, denoiser, critic=critic, progress=progress)
    clean = repaired.given if hand == "given" else repaired.model
    if keep_object:
        clean = with_object_of(clean, sequence)
    seconds = time.perf_counter() - start
    progress("metrics")
    rows, parts = rows_of(sequence, clean, (repaired.tracked, repaired.model)), sequence_parts(sequence)
    truth = rows.get("truth")
    metrics = {name: measure(sequence, hands, truth, parts) for name, hands in rows.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    image = target.with_suffix(".png") if picture else None
    with nullcontext() if image is None else atomic(image) as unfinished:
        if unfinished is not None:
            progress("picture")
            draw_picture(unfinished, sequence, rows, parts=parts)
        save_sequence(target, clean, keep=source if is_sequence_file(source) else None)
    notes = tuple(dict.fromkeys((*sequence.notes, *clean.notes)))
    lost = int((~np.asarray(sequence.hand_valid)).sum())
    return Report(metrics, notes, lost, sequence.n_frames, seconds, image, read)


def denoise_folder(source: Path, target: Path, repair_file: Callable[..., Report]) -> FolderReport:
    """Repair every .npz of a folder into another, and print each one's report as it is done.

    `repair_file` is `denoise_file` with its settings; it is called with both paths and `progress`.

    A file whose result is there and newer is left as it is, so that an interrupted run is resumed. Raises InputError if
    there is nothing to do.
    """
    files = sorted(source.glob("*.npz"))
    if not files:
        raise bad_input(source, "folder", "sequences (*.npz)", "none")
    if target.suffix == ".npz":
        raise bad_input(target, "-o", "a folder, as SEQUENCE is one", "an .npz file")
    written: dict[str, Report] = {}
    refused: dict[str, InputError] = {}
    kept: list[str] = []
    for file, progress in each_clip(files, True):
        result = target / file.name
        if result.is_file() and result.stat().st_mtime >= file.stat().st_mtime:
            kept.append(file.name)
            continue
        try:
            report = repair_file(file, result, progress=progress)
        except InputError as fault:
            refused[file.name] = naming(file, fault)
            continue
        written[file.name] = report
        tqdm.write(f"{file.name}\n{report_text(report)}\n")
    return FolderReport(written, refused, tuple(kept))


def report_text(report: Report) -> str:
    """The table of one clip, then what is to be said about it."""
    lines = [*report.read, metrics_table(report.metrics), *(f"note: {note}" for note in report.notes)]
    if report.lost:
        lines.append(f"{report.lost} lost frames were filled in; see hand_joint_sigma for their uncertainty")
    lines.append(f"{report.frames} frames repaired in {report.seconds:.1f} s")
    return "\n".join(lines)


def folder_text(report: FolderReport) -> str:
    """The table over all clips, and how many files were written, kept and refused, these by name."""
    lines = []
    if len(report.written) > 1:
        clips = [one.metrics for one in report.written.values()]
        common = [name for name in clips[0] if all(name in metrics for metrics in clips)]
        total = {name: summed_up([metrics[name] for metrics in clips]) for name in common}
        lines += [f"all {len(clips)} clips: means over clips, the worst of all", metrics_table(total), ""]
    counts = f"{len(report.written)} written, {len(report.kept)} were there already, {len(report.refused)} refused"
    return "\n".join([*lines, counts + (f": {', '.join(report.refused)}" if report.refused else "")])
