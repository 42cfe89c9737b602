"""Tensors of PyTorch's files: values as written; damaged and hostile files end in one line, nothing in them runs."""

import contextlib
import io
import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from support.torch_writer import legacy, tensor_pickle, zipped

from toch_jax.base.errors import InputError
from toch_jax.base.torch_files import read_tensors

GOLDEN = Path(__file__).parents[1] / "golden"
RNG = np.random.default_rng(0)
CONTENT = {
    "poses": RNG.normal(size=(2, 5, 3)).astype(np.float32),
    "seen": RNG.random((2, 5)) > 0.5,
    "numbers": [np.arange(7), {"deep": RNG.normal(size=(3, 0))}],
    "name": "clip",
}


def two(first: int, second: int) -> bytes:
    """A tuple as pickle writes it."""
    return pickle.dumps((first, second), 2)[2:-3]


def same(found: object, written: object) -> None:
    if isinstance(written, np.ndarray):
        assert found.dtype == written.dtype
        assert np.array_equal(found, written)
    elif isinstance(written, dict):
        assert list(found) == list(written)
        for key in written:
            same(found[key], written[key])
    elif isinstance(written, list):
        assert len(found) == len(written)
        for pair in zip(found, written, strict=True):
            same(*pair)
    else:
        assert found == written


@pytest.mark.parametrize("write", [zipped, legacy, tensor_pickle])
def test_tensors_are_as_written(write):
    same(read_tensors("a.pth", write(CONTENT)), CONTENT)


def test_tensors_after_another_header():
    """That of another system, and none of PyTorch's: the bytes of storages lie as latin-1 in the pickle."""
    content = tensor_pickle(CONTENT)
    other = content.replace(b"longq", b"lungq")
    assert other != content
    same(read_tensors("a.pth", other), CONTENT)
    without = content.replace(b"\xc3\xbc\xc2\x9cF", b"\xc3\xbc\xc2\x9cG")
    assert without != content
    with pytest.raises(InputError, match="not a file of PyTorch"):
        read_tensors("a.pth", without)


def test_arrays_that_joblib_wrote():
    """The file was written by joblib 1.6.0 (golden/make_joblib.py)."""
    found = read_tensors("a.pth", (GOLDEN / "joblib.pth").read_bytes())
    rng = np.random.default_rng(0)
    same(
        found,
        [
            rng.normal(size=(2, 5, 3)).astype("f4"),
            np.asfortranarray(rng.normal(size=(3, 4))),
            np.ones((2, 5), bool),
            {"a": np.arange(3)},
        ],
    )


def test_a_transposed_tensor():
    """Strides of a view: torch saves the storage as it is."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = tensor_pickle([array]).replace(two(2, 3), two(3, 2)).replace(two(3, 1), two(1, 3))
    (found,) = read_tensors("a.pth", content)
    assert np.array_equal(found, array.T)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("write", [tensor_pickle, legacy, zipped])
def test_code_in_a_file_does_not_run(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"a\.pth: .*a call to .*mkdir, which was not run"):
        read_tensors("a.pth", write([Evil()]))
    assert not list(tmp_path.iterdir())


def test_a_tensor_beyond_its_storage():
    content = tensor_pickle([np.zeros(4, np.float32)])
    wrong = content.replace(pickle.dumps((4,), 2)[2:-3], pickle.dumps((5,), 2)[2:-3])
    assert wrong != content
    with pytest.raises(InputError, match="beyond its storage"):
        read_tensors("a.pth", wrong)


def test_a_tensor_that_repeats_its_numbers_without_end():
    """Stride 0 lets a small storage be a tensor of any size."""
    content = tensor_pickle([np.zeros((9, 1), np.float32)])
    wrong = content.replace(two(9, 1), two(2**20, 2**20)).replace(two(1, 1), two(0, 0))
    with pytest.raises(InputError, match="beyond its storage"):
        read_tensors("a.pth", wrong)


def test_lists_that_name_each_other_many_times_are_built_once():
    """Ten to the tenth entries in a few hundred bytes."""
    inner: list = [0] * 10
    for _ in range(9):
        inner = [inner] * 10
    found = read_tensors("a.pth", pickle.dumps(inner, 2))
    assert found[0] is found[9]


def test_a_list_in_itself():
    loop: list = []
    loop.append(loop)
    with pytest.raises(InputError, match=r"a\.pth"):
        read_tensors("a.pth", pickle.dumps(loop, 2))


def test_a_memo_index_asks_for_no_memory():
    """pickle's C code allocates an array up to the largest index: 64 GB here."""
    content = b"\x80\x02]r\xff\xff\xff\xff."
    assert [code.name for code, _, _ in pickletools.genops(io.BytesIO(content))][2] == "LONG_BINPUT"
    assert read_tensors("a.pth", content) == []


@pytest.mark.parametrize("write", [tensor_pickle, legacy, zipped])
def test_damaged_files(write):
    whole = write(CONTENT)
    rng = np.random.default_rng(1)
    for end in rng.integers(1, len(whole), 20):
        with pytest.raises(InputError, match=r"a\.pth"):
            read_tensors("a.pth", whole[:end])
    for place in rng.integers(len(whole), size=200):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.integers(8)
        # any other error fails the test
        with contextlib.suppress(InputError):
            read_tensors("a.pth", bytes(changed))
