"""Repair tracked hand-object motion: contact fields, a denoiser, a trajectory fit."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toch_jax.denoiser.checkpoints import load_denoiser
    from toch_jax.errors import InputError
    from toch_jax.field.contact_field import contact_field
    from toch_jax.hand.files import load_hand
    from toch_jax.pipeline import refine
    from toch_jax.sequence.arrays import sequence_from_arrays
    from toch_jax.sequence.file import load_sequence, save_sequence

_HOMES = {
    "InputError": "toch_jax.errors",
    "contact_field": "toch_jax.field.contact_field",
    "load_denoiser": "toch_jax.denoiser.checkpoints",
    "load_hand": "toch_jax.hand.files",
    "load_sequence": "toch_jax.sequence.file",
    "refine": "toch_jax.pipeline",
    "save_sequence": "toch_jax.sequence.file",
    "sequence_from_arrays": "toch_jax.sequence.arrays",
}

__all__ = [
    "InputError",
    "contact_field",
    "load_denoiser",
    "load_hand",
    "load_sequence",
    "refine",
    "save_sequence",
    "sequence_from_arrays",
]


def __getattr__(name: str) -> Any:
    """Imports on first use: JAX takes seconds, and `toch --help` should not."""
    if name not in _HOMES:
        raise AttributeError(f"module 'toch_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
