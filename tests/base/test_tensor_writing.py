"""Pickles of tensors, read by Python's pickle with modules that do what torch/_utils.py and torch/storage.py say."""

import io
import pickle
import struct
import sys
import types

import numpy as np
import pytest

from toch_jax.base.tensor_writing import pickled
from toch_jax.base.torch_files import read_tensors

DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8", "BoolStorage": "|b1"}


@pytest.fixture
def torch(monkeypatch):
    """Stand-ins for the names that PyTorch's pickles call."""
    package, utils, storage = (types.ModuleType(name) for name in ("torch", "torch._utils", "torch.storage"))

    def load(content: bytes) -> np.ndarray:
        file = io.BytesIO(content)
        magic, version, system = (pickle.load(file) for _ in range(3))
        assert (hex(magic), version, system["little_endian"]) == ("0x1950a86a20f9469cfc6c", 1001, True)
        reader = pickle.Unpickler(file)
        reader.persistent_load = lambda pid: pid
        kind, dtype, key, device, count, view = reader.load()
        assert (kind, device, view, pickle.load(file)) == ("storage", "cpu", None, [key])
        assert struct.unpack("<q", file.read(8)) == (count,)
        numbers = np.frombuffer(file.read(), dtype)
        assert len(numbers) == count
        return numbers

    def rebuild(numbers, offset, shape, steps, needs_grad, hooks):
        assert (needs_grad, dict(hooks)) == (False, {})
        sizes = [step * numbers.itemsize for step in steps]
        return "tensor", np.lib.stride_tricks.as_strided(numbers[offset:], shape, sizes).copy()

    vars(package).update({name: np.dtype(dtype) for name, dtype in DTYPES.items()})
    utils._rebuild_tensor_v2, storage._load_from_bytes = rebuild, load
    for module in (package, utils, storage):
        monkeypatch.setitem(sys.modules, module.__name__, module)


ARRAYS = [
    np.arange(12, dtype="<f4").reshape(3, 4),
    np.arange(12.0).reshape(3, 4).T,
    np.array([3, -1]),
    np.array([[True], [False]]),
    np.array(2.5),
]


@pytest.mark.parametrize("array", ARRAYS, ids=["f4", "transposed", "integers", "flags", "number"])
def test_tensors(array, torch):
    kind, found = pickle.loads(pickled([array], tensors=True))[0]
    assert kind == "tensor"
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(read_tensors("file", pickled([array], tensors=True))[0], array)


def test_arrays_and_the_rest():
    """Arrays stay arrays, by the names that NumPy 1 has too."""
    content = {
        "a": ARRAYS[0],
        "b": [np.array({"x": ARRAYS[1]}, object), "text", None, 3, True],
        "names": np.array(["a"]),
    }
    written = pickled(content, tensors=False)
    assert b"numpy._core" not in written
    found = pickle.loads(written)
    np.testing.assert_array_equal(found["a"], content["a"])
    np.testing.assert_array_equal(found["b"][0].item()["x"], ARRAYS[1])
    assert found["b"][1:] == content["b"][1:]
    assert found["names"].tolist() == ["a"]
