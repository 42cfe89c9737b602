"""From the source of any data set to its prepared folder: convert, cache, write with TFDS.

A builder (GRAB, ARCTIC, MyoDM, open_grasps) lists its `Task`s. `convert_all` converts each once and caches the clips,
so that an interrupted call resumes; `write_dataset` makes the data set of the cached clips, without TensorFlow.
"""

import functools
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.files import write_arrays
from toch_jax.base.processes import map_in_processes
from toch_jax.datasets.prepared import Example, check_example, dataset_dir
from toch_jax.datasets.recordings import write_hands
from toch_jax.datasets.spec import SPLITS, DatasetSpec
from toch_jax.hand.model import HandModel, Side

SHARD_FILES = 32
"""Number of cached files that are merged into one shard of a data set that is not shuffled; all are in memory."""


@dataclass(frozen=True)
class Task:
    """One unit of conversion: a recording, or a generated object."""

    split: str
    cache: Path
    """The .npz file of the converted clips; its stem names the task."""
    convert: Callable[[], list[Example]]
    """The clips, possibly none. May raise InputError: the task is then left out."""


def fingerprint(facts: Mapping[str, object], models: Mapping[Side, HandModel] | None = None) -> str:
    """Hash of everything that cached clips depend on: `facts` and the hand models that are stored with the data."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for model in (models or {}).values():
        for array in (model.shapedirs, model.pose_components, model.pose_mean):
            digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()[:12]


def convert_all(
    spec: DatasetSpec, tasks: Iterable[Task], processes: int = 1
) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """The cached files of each split that hold clips, and the tasks left out: name -> error message.

    Files that exist are reused. One task's clips are in memory at a time, in each of the `processes`; tasks must pickle
    if there are several. Raises InputError if no task gives a clip.
    """
    tasks = list(tasks)
    missing = [task for task in tasks if not task.cache.exists()]
    found = map_in_processes(functools.partial(_convert, spec), missing, processes)
    faults: dict[str, str] = {}
    for task, fault in zip(missing, tqdm(found, spec.name, len(missing), unit="recording"), strict=True):
        if fault is not None:
            faults[task.cache.stem] = fault
            tqdm.write(f"toch: skipped: {fault}", file=sys.stderr)
    if faults:
        tqdm.write(f"toch: {len(faults)} of {len(tasks)} recordings skipped", file=sys.stderr)
    files: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for task in tasks:
        if task.cache.stem not in faults and _holds_clips(task.cache):
            files[task.split].append(task.cache)
    if not any(files.values()):
        raise bad_input(spec.name, "recordings", "one with a clip in it", next(iter(faults.values()), "none"))
    return {split: paths for split, paths in files.items() if paths}, faults


def _convert(spec: DatasetSpec, task: Task) -> str | None:
    """Convert one task and cache its clips. The message of its InputError, or None."""
    try:
        cache_clips(task.cache, [check_example(spec, clip) for clip in task.convert()])
    except InputError as fault:
        return str(fault)
    return None


def cache_clips(path: Path, clips: list[Example]) -> None:
    """Write the clips to `path` atomically, without pickles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, {f"{k}/{key}": value for k, clip in enumerate(clips) for key, value in clip.items()})


def cached_clips(path: Path) -> list[Example]:
    """The clips that `cache_clips` wrote to `path`."""
    clips: dict[str, Example] = {}
    with np.load(path, allow_pickle=False) as stored:
        for entry in stored.files:
            number, key = entry.split("/")
            value = stored[entry]
            clips.setdefault(number, {})[key] = str(value) if value.dtype.kind == "U" else value
    return list(clips.values())


def _holds_clips(path: Path) -> bool:
    with np.load(path, allow_pickle=False) as stored:
        return bool(stored.files)


def write_dataset(
    spec: DatasetSpec,
    files: Mapping[str, Sequence[Path]],
    data_dir: Path,
    *,
    shuffled: bool,
    models: Mapping[Side, HandModel] | None = None,
    **reports: object,
) -> Path:
    """Write the clips of each split's cached `files`, replacing an existing data set, and return the folder.

    `shuffled` clips are in memory all at once; TFDS needs TensorFlow to shuffle more than 1 GB. The folder also gets
    the hand `models` that the clips' parameters belong to (hand/), and each of `reports` as NAME.json.

    The data are written to another folder and moved when complete, so that no reader gets a partial data set.
    """
    aside, folder = data_dir / "unfinished" / spec.name, dataset_dir(spec.name, data_dir)
    shutil.rmtree(aside, ignore_errors=True)
    facts = {"name": spec.name, "VERSION": tfds.core.Version(spec.version)}
    builder = type(spec.name, (_Shuffled if shuffled else _InOrder,), facts, skip_registration=True)
    builder(spec, files, data_dir=aside, file_format="array_record").download_and_prepare()
    written = dataset_dir(spec.name, aside)
    if models is not None:
        write_hands(written, models)
    for name, report in reports.items():
        (written / f"{name}.json").write_text(json.dumps(report, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    written.rename(folder)
    shutil.rmtree(aside)
    return folder


def tfds_features(spec: DatasetSpec) -> tfds.features.FeaturesDict:
    """The spec's features as TFDS features."""

    def feature(shape: tuple[int | str, ...], dtype: str) -> tfds.features.FeatureConnector:
        if dtype == "string":
            return tfds.features.Text()
        if not shape:
            return tfds.features.Scalar(dtype=np.dtype(dtype))
        sizes = tuple(size if isinstance(size, int) else None for size in shape)
        # encoding "bytes" reads six times faster than the default
        return tfds.features.Tensor(shape=sizes, dtype=np.dtype(dtype), encoding="bytes")

    return tfds.features.FeaturesDict({key: feature(entry.shape, entry.dtype) for key, entry in spec.features.items()})


class _FromCache:
    """What both TFDS builders share: the spec, and the files of cached clips of each split."""

    # Otherwise TFDS searches for download checksums beside the code, with a package that may not be installed.
    code_path = None

    def __init__(self, spec: DatasetSpec, files: Mapping[str, Sequence[Path]], **options: Any) -> None:
        self._spec, self._clip_files = spec, files
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        spec = self._spec
        return tfds.core.DatasetInfo(
            builder=self,  # type: ignore[arg-type]
            description=spec.description,
            features=tfds_features(spec),
            license=spec.licence,
        )

    @staticmethod
    def _clips(paths: Sequence[Path]) -> Iterator[tuple[str, Example]]:
        for path in paths:
            for clip in cached_clips(path):
                yield clip["id"], clip


class _Shuffled(_FromCache, tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg, misc]
    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[str, Example]]]:
        return {split: self._clips(paths) for split, paths in self._clip_files.items()}

    def _generate_examples(self) -> None:
        """Required by TFDS, which does not call it: `_split_generators` returns generators."""


class _InOrder(_FromCache, tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg, misc]
    def _shard_iterators_per_split(self, dl_manager: object) -> dict[str, list[Callable[[], Iterator[Any]]]]:
        return {
            split: [
                functools.partial(self._clips, paths[first : first + SHARD_FILES])
                for first in range(0, len(paths), SHARD_FILES)
            ]
            for split, paths in self._clip_files.items()
        }
