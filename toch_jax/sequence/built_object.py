"""The object model of a sequence, built once for clips that share a mesh."""

import hashlib

import numpy as np

from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.types import Sequence

N_SAMPLES = 2000
"""Samples of the object's surface; the denoiser reads those nearest to the hand."""
N_KEPT = 4
"""Object models kept in memory; each takes 1.5 s to build, and 8 MB per part in addition to its mesh."""
_kept: dict[bytes, ObjectModel] = {}
"""Object models by SHA-256 of the mesh, the oldest first."""


def sequence_object(sequence: Sequence) -> ObjectModel:
    """The object model of a sequence (samples, distances). The last N_KEPT models are kept in memory."""
    mesh = tuple(map(np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)))
    key = hashlib.sha256(b"".join(str(each.shape).encode() + each.tobytes() for each in mesh)).digest()
    if key not in _kept:
        vertices, faces, part = mesh
        built = build_object(vertices, faces, part, n_samples=N_SAMPLES, where=sequence.source)
        while len(_kept) >= N_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = built
    return _kept[key]
