"""The methods of a benchmark, by name."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.benchmark.methods.contactopt import contactopt
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.oracles import fit_clean_field, fit_true_mask
from toch_jax.benchmark.methods.refinenet import refinenet
from toch_jax.benchmark.methods.toch_fit import toch_refine
from toch_jax.benchmark.methods.train_refinenet import load_refinenet
from toch_jax.benchmark.run import Method, Oracle, Repair
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.toch import TochDenoiser
from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import refine
from toch_jax.sequence.types import Sequence

METHODS = ("input", *FILTERS, "fit", "toch", "refinenet", "contactopt", "ours")
ORACLES = ("oracle:field", "oracle:mask")
"""The fit to the true contact field, and ours with the true mask: upper bounds for `ours`."""
SHIPPED = {"ours": Path(str(files("toch_jax.denoiser"))) / "weights" / "default.npz"}
"""Files of the weights that come with the package."""


def find_methods(names: Iterable[str], checkpoints: Mapping[str, str]) -> dict[str, Method]:
    """The methods `names`, in that order, with their networks loaded.

    `ours:NAME` is ours with other weights. Raises InputError for an unknown name and for weights that are missing or
    belong to another method.
    """
    found: dict[str, Method] = {}
    for name in names:
        kind = name.partition(":")[0]
        if name in FILTERS:
            found[name] = FILTERS[name]
        elif name in _PLAIN:
            found[name] = _PLAIN[name]
        elif name in _LEARNT or kind == "ours":
            found[name] = _LEARNT[kind](checkpoint_of(name, checkpoints))
        elif name == "oracle:mask":
            denoiser = load_denoiser(checkpoint_of("ours", checkpoints))
            found[name] = Oracle(partial(fit_true_mask, denoiser))
        else:
            raise bad_input("benchmark", "method", "one of " + ", ".join((*METHODS, *ORACLES)), repr(name))
    return found


def learnt(names: Iterable[str]) -> list[str]:
    """The methods among `names` that have weights."""
    return [name for name in names if name.partition(":")[0] in _LEARNT]


def checkpoint_of(name: str, checkpoints: Mapping[str, str]) -> Path:
    """The file of a learnt method's weights; "default", or no entry, is the shipped one.

    Raises InputError if there is no such file.
    """
    given = checkpoints.get(name, "default")
    path = SHIPPED.get(name) if given == "default" else Path(given)
    if path is None or not path.is_file():
        raise bad_input("benchmark", f"weights of {name}", "a file written by training", given if path else "none")
    return path


def _tracked(sequence: Sequence, object: ObjectModel) -> Sequence:
    return sequence


def _fit(sequence: Sequence, object: ObjectModel) -> Sequence:
    return refine(sequence, None, object=object)


def _contactopt(sequence: Sequence, object: ObjectModel) -> Sequence:
    return contactopt(sequence, object)


def _ours(checkpoint: Path) -> Repair:
    denoiser = load_denoiser(checkpoint)
    return lambda sequence, object: refine(sequence, denoiser, object=object)


def _toch(checkpoint: Path) -> Repair:
    denoiser = load_denoiser(checkpoint)
    if not isinstance(denoiser, TochDenoiser):
        raise bad_input(checkpoint, "architecture", "toch", type(denoiser).__name__)
    return lambda sequence, object: toch_refine(sequence, denoiser, object)


def _refinenet(checkpoint: Path) -> Repair:
    network = load_refinenet(checkpoint)
    return lambda sequence, object: refinenet(sequence, network, object)


_PLAIN: dict[str, Method] = {
    "input": _tracked,
    "fit": _fit,
    "contactopt": _contactopt,
    "oracle:field": Oracle(fit_clean_field),
}
_LEARNT: dict[str, Callable[[Path], Repair]] = {"toch": _toch, "refinenet": _refinenet, "ours": _ours}
