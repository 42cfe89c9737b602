"""Reading of prepared data sets as Sequences, without TensorFlow."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from toch_jax.base.errors import bad_input
from toch_jax.datasets.examples import Example, example_to_sequence
from toch_jax.datasets.spec import load_spec
from toch_jax.sequence.types import Sequence


def default_data_dir() -> Path:
    """Folder of all data sets: $TOCH_DATA, or the user's data folder of the platform."""
    chosen = os.environ.get("TOCH_DATA")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("toch_jax", appauthor=False))


def dataset_dir(name: str, data_dir: str | Path | None = None) -> Path:
    """Folder of the prepared data set `name`, which need not exist yet."""
    return Path(data_dir or default_data_dir()) / name / load_spec(name).version


def dataset_hand(name: str, data_dir: str | Path | None = None) -> str:
    """The hand model of the data set's parameters, as `load_hand` takes it.

    Raises InputError if the model is stored with the data and the data set is not prepared.
    """
    model = load_spec(name).hand_model
    return str(_prepared(name, data_dir) / model) if model.startswith("./") else model


def read_examples(name: str, split: str, data_dir: str | Path | None = None) -> Iterator[Example]:
    """The clips of one split in stored order.

    `split` is "train", "val", "test", or a TFDS slice such as "train[:10]". Raises InputError if the data set or the
    split does not exist.
    """
    folder = _prepared(name, data_dir)
    # imported here: inference does not need it
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    if split.split("[")[0] not in builder.info.splits:
        raise bad_input(folder, "split", "one of " + ", ".join(builder.info.splits), repr(split))
    for raw in builder.as_data_source(split):
        yield {key: value.decode() if isinstance(value, bytes) else value for key, value in raw.items()}


def read_sequences(name: str, split: str, data_dir: str | Path | None = None) -> Iterator[tuple[str, Sequence]]:
    """Iterate over (id, clean clip) of one split; arguments and errors as in `read_examples`."""
    spec = dataclasses.replace(load_spec(name), hand_model=dataset_hand(name, data_dir))
    for example in read_examples(name, split, data_dir):
        yield example["id"], example_to_sequence(spec, example)


def _prepared(name: str, data_dir: str | Path | None) -> Path:
    folder = dataset_dir(name, data_dir)
    if not (folder / "dataset_info.json").is_file():
        raise bad_input(folder, "data set", f"a prepared data set ({load_spec(name).how_to_get})", "none")
    return folder
