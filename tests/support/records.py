"""Sequence files from records (file keys to arrays)."""

from pathlib import Path

import numpy as np

Record = dict[str, np.ndarray]


def write_record(path: Path, record: Record, **changes: object) -> Path:
    """Write the record with some keys changed, or left out if the change is None."""
    changed = record | {key: np.asarray(value) for key, value in changes.items()}
    np.savez(path, **{key: value for key, value in changed.items() if value.dtype != object or value[()] is not None})
    return path
