"""Files in a file: the arrays of HDF5 and Parquet, the JSON of a tar file."""

import io
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import InputError, bad_input
from toch_jax.base.files import LARGEST_FILE

MOST_MEMBERS = 100_000
"""Limit on the number of arrays, or of files, in a file; chosen by hand."""


def read_hdf5(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of numbers of an HDF5 file by their paths, such as transforms/camera; other data sets and attributes
    are left out. Links out of the file are not followed. Raises InputError, also without h5py."""
    # imported here: a package that only this kind of file needs
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise bad_input(path, "h5py", "this package: pip install 'toch-jax[hdf5]'", "none") from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _arrays(path, file, h5py)
    except InputError:
        raise
    except Exception as error:  # h5py raises many types on damaged bytes
        raise bad_input(path, "file", "a whole HDF5 file", " ".join(f"{error!s:.100}".split())) from error


def _arrays(path: Path, file: Any, h5py: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    groups, bytes_left = [("", file)], LARGEST_FILE
    seen = 0
    while groups:
        prefix, group = groups.pop()
        for name in group:
            seen += 1
            if seen > MOST_MEMBERS:
                raise bad_input(path, "file", f"at most {MOST_MEMBERS:,} entries", "more")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            entry = group[name]
            if isinstance(entry, h5py.Group):
                groups.append((f"{prefix}{name}/", entry))
            elif entry.dtype.kind in "fiub" and entry.shape is not None:
                bytes_left -= math.prod(entry.shape) * entry.dtype.itemsize
                if bytes_left < 0:
                    raise bad_input(path, "file", f"arrays of at most {LARGEST_FILE / 1e9:.1f} GB", "more")
                found[f"{prefix}{name}"] = entry[()] if entry.shape else np.array(entry[()])
    return found


def read_parquet(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The columns of numbers (T,), and of as many numbers in each row (T, N), of a Parquet file; others are left out.

    Raises InputError, also without pyarrow.
    """
    # imported here: a package that only this kind of file needs
    try:
        import pyarrow
        from pyarrow import compute, parquet
    except ModuleNotFoundError as error:
        raise bad_input(path, "pyarrow", "this package: pip install 'toch-jax[parquet]'", "none") from error
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        schema = file.schema_arrow
        kept = [name for name in schema.names if _of_numbers(schema.field(name).type, pyarrow.types)]
        groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
        chunks = (group.column(index) for group in groups for index in range(group.num_columns))
        count = sum(chunk.num_values for chunk in chunks if chunk.path_in_schema.split(".")[0] in kept)
        if 8 * count > LARGEST_FILE:
            raise bad_input(path, "file", f"columns of at most {LARGEST_FILE / 1e9:.1f} GB", "more")
        table = file.read(columns=kept)
        columns = {name: table.column(name).combine_chunks() for name in kept}
        return {name: array for name, each in columns.items() if (array := _column(each, pyarrow, compute)) is not None}
    except pyarrow.ArrowException as error:
        raise bad_input(path, "file", "a whole Parquet file", " ".join(f"{error!s:.100}".split())) from error


def _of_numbers(kind: Any, types: Any) -> bool:
    if types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _column(column: Any, pyarrow: Any, compute: Any) -> np.ndarray | None:
    """A column as an array; None if its rows have different lengths, or if some are missing."""
    if column.null_count:
        return None
    if pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if not hasattr(column, "flatten"):
        return None
    numbers = column.flatten()
    if numbers.null_count or not len(column) or len(numbers) % len(column):
        return None
    lengths = np.unique(compute.list_value_length(column).to_numpy(zero_copy_only=False))
    return numbers.to_numpy(zero_copy_only=False).reshape(len(column), -1) if len(lengths) == 1 else None


def tar_members(path: Path, content: bytes) -> dict[str, bytes]:
    """The JSON files in a tar file by their names, without folders; others are left out. Raises InputError."""
    found: dict[str, bytes] = {}
    bytes_left = LARGEST_FILE
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for count, member in enumerate(archive):
                name = Path(member.name).name
                if not member.isfile() or not name.endswith((".json", ".json__")):
                    continue
                bytes_left -= member.size
                if bytes_left < 0 or count > MOST_MEMBERS:
                    raise bad_input(path, "file", f"JSON of at most {LARGEST_FILE / 1e9:.1f} GB", "more")
                reader = archive.extractfile(member)
                found[name] = reader.read() if reader is not None else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise bad_input(path, "file", "a whole tar file", " ".join(f"{error!s:.100}".split())) from error
    if not found:
        raise bad_input(path, "file", "a tar file with JSON in it", "none")
    return found
