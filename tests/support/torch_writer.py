"""What torch.save, and pickle or joblib of tensors and arrays, write: after torch/serialization.py, torch/_utils.py,
torch/storage.py and joblib/numpy_pickle.py, without either library."""

import collections
import io
import pickle
import struct
import zipfile
from typing import Any

import numpy as np

STORAGE = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage", "b1": "BoolStorage"}


class Named:
    """Stands for a class or function of a library that is not here; pickled by its name."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"c{module}\n{name}\n".encode()

    def __call__(self, *_: Any) -> None:
        """Pickle asks for something that can be called."""


class Storage:
    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array)
        self.kind = Named("torch", STORAGE[array.dtype.str[1:]])


class Writer(pickle._Pickler):
    """Pickles arrays as tensors; `inside` says whether their storages are persistent ids or bytes, and `view` what
    stands last in such an id."""

    def __init__(self, file: io.BytesIO, inside: bool, view: tuple[None, ...] = ()) -> None:
        super().__init__(file, 2)
        self.inside, self.view, self.storages = inside, view, list[Storage]()

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Named):
            self.write(obj.line)
        elif isinstance(obj, Storage) and self.inside:
            self.storages.append(obj)
            key = str(len(self.storages) - 1)
            self.save(("storage", obj.kind, key, "cpu", obj.array.size, *self.view))
            self.write(pickle.BINPERSID)
        elif isinstance(obj, Storage):
            self.save_reduce(Named("torch.storage", "_load_from_bytes"), (legacy(obj),))
        elif isinstance(obj, np.ndarray) and obj.dtype == object:
            # as numpy does it, with what is inside by this pickler
            state = (1, obj.shape, obj.dtype, False, obj.ravel().tolist())
            self.save_reduce(
                Named("numpy.core.multiarray", "_reconstruct"), (Named("numpy", "ndarray"), (0,), b"b"), state=state
            )
        elif isinstance(obj, np.ndarray):
            strides = tuple(step // obj.itemsize for step in np.ascontiguousarray(obj).strides)
            hooks = collections.OrderedDict()
            arguments = (Storage(obj), 0, obj.shape, strides, False, hooks)
            self.save_reduce(Named("torch._utils", "_rebuild_tensor_v2"), arguments)
        else:
            super().save(obj, save_persistent_id)


def tensor_pickle(content: Any) -> bytes:
    """pickle.dumps of tensors (arrays in `content`)."""
    file = io.BytesIO()
    Writer(file, inside=False).dump(content)
    return file.getvalue()


def legacy(content: Any) -> bytes:
    """torch.save with _use_new_zipfile_serialization=False."""
    file = io.BytesIO()
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    for header in (0x1950A86A20F9469CFC6C, 1001, system):
        pickle.dump(header, file, protocol=2)
    # the legacy layout has a view of the storage, which is none
    writer = Writer(file, inside=True, view=(None,))
    writer.dump(content)
    pickle.dump([str(key) for key in range(len(writer.storages))], file, protocol=2)
    for storage in writer.storages:
        file.write(struct.pack("<q", storage.array.size))
        file.write(storage.array.tobytes())
    return file.getvalue()


def zipped(content: Any, name: str = "archive") -> bytes:
    """torch.save since PyTorch 1.6."""
    inner = io.BytesIO()
    writer = Writer(inner, inside=True)
    writer.dump(content)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/data.pkl", inner.getvalue())
        archive.writestr(f"{name}/byteorder", b"little")
        for key, storage in enumerate(writer.storages):
            archive.writestr(f"{name}/data/{key}", storage.array.tobytes())
        archive.writestr(f"{name}/version", b"3\n")
    return file.getvalue()
