"""Pickles with PyTorch's tensors in them, written without PyTorch; read by its own loader, by joblib and pickle.

A tensor is pickled as torch/_tensor.py and torch/storage.py of PyTorch do it: a call of torch._utils._rebuild_tensor_v2
with the storage, its offset, shape and steps; the storage as a call of torch.storage._load_from_bytes with what
`torch.save` writes of it in the layout before PyTorch 1.6 (base/torch_files.py). Arrays that stay arrays are pickled by
the names that NumPy 1 and 2 both know.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np

from toch_jax.base.torch_files import HEADER, STORAGES

_CLASSES = {np.dtype(dtype): name for name, dtype in STORAGES.items()}


class _Name:
    """A function or class of another library, which need not be here."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"c{module}\n{name}\n".encode()

    def __call__(self, *_: Any) -> None:
        """Nothing: pickle asks for something that can be called."""


class _Storage:
    """The numbers of a tensor, flat."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = np.ascontiguousarray(numbers).ravel()


class _Pickler(pickle._Pickler):
    """Python's own pickler: the one in C looks up the names that it writes."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, file: io.BytesIO, tensors: bool) -> None:
        super().__init__(file, 2)
        self.tensors = tensors

    def save_name(self, name: _Name) -> None:
        self.write(name.line)  # type: ignore[attr-defined]

    dispatch[_Name] = save_name

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, _Storage):
            return _Name("torch.storage", "_load_from_bytes"), (_storage_bytes(value),)
        if not isinstance(value, np.ndarray):
            return NotImplemented
        if self.tensors and value.dtype in _CLASSES:
            steps = tuple(step // value.itemsize for step in np.ascontiguousarray(value).strides)
            # a number that is an array has no steps, and np.ascontiguousarray would give it one
            steps = steps if value.ndim else ()
            arguments: tuple[Any, ...] = (_Storage(value), 0, value.shape, steps, False, OrderedDict())
            return _Name("torch._utils", "_rebuild_tensor_v2"), arguments
        state = (1, value.shape, value.dtype, False, value.ravel().tolist() if value.dtype.hasobject else _raw(value))
        return _Name("numpy.core.multiarray", "_reconstruct"), (np.ndarray, (0,), b"b"), state


def _raw(value: np.ndarray) -> bytes:
    return np.ascontiguousarray(value).tobytes()


class _StoragePickler(_Pickler):
    """Writes a storage as a persistent id."""

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Storage):
            return None
        kind = _Name("torch", _CLASSES[value.numbers.dtype])
        return "storage", kind, "0", "cpu", value.numbers.size, None


def _storage_bytes(storage: _Storage) -> bytes:
    """The storage as `torch.save` writes it in the legacy layout."""
    file = io.BytesIO()
    file.write(HEADER)
    _StoragePickler(file, tensors=True).dump(storage)
    pickle.dump(["0"], file, protocol=2)
    file.write(storage.numbers.size.to_bytes(8, "little"))
    file.write(storage.numbers.astype(storage.numbers.dtype.newbyteorder("<")).tobytes())
    return file.getvalue()


def pickled(content: Any, tensors: bool) -> bytes:
    """Dicts, lists, text, numbers and arrays as a pickle; `tensors`: arrays of numbers as PyTorch's tensors."""
    file = io.BytesIO()
    _Pickler(file, tensors).dump(content)
    return file.getvalue()
