"""Data set specifications: data_specs/NAME.toml, read into a record that builders and readers share."""

import dataclasses
import tomllib

from toch_jax.base.errors import bad_input
from toch_jax.base.files import shipped_folder

SPEC_DIR = shipped_folder("data_specs")

SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One entry of an example. A letter in `shape` is a size that differs between clips."""

    shape: tuple[int | str, ...]
    dtype: str
    meaning: str
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """Specification of a data set. `splits` lists the objects of each split (or other keys, as stated in the file)."""

    name: str
    version: str
    description: str
    licence: str
    source: str
    how_to_get: str
    hand_model: str
    """As `load_hand` takes it; a path that begins with ./ is relative to the prepared folder."""
    fps: float
    features: dict[str, FeatureSpec]
    splits: dict[str, tuple[str, ...]]
    extra: dict[str, object]
    """The file's other keys (download addresses, checksums, exclusions), used by this data set's builder only."""


def spec_names() -> tuple[str, ...]:
    """Names of all data sets that have a spec, sorted."""
    return tuple(sorted(path.stem for path in SPEC_DIR.glob("*.toml")))


def load_spec(name: str) -> DatasetSpec:
    """The spec called `name`. Raises InputError if there is none.

    A file with the key `like` holds only what differs from the spec that the key names, which may have one too.
    """
    path = SPEC_DIR / f"{name}.toml"
    if name not in spec_names():
        raise bad_input(name, "data set", "one of " + ", ".join(spec_names()), repr(name))
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    while "like" in content:
        base = SPEC_DIR / f"{content.pop('like')}.toml"
        content = tomllib.loads(base.read_text(encoding="utf-8")) | content
    features = {
        key: FeatureSpec(**{**entry, "shape": tuple(entry["shape"])}) for key, entry in content.pop("features").items()
    }
    splits = {split: tuple(keys) for split, keys in content.pop("splits").items()}
    known = {field.name for field in dataclasses.fields(DatasetSpec)} - {"features", "splits", "extra"}
    facts = {key: content.pop(key) for key in sorted(known)}
    return DatasetSpec(**facts, features=features, splits=splits, extra=content)
