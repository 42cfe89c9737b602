"""Repair tracked hand-object motion: contact fields, a denoiser, a trajectory fit."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toch_jax.base.errors import InputError as InputError
    from toch_jax.denoiser.checkpoints import load_denoiser as load_denoiser
    from toch_jax.denoiser.window import Denoiser as Denoiser
    from toch_jax.hand.files import load_hand as load_hand
    from toch_jax.hand.model import HandModel as HandModel
    from toch_jax.hand.model import HandParams as HandParams
    from toch_jax.object.model import ObjectModel as ObjectModel
    from toch_jax.object.model import ObjectMotion as ObjectMotion
    from toch_jax.pipeline import refine as refine
    from toch_jax.pipeline import refine_many as refine_many
    from toch_jax.sequence.arrays import arrays_from_sequence as arrays_from_sequence
    from toch_jax.sequence.arrays import sequence_from_arrays as sequence_from_arrays
    from toch_jax.sequence.derived import HandMeshes as HandMeshes
    from toch_jax.sequence.derived import hand_meshes as hand_meshes
    from toch_jax.sequence.derived import sequence_object as sequence_object
    from toch_jax.sequence.file import load_sequence as load_sequence
    from toch_jax.sequence.file import save_sequence as save_sequence
    from toch_jax.sequence.types import Hands as Hands
    from toch_jax.sequence.types import Sequence as Sequence
    from toch_jax.solver.settings import FitSettings as FitSettings
    from toch_jax.stream import refine_stream as refine_stream
    from toch_jax.surface_fields import ContactFields as ContactFields
    from toch_jax.surface_fields import DenoisedField as DenoisedField
    from toch_jax.surface_fields import contact_fields as contact_fields
    from toch_jax.warming import warm_up as warm_up

# Where each name lives. None may be a submodule's name: importing that would put the module in its place.
_HOMES = {
    "ContactFields": "surface_fields",
    "DenoisedField": "surface_fields",
    "Denoiser": "denoiser.window",
    "FitSettings": "solver.settings",
    "HandMeshes": "sequence.derived",
    "HandModel": "hand.model",
    "HandParams": "hand.model",
    "Hands": "sequence.types",
    "InputError": "base.errors",
    "ObjectModel": "object.model",
    "ObjectMotion": "object.model",
    "Sequence": "sequence.types",
    "arrays_from_sequence": "sequence.arrays",
    "contact_fields": "surface_fields",
    "hand_meshes": "sequence.derived",
    "load_denoiser": "denoiser.checkpoints",
    "load_hand": "hand.files",
    "load_sequence": "sequence.file",
    "refine": "pipeline",
    "refine_many": "pipeline",
    "refine_stream": "stream",
    "save_sequence": "sequence.file",
    "sequence_from_arrays": "sequence.arrays",
    "sequence_object": "sequence.derived",
    "warm_up": "warming",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Imports a name at its first use, and keeps it: JAX takes seconds, and `toch --help` should not.

    XLA is hushed here, as the user's own code and every call may find compiled code in a cache that the user set.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'toch_jax' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"toch_jax.{_HOMES[name]}"), name)
    importlib.import_module("toch_jax.base.device").hush()
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
