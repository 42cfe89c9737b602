"""Files are whole or absent; NumPy's own reader gives what was written."""

from pathlib import Path

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.base.files import atomic, atomic_folder, read_arrays, shipped_folder, write_arrays, write_text


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic(target) as part:
            part.write_text("new, unfinished")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with atomic(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    write_text(tmp_path / "folder" / "b.txt", "Ö\n")
    assert (tmp_path / "folder" / "b.txt").read_text(encoding="utf-8") == "Ö\n"
    assert {path.name for path in tmp_path.rglob("*")} == {"a.txt", "folder", "b.txt"}


def test_arrays_are_numpy_s(tmp_path: Path) -> None:
    arrays = {
        "a/b": np.arange(6.0).reshape(2, 3),
        "text": np.array("Ö"),
        "none": np.zeros((0, 3), np.int32),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert list(archive.files) == list(found) == list(arrays)
        for key, value in arrays.items():
            np.testing.assert_array_equal(found[key], archive[key])
            np.testing.assert_array_equal(found[key], value)
            assert found[key].dtype == value.dtype


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "a.npz", {"a": np.array({}, dtype=object)})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "a.npz", a=np.array({}, dtype=object))
    with pytest.raises(InputError, match=r"a\.npz: a: expected a plain array, found a pickled object"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off"])
def test_what_is_no_whole_file_is_named_by_its_field(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: weights: expected a (whole )?\.npz file"):
        read_arrays(tmp_path / "a.npz", "weights")


def test_shipped_folders_are_there() -> None:
    assert (shipped_folder("experiments") / "open_grasps.py").is_file()
    assert list(shipped_folder("data_specs").glob("*.toml"))


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError, match="midway"), atomic_folder(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "one.txt").write_text("1")
        raise RuntimeError("midway")
    assert not list(tmp_path.iterdir())
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "one.txt").write_text("1")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "one.txt").read_text() == "1"
