"""Tensors in PyTorch's and joblib's files, read without either; nothing in a file is run.

Three layouts, from torch/serialization.py, torch/_utils.py and torch/storage.py of PyTorch, and numpy_pickle.py of
joblib:

- `torch.save`: a zip with `<name>/data.pkl`, whose persistent ids name the storages in `<name>/data/<key>`.
- `torch.save` before PyTorch 1.6, and each storage of a tensor that plain pickle or joblib has written: four pickles
  (a magic number, a version, facts about the system, the object), the keys of the storages, then each storage: the
  number of its elements (8 bytes) and its bytes.
- `joblib.dump`: a pickle in which each array's bytes follow the record that describes it.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.files import LARGEST_FILE
from toch_jax.base.pickles import ArrayUnpickler, StandIn, unpickled

STORAGES = {
    **{"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BoolStorage": "|b1"},
    **{"LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1"},
}
"""numpy's dtype of each storage class."""
_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
"""What the legacy layout begins with: MAGIC_NUMBER and PROTOCOL_VERSION of torch/serialization.py."""
_SYSTEM = {
    "protocol_version": _LEGACY_VERSION,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
HEADER = b"".join(pickle.dumps(each, 2) for each in (_MAGIC, _LEGACY_VERSION, _SYSTEM))
"""The first three pickles of the legacy layout as torch/serialization.py writes them: a pickle of thousands of tensors
has them before each."""
_EXPECTED = "tensors, arrays, numbers and text"


class _Storage:
    """The numbers of one or several tensors, which may be read after the tensors that use them."""

    def __init__(self, dtype: str) -> None:
        self.numbers: np.ndarray = np.zeros(0, dtype)


class _Tensor(StandIn):
    """A tensor: a view of a storage."""

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> None:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        self.storage = storage
        self.offset, self.shape, self.stride = int(offset), tuple(map(int, shape)), tuple(map(int, stride))

    def real(self) -> np.ndarray:
        numbers, count = self.storage.numbers, math.prod(self.shape)
        if len(self.shape) != len(self.stride) or min((*self.shape, *self.stride, self.offset), default=0) < 0:
            raise pickle.UnpicklingError("a tensor of impossible shape")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if count and (last >= len(numbers) or count * numbers.itemsize > LARGEST_FILE):
            raise pickle.UnpicklingError("a tensor beyond its storage")
        if not count:
            return np.zeros(self.shape, numbers.dtype)
        steps = [step * numbers.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps, writeable=False)
        return view.copy()


class _JoblibArray(StandIn):
    """joblib's record of an array whose bytes follow in the file."""

    def __setstate__(self, state: Any) -> None:
        self.dtype, self.shape, self.order = state["dtype"], tuple(map(int, state["shape"])), state["order"]
        self.is_aligned = state.get("numpy_array_alignment_bytes") is not None
        self.content = b""

    def read(self, read: Callable[[int], bytes]) -> None:
        if self.is_aligned:
            read(read(1)[0])
        dtype, count = self.dtype.real(), math.prod(self.shape)
        if dtype.hasobject or min(self.shape, default=0) < 0 or count * dtype.itemsize > LARGEST_FILE:
            raise pickle.UnpicklingError("an array that is not of numbers, or too large")
        self.content = read(count * dtype.itemsize)

    def real(self) -> np.ndarray:
        numbers = np.frombuffer(self.content, self.dtype.real(), math.prod(self.shape))
        return numbers.reshape(self.shape, order="F" if self.order == "F" else "C").copy()


class TensorUnpickler(ArrayUnpickler):
    """Unpickler that also allows tensors, and joblib's arrays."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file, _NAMES)
        self.storages: dict[str, _Storage] = {}
        self.read_raw = file.read

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) >= 3 and pid[0] == "storage" and isinstance(pid[1], _StorageClass)):
            raise pickle.UnpicklingError("a persistent id that is not a storage's")
        return self.storages.setdefault(str(pid[2]), _Storage(pid[1].dtype))

    def load_build(self) -> None:
        super().load_build()  # type: ignore[misc]
        if isinstance(top := self.stack[-1], _JoblibArray):  # type: ignore[attr-defined]
            top.read(self.read_raw)

    dispatch[pickle.BUILD[0]] = load_build


class _StorageClass:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


def _storage_from_bytes(content: Any) -> _Storage:
    """The storage that a tensor was pickled with: `torch.save` of it, in the legacy layout."""
    file = io.BytesIO(content)
    found = _legacy(file)
    if not isinstance(found, _Storage):
        raise pickle.UnpicklingError("no storage where a tensor has one")
    return found


def _legacy(file: io.BytesIO) -> Any:
    """The object of a file in the legacy layout, with its storages read; tensors are still stand-ins."""
    if file.getbuffer()[: len(HEADER)] == HEADER:
        file.seek(len(HEADER))
    elif [TensorUnpickler(file).load() for _ in range(3)][:2] != [_MAGIC, _LEGACY_VERSION]:
        raise pickle.UnpicklingError("not a file of PyTorch")
    reader = TensorUnpickler(file)
    found = reader.load()
    for key in TensorUnpickler(file).load():
        storage = reader.storages[str(key)]
        count = file.read(8)
        size = int.from_bytes(count, "little") * storage.numbers.itemsize
        content = file.read(size) if size <= len(file.getbuffer()) else b""
        if len(count) < 8 or len(content) < size:
            raise EOFError("the numbers of a tensor are missing")
        storage.numbers = np.frombuffer(content, storage.numbers.dtype)
    return found


class _Ordered(dict[Any, Any]):
    """Stand-in for an OrderedDict, which may have attributes."""


_NAMES: dict[tuple[str, str], Any] = {
    **{("torch", name): _StorageClass(dtype) for name, dtype in STORAGES.items()},
    ("torch", "_rebuild_tensor"): _Tensor,
    ("torch", "_rebuild_tensor_v2"): _Tensor,
    ("torch", "_load_from_bytes"): _storage_from_bytes,
    ("collections", "OrderedDict"): _Ordered,
    ("joblib", "NumpyArrayWrapper"): _JoblibArray,
}


class _LegacyUnpickler(ArrayUnpickler):
    """Reads a whole file in the legacy layout as if it were one pickle."""

    def load(self) -> Any:
        return _legacy(io.BytesIO(self._file_read(-1)))  # type: ignore[attr-defined]


def read_tensors(path: str | Path, content: bytes) -> Any:
    """What `torch.save`, `joblib.dump` or `pickle.dump` wrote, with tensors as arrays.

    Raises InputError for content that is damaged, unpacks to more than LARGEST_FILE, or names anything that tensors and
    arrays do not need.
    """
    if content[:2] == b"PK":
        return _zipped(path, content)
    kind: type[ArrayUnpickler] = TensorUnpickler
    if content[2:13] == pickle.dumps(_MAGIC, 2)[2:13]:
        kind = _LegacyUnpickler
    return unpickled(path, "pickle", io.BytesIO(content), _EXPECTED, kind)


def _zipped(path: str | Path, content: bytes) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            size = sum(info.file_size for info in members.values())
            if size > LARGEST_FILE:
                raise bad_input(path, "file", f"tensors of at most {LARGEST_FILE / 1e9:.1f} GB", f"{size / 1e9:.3g} GB")
            name = next(name for name in members if name.endswith("/data.pkl"))
            folder = name.removesuffix("data.pkl")
            if archive.read(f"{folder}byteorder") != b"little" if f"{folder}byteorder" in members else False:
                raise bad_input(path, "byteorder", "little", "another")

            class Unpickler(TensorUnpickler):
                """Takes storages from the archive."""

                def persistent_load(self, pid: Any) -> _Storage:
                    storage = super().persistent_load(pid)
                    if not len(storage.numbers):
                        read = archive.read(f"{folder}data/{pid[2]}")
                        storage.numbers = np.frombuffer(read, storage.numbers.dtype)
                    return storage

            return unpickled(path, "data.pkl", io.BytesIO(archive.read(name)), _EXPECTED, Unpickler)
    except InputError:
        raise
    except Exception as error:  # zipfile and its decompressors raise many types on damaged bytes
        raise bad_input(path, "file", "a whole file of torch.save", " ".join(f"{error!r:.100}".split())) from error
