"""The content of a file of any kind as dicts, lists, arrays and text, read without running anything in it."""

import io
import itertools
import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.files import LARGEST_FILE, read_array
from toch_jax.base.pickles import unpickled
from toch_jax.base.torch_files import TensorUnpickler, read_tensors
from toch_jax.trackers.archives import read_hdf5, read_parquet, tar_members

LARGEST_TABLE, LARGEST_JSON = 2**27, 2**25
"""Limits on the size of text files, bytes. JSON takes up to 40 times as much as Python's lists; a hand in each of
10,000 frames has 13 MB."""
MOST_FRAMES = 100_000
"""Limit on the number of frames of a clip, which a file's frame numbers may ask for: an hour at 30 fps."""
LONGEST_HEAD = 20
"""Lines at the beginning of a table that are looked at for its names."""
MODELS_ABOVE = 4
"""How many folders above that of a clip are searched for the object's mesh."""


@dataclass(frozen=True)
class Source:
    """A file, or a folder of files, and its content."""

    path: Path
    content: Any
    """Arrays, dicts, lists, numbers, a Table, the lines of another text; of a folder: its files by name."""
    is_folder: bool = False


@dataclass(frozen=True)
class Table:
    """Lines of numbers with commas or blanks between, and the names of the columns, if the first line, or a comment (#)
    before it, has them. Other lines that begin with # are left out."""

    names: tuple[str, ...]
    text: str

    def numbers(self, where: str | Path, names: Sequence[str] | None = None) -> Float[np.ndarray, "rows columns"]:
        """The columns `names`, or all. Entries that are empty are NaN. Raises InputError."""
        missing = [name for name in names or () if name not in self.names]
        if missing:
            raise bad_input(where, missing[0], "this column", "none")
        columns = None if names is None else [self.names.index(name) for name in names]
        lines: Iterator[str] = (line for line in io.StringIO(self.text) if line.strip() and not line.startswith("#"))
        first = next(lines)
        if all(_is_number(word) for word in _words(first)):
            lines = itertools.chain([first], lines)
        try:
            return np.loadtxt(
                lines,
                delimiter="," if "," in first else None,
                usecols=columns,
                ndmin=2,
                converters=_number,
            )
        except ValueError as error:
            raise bad_input(where, "table", "lines of as many numbers each", f"{error!s:.100}") from error


def _number(word: str) -> float:
    return float(word) if word.strip() else math.nan


def open_source(path: str | Path) -> Source:
    """The file or folder. Raises InputError for what is missing, damaged, too large, or of an unknown kind."""
    path = Path(path)
    if path.is_dir():
        return Source(path, {child.name: child for child in sorted(path.iterdir())}, is_folder=True)
    if not path.is_file():
        raise bad_input(path, "file", "a file or a folder", "nothing")
    if path.stat().st_size > LARGEST_FILE:
        raise bad_input(path, "file", f"at most {LARGEST_FILE / 1e9:.1f} GB", f"{path.stat().st_size / 1e9:.3g} GB")
    content = path.read_bytes()
    if content[:6] == b"\x93NUMPY":
        return Source(path, _from_npy(path, "npy", content))
    if content[:2] == b"PK":
        return Source(path, _from_zip(path, content))
    if content[:1] == b"\x80":
        return Source(path, read_tensors(path, content))
    if content[:4] == b"PAR1":
        return Source(path, read_parquet(path, content))
    if content[:4] == b"\x89HDF":
        return Source(path, read_hdf5(path, content))
    if content[257:262] == b"ustar":
        members = tar_members(path, content)
        return Source(path, {name: _from_text(path, text) for name, text in members.items()})
    return Source(path, _from_text(path, content))


def _from_npy(path: Path, field: str, content: bytes) -> Any:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        has_object = header(file)[2].hasobject
        return (
            unpickled(path, field, file, "tensors, arrays, numbers and text", TensorUnpickler)
            if has_object
            else read_array(path, field, content)
        )
    except InputError:
        raise
    except Exception as error:  # numpy's reader of headers raises many types of errors
        raise bad_input(path, field, "a whole array", " ".join(f"{error!r:.100}".split())) from error


def _from_zip(path: Path, content: bytes) -> Any:
    """An .npz file as a dict of its arrays, or what `torch.save` wrote."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if any(info.filename.endswith("/data.pkl") for info in members):
                return read_tensors(path, content)
            size = sum(info.file_size for info in members)
            if size > LARGEST_FILE:
                raise bad_input(path, "file", f"arrays of at most {LARGEST_FILE / 1e9:.1f} GB", f"{size / 1e9:.3g} GB")
            arrays = [info for info in members if info.filename.endswith(".npy")]
            if not arrays:
                raise bad_input(path, "file", "a zip of arrays (.npz) or of tensors (.pth)", "another zip")
            keys = (info.filename.removesuffix(".npy") for info in arrays)
            return {key: _from_npy(path, key, archive.read(info)) for key, info in zip(keys, arrays, strict=True)}
    except InputError:
        raise
    except Exception as error:  # zipfile and its decompressors raise many types on damaged bytes
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise bad_input(path, "file", "a whole .npz file (a zip of arrays)", found) from error


def _from_text(path: Path, content: bytes) -> Any:
    """JSON, JSON in each line, a table, or lines of text."""
    is_json = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    largest = LARGEST_JSON if is_json else LARGEST_TABLE
    if len(content) > largest:
        found = f"{len(content) / 1e6:.0f} MB"
        raise bad_input(path, "file", f"text of at most {largest / 1e6:.0f} MB (save arrays as .npz)", found)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise bad_input(path, "file", "arrays, JSON, a table or a pickle", f"bytes {content[:8]!r}") from None
    if is_json:
        found = _from_json(path, text)
        if len(found) > 2 * MOST_FRAMES:
            raise bad_input(path, "file", f"at most {2 * MOST_FRAMES:,} entries", f"{len(found):,}")
        return found
    head = [line for line in text.split("\n", LONGEST_HEAD)[:LONGEST_HEAD] if line.strip()]
    lines = [line for line in head if not line.startswith("#")]
    first, second = ([_words(line) for line in lines] + [[], []])[:2]
    if first and all(map(_is_number, first)):
        comments = (_words(line.lstrip("# ")) for line in head if line.startswith("#"))
        names = next((words for words in comments if len(words) == len(first) and not any(map(_is_number, words))), [])
        return Table(tuple(names), text)
    if lines and "," in lines[0] and "\n" in text:
        return Table(tuple(word.strip().strip('"') for word in lines[0].split(",")), text)
    if len(first) > 1 and len(second) == len(first) and all(map(_is_number, second)):
        return Table(tuple(word.strip('"') for word in first), text)
    return text.splitlines()


def _words(line: str) -> list[str]:
    return re.split(r"[,\s]+", line.strip())


def _is_number(word: str) -> bool:
    try:
        float(word or "nan")
    except ValueError:
        return False
    return True


def _from_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise bad_input(path, "file", "JSON, or JSON in each line", f"{error!s:.100}") from error


def read_yaml(path: Path) -> Any:
    """The dicts, lists, numbers and text of a YAML file. Raises InputError for one that is missing or damaged."""
    # imported here: only some data sets have YAML
    import yaml

    if not path.is_file():
        raise bad_input(path, "file", "a YAML file", "nothing")
    if path.stat().st_size > LARGEST_JSON:
        raise bad_input(path, "file", f"at most {LARGEST_JSON / 1e6:.0f} MB", f"{path.stat().st_size / 1e6:.0f} MB")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise bad_input(path, "file", "YAML", " ".join(f"{error!s:.100}".split())) from error


def read_pickled(path: Path) -> Any:
    """What a pickle of any protocol holds, Python 2's too: `open_source` tells only those of protocol 2 and later."""
    if path.stat().st_size > LARGEST_FILE:
        raise bad_input(path, "file", f"at most {LARGEST_FILE / 1e9:.1f} GB", f"{path.stat().st_size / 1e9:.3g} GB")
    return unpickled(path, "pickle", io.BytesIO(path.read_bytes()), "arrays, numbers and text", TensorUnpickler)


def first_has(files: Sequence[Path], *keys: str) -> bool:
    """Whether the first of the files is a pickle of a dict with these keys."""
    try:
        content = read_pickled(files[0]) if files else None
    except InputError:
        return False
    return isinstance(content, dict) and set(keys) <= set(content)


def model_beside(folder: Path, *names: str) -> Path | None:
    """The file at `names` in the folder's own folder or one of those above it, where data sets keep the meshes of their
    objects; None if there is none.
    """
    found = (parent.joinpath(*names) for parent in list(folder.absolute().parents)[:MODELS_ABOVE])
    return next((path for path in found if path.is_file()), None)


def need(where: str | Path, record: Any, key: str) -> Any:
    """The value of `key` in a dict from a file. Raises InputError."""
    if not isinstance(record, dict):
        raise bad_input(where, key, "a record with this key", type(record).__name__)
    if key not in record:
        raise bad_input(where, key, "this key", "none")
    return record[key]


def array(where: str | Path, field: str, value: Any, *shapes: str) -> Float[np.ndarray, "*axes"]:
    """Numbers of a file as float64 with one of `shapes`: numbers and letters (any length, equal where equal).

    Axes of length 1 that the shape has not are dropped. Raises InputError.
    """
    wanted = " or ".join("({})".format(", ".join(shape.split())) for shape in shapes)
    before = lengths(value)
    if not any(_fits(_dropped(before, shape), shape.split()) for shape in shapes):
        raise bad_input(where, field, f"numbers of shape {wanted}", f"{type(value).__name__} {before}")
    found = _as_array(where, field, value)
    for shape in shapes:
        if _fits(_dropped(found.shape, shape), shape.split()):
            return found.reshape(_dropped(found.shape, shape)).astype(np.float64)
    raise bad_input(where, field, f"numbers of shape {wanted}", f"{found.dtype} {found.shape}")


def _dropped(lengths: tuple[int, ...], shape: str) -> tuple[int, ...]:
    """The lengths without the first ones that are 1, as far as they are more than the shape has."""
    kept = list(lengths)
    while len(kept) > len(shape.split()) and 1 in kept:
        kept.remove(1)
    return tuple(kept)


def _fits(shape: tuple[int, ...], axes: Sequence[str]) -> bool:
    lengths: Mapping[str, int] = {}
    if len(shape) != len(axes):
        return False
    for axis, length in zip(axes, shape, strict=True):
        if (int(axis) if axis.isdigit() else lengths.get(axis, length)) != length:
            return False
        lengths = {**lengths, axis: length}
    return True


def lengths(value: Any) -> tuple[int, ...]:
    """The shape of an array or of nested lists, by the first entry of each: numpy would read them all."""
    shape: tuple[int, ...] = ()
    while isinstance(value, list | tuple):
        shape = (*shape, len(value))
        if not value or len(shape) > 32:
            return shape
        value = value[0]
    return (*shape, *value.shape) if isinstance(value, np.ndarray) else shape


def with_lost(value: Any) -> Any:
    """A list in which entries are null in JSON, which are lost frames, with NaN of the others' shape in their place."""
    if not isinstance(value, list) or all(each is not None for each in value):
        return value
    shape = next((lengths(each) for each in value if each is not None), ())
    if math.prod(shape) * len(value) * 8 > LARGEST_FILE:
        return value
    lost = np.full(shape, np.nan).tolist()
    return [lost if each is None else each for each in value]


def _as_array(where: str | Path, field: str, value: Any) -> np.ndarray:
    """The value as an array of numbers; nested lists are measured first: a small file may name one list many times."""
    if math.prod(lengths(value)) * 8 > LARGEST_FILE:
        raise bad_input(where, field, f"numbers of at most {LARGEST_FILE / 1e9:.1f} GB", "more")
    try:
        found = np.asarray(value)
    except (ValueError, RecursionError) as error:
        raise bad_input(where, field, "an array", f"{error!s:.100}") from error
    if found.dtype.kind not in "fiub":
        raise bad_input(where, field, "numbers", f"{found.dtype}")
    return found
