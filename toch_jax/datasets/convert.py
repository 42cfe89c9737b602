"""Conversion of published recordings: each is converted once and cached; unreadable ones are listed and left out."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toch_jax.base.errors import InputError, bad_input
from toch_jax.datasets.features import Example, check_example
from toch_jax.datasets.kept import holds_clips, keep_clips
from toch_jax.datasets.shape_space import write_hands
from toch_jax.datasets.spec import SPLITS, DatasetSpec
from toch_jax.datasets.write import write_kept
from toch_jax.hand.model import HandModel, Side


@dataclass(frozen=True)
class Recording:
    """One file to convert."""

    id: str
    """Unique; used as a file name."""
    split: str
    path: Path


Faults = dict[str, str]
"""Recordings that could not be converted: id -> error message."""


def prepare_recordings(
    spec: DatasetSpec,
    recordings: list[Recording],
    convert: Callable[[Recording], list[Example]],
    models: dict[Side, HandModel],
    data_dir: Path,
    **facts: object,
) -> Path:
    """Convert the recordings, write the data set and return its folder.

    The folder also gets the hand `models` that the clips' parameters belong to (hand/) and the recordings left out,
    with the reasons (skipped.json). The cache of converted clips is keyed by the models, the frame rate and `facts`:
    everything else that the clips depend on.
    """
    work = data_dir / "work" / f"{spec.name}-{_fingerprint(models, fps=spec.fps, **facts)}"
    files, faults = convert_all(spec, recordings, convert, work)
    beside = work / "beside"
    shutil.rmtree(beside, ignore_errors=True)
    write_hands(beside, models)
    (beside / "skipped.json").write_text(json.dumps(faults, indent=1))
    return write_kept(spec, files, data_dir, beside)


def _fingerprint(models: dict[Side, HandModel], **facts: object) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for model in models.values():
        for array in (model.shapedirs, model.pose_components, model.pose_mean):
            digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()[:12]


def convert_all(
    spec: DatasetSpec, recordings: Iterable[Recording], convert: Callable[[Recording], list[Example]], work: Path
) -> tuple[dict[str, list[Path]], Faults]:
    """The files of converted clips of each split, and the recordings left out. Files already in `work` are reused.

    One recording is in memory at a time. Raises InputError if no recording gives a clip.
    """
    files: dict[str, list[Path]] = {split: [] for split in SPLITS}
    faults: Faults = {}
    recordings = list(recordings)
    work.mkdir(parents=True, exist_ok=True)
    for recording in tqdm(recordings, desc=spec.name, unit="recording"):
        kept = work / f"{recording.id}.npz"
        if not kept.exists():
            try:
                keep_clips(kept, [check_example(spec, clip) for clip in convert(recording)])
            except InputError as fault:
                faults[recording.id] = str(fault)
                tqdm.write(f"toch: skipped: {fault}", file=sys.stderr)
                continue
        if holds_clips(kept):
            files[recording.split].append(kept)
    if faults:
        tqdm.write(f"toch: {len(faults)} of {len(recordings)} recordings skipped", file=sys.stderr)
    if not any(files.values()):
        raise bad_input(spec.name, "recordings", "one with a clip in it", next(iter(faults.values()), "none"))
    return {split: paths for split, paths in files.items() if paths}, faults


def need_file(spec: DatasetSpec, path: Path) -> Path:
    """The path, if it exists; otherwise raises InputError with the instructions for getting the data set."""
    if not path.exists():
        raise bad_input(path, spec.name, f"this file of the data set ({spec.how_to_get})", "nothing there")
    return path


def numbers(where: str | Path, field: str, value: object, shape: tuple[int | None, ...]) -> np.ndarray:
    """`value` as an array of finite numbers of this shape (None: any size). Raises InputError if it is not one."""
    array = plain_array(where, field, value)
    fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "biuf" or not fits or not array.size:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise bad_input(where, field, f"numbers of shape ({wanted})", f"{array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise bad_input(where, field, "finite numbers", f"{(~np.isfinite(array)).sum()} that are not")
    return array


def plain_array(where: str | Path, field: str, value: object) -> np.ndarray:
    """`value` as an array of any dtype. Raises InputError if it is not one (a ragged list)."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise bad_input(where, field, "an array", f"{error!r:.60}") from error


def entry(where: str | Path, holder: object, *keys: str) -> object:
    """The entry of nested dicts at `keys`, outermost first. Raises InputError where a key is missing."""
    for depth, key in enumerate(keys, start=1):
        if not isinstance(holder, dict) or key not in holder:
            raise bad_input(where, ".".join(keys[:depth]), "this entry", "none")
        holder = holder[key]
    return holder
