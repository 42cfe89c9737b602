"""Files in, files out: one sequence or a folder of them, with a table and a picture of each."""

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toch_jax.denoiser.checkpoints import Denoiser
from toch_jax.errors import InputError, bad_input
from toch_jax.evaluate.clip import measure, metrics_table, sequence_parts
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.view.picture import draw_picture
from toch_jax.view.rows import rows_of


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of one file."""

    table: str
    lost: int
    """Frames that the tracker lost, filled in."""
    frames: int
    seconds: float
    picture: Path | None


def denoise_file(
    source: Path, target: Path, denoiser: Denoiser | None, object_mesh: Path | None = None, picture: bool = True
) -> Report:
    """Repair one file. `target` (.npz) and its picture (.png beside it) appear whole or not at all.

    Raises InputError for what is wrong with the file.
    """
    sequence = load_sequence(source, object_mesh)
    start = time.perf_counter()
    clean = refine(sequence, denoiser)
    seconds = time.perf_counter() - start
    rows, parts = rows_of(sequence, clean), sequence_parts(sequence)
    truth = rows.get("truth")
    table = metrics_table({name: measure(sequence, hands, truth, parts) for name, hands in rows.items()})
    target.parent.mkdir(parents=True, exist_ok=True)
    image = target.with_suffix(".png") if picture else None
    if image is not None:
        unfinished = image.with_name(image.stem + ".part.png")
        draw_picture(unfinished, sequence, rows)
    save_sequence(target, clean, keep=source)
    if image is not None:
        os.replace(unfinished, image)
    lost = int((~np.asarray(sequence.hand_valid)).sum())
    return Report(table, lost, sequence.n_frames, seconds, image)


def denoise_folder(
    source: Path, target: Path, denoiser: Denoiser | None, object_mesh: Path | None = None, picture: bool = True
) -> tuple[list[Path], list[InputError]]:
    """Repair every .npz of a folder into another; the files written, and what was wrong with the others.

    A file whose result is there and newer is left as it is, so that a killed run goes on.
    """
    files = sorted(source.glob("*.npz"))
    if not files:
        raise bad_input(source, "folder", "sequences (*.npz)", "none")
    if target.suffix == ".npz":
        raise bad_input(target, "-o", "a folder, as SEQUENCE is one", "an .npz file")
    written, faults = [], []
    for file in tqdm(files, desc="denoising", unit="clip"):
        result = target / file.name
        if result.is_file() and result.stat().st_mtime >= file.stat().st_mtime:
            continue
        try:
            report = denoise_file(file, result, denoiser, object_mesh, picture)
        except InputError as fault:
            faults.append(fault)
            continue
        written.append(result)
        tqdm.write(f"{file.name}: {report.frames} frames in {report.seconds:.1f} s\n{report.table}\n")
    return written, faults
