"""Reader for the pickles of hand models and data sets that runs no code from them.

Unpickling calls any function that a file names. Here each name that arrays, sparse matrices and chumpy's arrays need
is replaced by a harmless stand-in; any other name stops the reading before anything is called. The stand-ins for numpy
only store their arguments; the array is built afterwards, from bytes of numbers or text that fit its shape, or from
values that were read in the same way.
MANO_RIGHT.pkl was written by Python 2 and names classes of numpy, scipy.sparse and chumpy; .npy and .npz files store
objects that are not plain arrays, such as a dict, as a pickle. base/torch_files.py adds the names of PyTorch's tensors.
"""

import io
import math
import pickle
import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse

from toch_jax.base.errors import bad_input

_PLAIN = re.compile(r"[?bBhHiIlLqQefdFD]|[biufU][0-9]+|[SO]8?|S[0-9]+")
"""dtypes that are allowed: numbers, text, and objects (which are not built from memory)."""


class _Record:
    """Stand-in for an object of another package; the pickled state becomes its attributes."""


class StandIn(ABC):
    """Stand-in for a value that is built after the whole pickle is read."""

    @abstractmethod
    def real(self) -> Any:
        """The value itself."""


class _DType:
    """Stand-in for numpy's dtype: its letter and size, and its byte order."""

    def __init__(self, text: str, *_: Any) -> None:
        if not (isinstance(text, str) and _PLAIN.fullmatch(text)):
            raise pickle.UnpicklingError(f"dtype {text!r:.40}")
        self.text = text
        self.order: Any = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("byte order")
        self.order = state[1]

    def real(self) -> np.dtype[Any]:
        return np.dtype(self.text).newbyteorder(self.order)


class _Array:
    """Stand-in for numpy's array: shape, dtype, order and content, from which the array is built after reading."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.shape, self.dtype, self.is_fortran, self.content = state[-4:]


class _Scalar:
    """Stand-in for a scalar of numpy."""

    def __init__(self, dtype: Any, content: Any) -> None:
        self.dtype, self.content = dtype, content


def _record(kind: type, *_: Any) -> _Record:
    if not (isinstance(kind, type) and issubclass(kind, _Record)):
        raise pickle.UnpicklingError("an object of an unknown kind")
    return kind()


def _array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.__setstate__((shape, dtype, order == "F", content))
    return array


def _scalar(dtype: Any, content: Any) -> _Scalar:
    return _Scalar(dtype, content)


def _dtype(text: Any, *_: Any) -> _DType:
    return _DType(text)


def _no_bytes() -> bytes:
    # empty bytes, as pickled with protocol 2
    return b""


def _to_bytes(text: str, *_: Any) -> bytes:
    return text.encode("latin1")


class _Refused(pickle.UnpicklingError):
    """A name that is not allowed."""


class ArrayUnpickler(pickle._Unpickler):
    """Unpickler that allows only known names, by package and last part: modules move between versions.

    It is Python's own, not the one in C: that one allocates as much memory as a number in the file asks for.
    """

    def __init__(self, file: io.BufferedIOBase, more: Mapping[tuple[str, str], Any] = MappingProxyType({})) -> None:
        super().__init__(file, encoding="latin1")  # type: ignore[arg-type]
        self.more = more
        self.records: dict[tuple[str, str], type[_Record]] = {}

    def find_class(self, module: str, name: str) -> Any:
        key = module.split(".")[0], name
        if key in _RECORDS and key not in self.more:
            # new classes for every file, so that no file can change them for the next one
            return self.records.setdefault(key, type(name, (_Record,), {}))
        found = self.more.get(key, _FUNCTIONS.get(key))
        if found is None:
            raise _Refused(f"{module}.{name}")
        return found


_RECORDS = (
    ("chumpy", "Ch"),
    ("chumpy", "Select"),
    ("scipy", "csc_matrix"),
    ("scipy", "csr_matrix"),
    ("scipy", "csc_array"),
    ("scipy", "csr_array"),
    ("numpy", "ndarray"),
    ("__builtin__", "object"),
    ("builtins", "object"),
)
_FUNCTIONS: dict[tuple[str, str], Any] = {
    ("numpy", "_reconstruct"): _array,
    ("numpy", "_frombuffer"): _from_buffer,
    ("numpy", "scalar"): _scalar,
    ("numpy", "dtype"): _dtype,
    ("copy_reg", "_reconstructor"): _record,
    ("copyreg", "_reconstructor"): _record,
    ("_codecs", "encode"): _to_bytes,
    ("__builtin__", "bytes"): _no_bytes,
}


def _built(value: Any, done: dict[int, Any]) -> Any:
    """The value with stand-ins replaced by arrays and numbers, also inside dicts, lists and tuples.

    `done` has the containers that are built, by identity: one that the file names many times is built once.
    """
    if id(value) in done:
        return done[id(value)]
    match value:
        case dict():
            done[id(value)] = {_built(key, done): _built(each, done) for key, each in value.items()}
            return done[id(value)]
        case list() | tuple():
            done[id(value)] = type(value)(_built(each, done) for each in value)
            return done[id(value)]
        case StandIn():
            return value.real()
        case _Array():
            return _real_array(value, done)
        case _Scalar():
            return np.frombuffer(_raw(value.content), value.dtype.real())[0].item()
        case _Record():
            return _real_record(value, done)
    return value


def _raw(content: Any) -> bytes | bytearray:
    # Python 2 wrote bytes as text
    return content.encode("latin1") if isinstance(content, str) else content


def _real_array(value: _Array, done: dict[int, Any]) -> Any:
    """The array; for an object array without axes, as np.save makes from a dict, the object itself."""
    dtype, shape = value.dtype.real(), tuple(int(size) for size in value.shape)
    if not dtype.hasobject:
        count = math.prod(shape)
        flat = np.frombuffer(_raw(value.content), dtype, count) if count else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if value.is_fortran else "C").copy()
    content = [_built(each, done) for each in value.content]
    if shape == ():
        return content[0]
    array = np.empty(len(content), object)
    array[:] = content
    return array.reshape(shape, order="F" if value.is_fortran else "C")


def _real_record(value: _Record, done: dict[int, Any]) -> np.ndarray:
    state = {key: _built(each, done) for key, each in vars(value).items()}
    match type(value).__name__:
        case "Ch":
            return np.asarray(state["x"])
        case "Select":  # a view of some of another array's entries, by flat index
            return np.asarray(state["a"]).ravel()[np.asarray(state["idxs"])].reshape(state["preferred_shape"])
        case kind:
            build = getattr(scipy.sparse, kind)
            return build((state["data"], state["indices"], state["indptr"]), shape=state["_shape"]).toarray()


def unpickled(
    where: str | Path,
    field: str,
    file: io.BufferedIOBase,
    expected: str,
    kind: type[ArrayUnpickler] = ArrayUnpickler,
) -> Any:
    """The content of a pickle. Raises InputError for one that is damaged or names anything that is not allowed."""
    try:
        return _built(kind(file).load(), {})
    except Exception as error:  # a damaged pickle can fail in any way
        found = f"{error!r:.100}"
        if isinstance(error, _Refused):
            found = f"a call to {error}, which was not run"
        elif isinstance(error, EOFError) and not error.args:
            found = "a truncated pickle (EOFError)"
        raise bad_input(where, field, expected, found) from error


def read_pickle(path: Path) -> dict[str, Any]:
    """The content of a hand model's pickle, as dense arrays.

    Raises InputError for a file that is truncated, is no pickle of a dict, or names anything that arrays do not need.
    """
    with path.open("rb") as file:
        content = unpickled(path, "pickle", file, "the arrays of a hand model")
    if not isinstance(content, dict):
        raise bad_input(path, "pickle", "the arrays of a hand model", type(content).__name__)
    return {str(key): value for key, value in content.items()}


def read_npy(path: Path) -> Any:
    """The array of an .npy file, or the dict, list, number or text that it holds as a pickle.

    Raises InputError for a file that is missing, is truncated, or names anything that arrays do not need.
    """
    if not path.is_file():
        raise bad_input(path, "file", "an .npy file", "no such file")
    with path.open("rb") as file:
        return _read_npy(path, "npy", file)


def read_npz(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """The entries `keys` of an .npz file, each as `read_npy` returns it.

    Raises InputError as `read_npy` does, and for a missing key.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key in keys:
                if f"{key}.npy" not in archive.namelist():
                    raise bad_input(path, key, "this key", "none")
                found[key] = _read_npy(path, key, io.BytesIO(archive.read(f"{key}.npy")))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise bad_input(path, "file", "a whole .npz file", " ".join(f"{error!r:.100}".split())) from error
    return found


def _read_npy(path: Path, field: str, file: io.BufferedIOBase) -> Any:
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[arg-type]
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = header(file)  # type: ignore[arg-type]
        if not dtype.hasobject:
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[arg-type]
    except (ValueError, EOFError, OSError) as error:
        raise bad_input(path, field, "a whole array", " ".join(f"{error!r:.100}".split())) from error
    return unpickled(path, field, file, "arrays, numbers and text")
