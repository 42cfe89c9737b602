"""Files of pickled objects: arrays, numbers and text are read; no code is run."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.base.pickles import read_npy, read_npz

CONTENT = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "columns first": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "big-endian": np.arange(5, dtype=">i2"),
    "flags": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "none of it": np.zeros((0, 3), np.float32),
    "nested": {"deep": [np.float32(1.5), np.int64(7), (np.str_("é"), "plain", None, True)]},
    "objects": np.array([{"a": np.ones(2)}, "b"], dtype=object),
}


def same(found: object, expected: object) -> None:
    if isinstance(expected, np.ndarray):
        assert isinstance(found, np.ndarray)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        for one, two in zip(found.ravel(), expected.ravel(), strict=True):
            same(one, two)
    elif isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        for one, two in zip(found, expected, strict=True):
            same(one, two)
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_numbers_and_text_come_out(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array(CONTENT, dtype=object), allow_pickle=True)
    header = path.read_bytes()[: path.read_bytes().index(b"\n") + 1]
    path.write_bytes(header + pickle.dumps(np.array(CONTENT, dtype=object), protocol))
    same(read_npy(path), CONTENT)


def test_plain_arrays_need_no_pickle(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CONTENT["numbers"])
    same(read_npy(tmp_path / "a.npy"), CONTENT["numbers"])
    np.savez(tmp_path / "a.npz", **{"x": np.array(CONTENT, dtype=object), "y": CONTENT["flags"]})
    found = read_npz(tmp_path / "a.npz", ("x", "y"))
    same(found["x"], CONTENT)
    same(found["y"], CONTENT["flags"])
    with pytest.raises(InputError, match="z: expected this key, found none"):
        read_npz(tmp_path / "a.npz", ("z",))


class Call:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def write(path: Path, content: object) -> Path:
    np.save(path, np.array({"x": content}, dtype=object), allow_pickle=True)
    return path


@pytest.mark.parametrize(
    "call",
    [
        (os.system, "true"),
        (eval, "1"),
        (getattr, (), "__class__"),
        (np.fromfile, "/etc/hostname"),
        (np.lib.format.open_memmap, "x"),
    ],
)
def test_nothing_is_called(tmp_path: Path, call: tuple) -> None:
    with pytest.raises(
        InputError, match=r"npy: expected arrays, numbers and text, found a call to .*, which was not run"
    ):
        read_npy(write(tmp_path / "trap.npy", Call(*call)))


def test_memory_is_no_array_of_objects(tmp_path: Path) -> None:
    """Bytes read as an object array, or a record with objects, would be memory addresses chosen by the file."""
    array = np.zeros(2, dtype=[("a", "O"), ("b", "i4")])
    array["a"] = 1
    with pytest.raises(InputError, match="dtype"):
        read_npy(write(tmp_path / "record.npy", array))
    whole = write(tmp_path / "bytes.npy", np.zeros(4, np.int64)).read_bytes()
    assert whole.count(b"i8") == 1
    (tmp_path / "bytes.npy").write_bytes(whole.replace(b"i8", b"O8"))
    with pytest.raises(InputError, match="cannot reshape"):
        read_npy(tmp_path / "bytes.npy")


def test_too_few_bytes_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.npy", np.zeros(4, np.float64)).read_bytes()
    # K 4 ... is the array's shape (4,) in the pickle
    assert whole.count(b"K\x04\x85") == 1
    (tmp_path / "a.npy").write_bytes(whole.replace(b"K\x04\x85", b"K\xff\x85"))
    with pytest.raises(InputError, match="arrays, numbers and text"):
        read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("cut", [1, 60, 200])
def test_half_a_file(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.npy", np.zeros(40))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError, match=r"a\.npy: npy: expected") as error:
        read_npy(path)
    assert "\n" not in str(error.value)
    path.write_bytes(path.read_bytes()[:9])
    with pytest.raises(InputError, match="a whole array"):
        read_npy(path)
    with pytest.raises(InputError, match="no such file"):
        read_npy(tmp_path / "none.npy")


def test_an_object_that_holds_itself(tmp_path: Path) -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(InputError, match="Recursion"):
        read_npy(write(tmp_path / "loop.npy", loop))
