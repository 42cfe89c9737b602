"""The binary form of glTF 2.0: one JSON chunk and one chunk of arrays (Khronos, glTF 2.0 specification, 3.6 and 4)."""

import json
import struct
from typing import Any

import numpy as np

MAGIC, VERSION, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
COMPONENTS = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125}
"""componentType by kind of number."""
SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, FACES = 34962, 34963
"""Targets of buffer views."""


class Arrays:
    """The arrays of a file: bytes, and where each lies."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """The index of the accessor of an array (N, ...) of float32 or unsigned integers; `bounds` adds min and max."""
        values = np.ascontiguousarray(values)
        kind = values.dtype.str[1:]
        self.content += bytes(-len(self.content) % 4)
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": values.nbytes}
        self.views.append(view if target is None else {**view, "target": target})
        self.content += values.astype(values.dtype.newbyteorder("<")).tobytes()
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": COMPONENTS[kind],
            "count": len(values),
            "type": SHAPES[values.shape[1:]],
        }
        if bounds:
            low, high = values.min(axis=0), values.max(axis=0)
            accessor |= {"min": np.atleast_1d(low).tolist(), "max": np.atleast_1d(high).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def glb_bytes(document: dict[str, Any], arrays: Arrays) -> bytes:
    """The file of a document with these arrays."""
    content = bytes(arrays.content) + bytes(-len(arrays.content) % 4)
    whole = {
        **document,
        "buffers": [{"byteLength": len(content)}],
        "bufferViews": arrays.views,
        "accessors": arrays.accessors,
    }
    text = json.dumps(whole, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(content)
    header = struct.pack("<III", MAGIC, VERSION, size)
    chunks = ((JSON_CHUNK, text), (BINARY_CHUNK, content))
    return header + b"".join(struct.pack("<II", len(each), kind) + each for kind, each in chunks)
