"""Files: written whole or not at all, arrays read without pickles, folders that come with the package."""

import io
import math
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from toch_jax.base.errors import InputError, bad_input

PACKAGE = Path(__file__).parents[1]
LARGEST_FILE = 2**30
"""Limit on the unpacked size of a file, bytes: a hand's vertices over 50,000 frames in float64. Without it a small
file could unpack to any size."""
NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give the block another path in the same folder to write to, and rename that file to `path` when the block ends.

    If the block raises, the unfinished file is removed and an existing file `path` stays as it is.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give the block a new folder to fill beside `path`, which becomes `path` when the block ends.

    `path` must not exist, or be an empty folder. If the block raises, the unfinished folder is removed.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_arrays(path: str | Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write a compressed .npz file of plain arrays atomically."""
    with atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)  # type: ignore[arg-type]


def read_arrays(path: str | Path, field: str = "file") -> dict[str, np.ndarray]:
    """All arrays of an .npz file of at most LARGEST_FILE bytes; pickles are refused.

    Raises InputError, with the key of the damaged array, or `field` where the fault is that of the whole file.
    """
    if not Path(path).is_file():
        raise bad_input(path, field, "a .npz file", "no such file")
    arrays: dict[str, np.ndarray] = {}
    key = field
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST_FILE:
                raise bad_input(path, key, f"arrays of at most {LARGEST_FILE / 1e9:.1f} GB", f"{size / 1e9:.3g} GB")
            for member in archive.infolist():
                key = member.filename.removesuffix(".npy")
                arrays[key] = read_array(path, key, archive.read(member))
    except InputError:
        raise
    except Exception as error:  # zipfile, its decompressors and numpy raise many types on damaged bytes
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise bad_input(path, key, "a whole .npz file (a zip of arrays)", found) from error
    return arrays


def read_array(path: str | Path, key: str, content: bytes) -> np.ndarray:
    """The array of one .npy file, in the memory of `content`. Raises InputError if its header and size disagree."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in NPY_HEADERS:
        raise bad_input(path, key, "an array in .npy format 1 or 2", f"format {version[0]}.{version[1]}")
    shape, is_fortran, dtype = NPY_HEADERS[version](file)
    if dtype.hasobject:
        raise bad_input(path, key, "a plain array", "a pickled object, which is never read")
    size = len(content) - file.tell()
    if size != dtype.itemsize * math.prod(shape):
        raise bad_input(path, key, f"{dtype.itemsize * math.prod(shape)} bytes for {dtype} {shape}", f"{size} bytes")
    if not size:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")


def shipped_folder(name: str) -> Path:
    """The folder `name` (data_specs or experiments): in the package if installed, beside it in a checkout."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else PACKAGE.parent / name
