"""Writing data sets: clips of every split go through TFDS into array_record files, without TensorFlow."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from toch_jax.datasets.features import Example, check_example, tfds_info
from toch_jax.datasets.read import dataset_dir, default_data_dir
from toch_jax.datasets.spec import DatasetSpec


class ClipBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The builder of any data set with a spec; `clips` are the examples of each split."""

    # Nothing is downloaded; TFDS would look for checksums beside the code by a package that need not be there.
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


def write_dataset(
    spec: DatasetSpec,
    clips: Mapping[str, Iterable[Example]],
    data_dir: str | Path | None = None,
    beside: Path | None = None,
) -> Path:
    """Write the clips of each split, replacing what is there, and return the folder.

    What lies in the folder `beside` is copied to it. Written aside and moved at the end: whoever reads the data set
    sees the old one or the new one.
    """
    root = Path(data_dir or default_data_dir())
    aside, folder = root / "unfinished" / spec.name, dataset_dir(spec.name, root)
    shutil.rmtree(aside, ignore_errors=True)
    facts = {"name": spec.name, "VERSION": tfds.core.Version(spec.version)}
    builder = type(spec.name, (ClipBuilder,), facts, skip_registration=True)
    builder(spec, clips, data_dir=aside, file_format="array_record").download_and_prepare()
    if beside is not None:
        shutil.copytree(beside, dataset_dir(spec.name, aside), dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    dataset_dir(spec.name, aside).rename(folder)
    shutil.rmtree(aside)
    return folder
