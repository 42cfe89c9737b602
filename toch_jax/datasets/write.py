"""Writing of data sets with TFDS as array_record files, without TensorFlow."""

import functools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from toch_jax.datasets.features import Example, check_example
from toch_jax.datasets.kept import kept_clips
from toch_jax.datasets.read import dataset_dir, default_data_dir
from toch_jax.datasets.spec import DatasetSpec

SHARD_FILES = 32
"""Number of cached clip files that are merged into one shard of the data set."""


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


def tfds_info(builder: tfds.core.DatasetBuilder, spec: DatasetSpec) -> tfds.core.DatasetInfo:
    """The `DatasetInfo` that a builder's `_info` returns."""
    return tfds.core.DatasetInfo(
        builder=builder, description=spec.description, features=tfds_features(spec), license=spec.licence
    )


class ClipBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of any data set with a spec; `clips` are the examples of each split, shuffled by TFDS."""

    # Otherwise TFDS searches for download checksums beside the code, with a package that may not be installed.
    code_path = None

    def __init__(self, spec: DatasetSpec, clips: Mapping[str, Iterable[Example]], **options: Any) -> None:
        self._spec, self._clips = spec, clips
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds_info(self, self._spec)

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[str, Example]]]:
        return {split: self._generate_examples(clips) for split, clips in self._clips.items()}

    def _generate_examples(self, clips: Iterable[Example]) -> Iterator[tuple[str, Example]]:
        for clip in clips:
            checked = check_example(self._spec, clip)
            yield checked["id"], checked


class ShardBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder from files of cached clips, of any number: only one shard's clips are in memory at a time.

    Unlike `ClipBuilder` it does not shuffle; above 1 GB TFDS needs TensorFlow to shuffle.
    """

    code_path = None

    def __init__(self, spec: DatasetSpec, files: Mapping[str, Sequence[Path]], **options: Any) -> None:
        self._spec, self._kept_files = spec, files
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds_info(self, self._spec)

    def _shard_iterators_per_split(self, dl_manager: object) -> dict[str, list[Callable[[], Iterator[Any]]]]:
        return {
            split: [
                functools.partial(self._shard, paths[first : first + SHARD_FILES])
                for first in range(0, len(paths), SHARD_FILES)
            ]
            for split, paths in self._kept_files.items()
        }

    def _shard(self, paths: Sequence[Path]) -> Iterator[tuple[str, Example]]:
        for path in paths:
            for clip in kept_clips(path):
                checked = check_example(self._spec, clip)
                yield checked["id"], checked


def write_dataset(
    spec: DatasetSpec, clips: Mapping[str, Iterable[Example]], data_dir: str | Path | None = None
) -> Path:
    """Write the clips of each split, shuffled, replacing an existing data set, and return the folder.

    The data are written to another folder and moved when complete, so that no reader gets a partial data set.
    """
    return _write(ClipBuilder, spec, clips, data_dir, None)


def write_kept(
    spec: DatasetSpec,
    files: Mapping[str, Sequence[Path]],
    data_dir: str | Path | None = None,
    beside: Path | None = None,
) -> Path:
    """Write the clips cached by `keep_clips` in the files of each split, unshuffled; otherwise as `write_dataset`.

    Each file holds at least one clip. The contents of the folder `beside` are copied into the data set's folder.
    """
    return _write(ShardBuilder, spec, files, data_dir, beside)


def _write(
    kind: type[ClipBuilder] | type[ShardBuilder],
    spec: DatasetSpec,
    content: Mapping[str, Any],
    data_dir: str | Path | None,
    beside: Path | None,
) -> Path:
    root = Path(data_dir or default_data_dir())
    aside, folder = root / "unfinished" / spec.name, dataset_dir(spec.name, root)
    shutil.rmtree(aside, ignore_errors=True)
    facts = {"name": spec.name, "VERSION": tfds.core.Version(spec.version)}
    builder = type(spec.name, (kind,), facts, skip_registration=True)
    builder(spec, content, data_dir=aside, file_format="array_record").download_and_prepare()
    if beside is not None:
        shutil.copytree(beside, dataset_dir(spec.name, aside), dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    dataset_dir(spec.name, aside).rename(folder)
    shutil.rmtree(aside)
    return folder
