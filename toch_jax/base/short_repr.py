"""One-line representation of records, with shapes instead of arrays."""

from dataclasses import fields
from typing import Any


def short_repr(record: Any, *names: str, **more: Any) -> str:
    """Text such as `Name(array (3, 4), number=5)` of the attributes `names` (default: all dataclass fields) and `more`.

    Values that are None are left out. No values of arrays are read, so that it works while JAX traces.
    """
    given = {name: getattr(record, name) for name in names or (field.name for field in fields(record))} | more
    parts = [_part(name, value) for name, value in given.items() if value is not None]
    return f"{type(record).__name__}({', '.join(parts)})"


def _part(name: str, value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{name}={value!r}" if shape is None else f"{name} {tuple(shape)}"
