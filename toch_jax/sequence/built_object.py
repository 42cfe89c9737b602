"""The object of a sequence, built once for clips that share its mesh."""

import hashlib

import numpy as np

from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.types import Sequence

N_SAMPLES = 2000
"""Of the object's surface; the denoiser reads those nearest the hand."""
N_KEPT = 4
"""Objects kept for the next clip: one takes 1.5 s to build, and 8 MB for each part beside its mesh."""
_kept: dict[bytes, ObjectModel] = {}
"""By the bytes of the mesh, the oldest first."""


def sequence_object(sequence: Sequence) -> ObjectModel:
    """The object of a sequence: samples, distances. Those of the last meshes are kept (N_KEPT)."""
    mesh = tuple(map(np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)))
    key = hashlib.sha256(b"".join(str(each.shape).encode() + each.tobytes() for each in mesh)).digest()
    if key not in _kept:
        vertices, faces, part = mesh
        built = build_object(vertices, faces, part, n_samples=N_SAMPLES, where=sequence.source)
        while len(_kept) >= N_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = built
    return _kept[key]
