"""What a data set is: data_specs/NAME.toml, read into a record that builders and readers share."""

import dataclasses
import tomllib

from toch_jax.base.errors import bad_input
from toch_jax.base.shipped import shipped_folder

SPEC_DIR = shipped_folder("data_specs")

SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One entry of an example. A letter in `shape` is a size that varies from clip to clip."""

    shape: tuple[int | str, ...]
    dtype: str
    meaning: str
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A data set's facts. `splits` names the objects (or other keys, as the file says) of each split."""

    name: str
    version: str
    description: str
    licence: str
    source: str
    how_to_get: str
    hand_model: str
    """As `load_hand` takes it; a path that begins with ./ lies in the prepared folder."""
    fps: float
    features: dict[str, FeatureSpec]
    splits: dict[str, tuple[str, ...]]
    extra: dict[str, object]
    """The file's other keys, for the one builder that knows them (download addresses, checksums, exclusions)."""


def spec_names() -> tuple[str, ...]:
    """The data sets that have a spec, sorted."""
    return tuple(sorted(path.stem for path in SPEC_DIR.glob("*.toml")))


def load_spec(name: str) -> DatasetSpec:
    """The spec called `name`; raises InputError for a name without one.

    A file that is `like` another holds only what differs from it.
    """
    path = SPEC_DIR / f"{name}.toml"
    if name not in spec_names():
        raise bad_input(name, "data set", "one of " + ", ".join(spec_names()), repr(name))
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if "like" in content:
        base = SPEC_DIR / f"{content.pop('like')}.toml"
        content = tomllib.loads(base.read_text(encoding="utf-8")) | content
    features = {
        key: FeatureSpec(**{**entry, "shape": tuple(entry["shape"])}) for key, entry in content.pop("features").items()
    }
    splits = {split: tuple(keys) for split, keys in content.pop("splits").items()}
    known = {field.name for field in dataclasses.fields(DatasetSpec)} - {"features", "splits", "extra"}
    facts = {key: content.pop(key) for key in sorted(known)}
    return DatasetSpec(**facts, features=features, splits=splits, extra=content)
