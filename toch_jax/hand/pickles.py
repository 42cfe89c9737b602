"""Reads the pickles that hand models come in, without running anything that is in them and without chumpy.

Unpickling calls whatever a file names. Here each name that a hand model needs has a harmless stand-in; any other name
ends the reading before anything is called. MANO_RIGHT.pkl was written by Python 2 and names classes of numpy,
scipy.sparse and chumpy.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from toch_jax.errors import bad_input


class _Record:
    """Stands in for an object of another package: what was pickled become its attributes."""


def _record(kind: type, *_: Any) -> _Record:
    if not (isinstance(kind, type) and issubclass(kind, _Record)):
        raise pickle.UnpicklingError("an object of an unknown kind")
    return kind()


def _empty_array(*_: Any) -> np.ndarray:
    # numpy fills it afterwards, and gives it its shape
    return np.empty(0)


def _to_bytes(text: str, *_: Any) -> bytes:
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    """Knows names by their package and last part: modules move from version to version."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # new classes for every file, so that none can change what the next one gets
        records = {name: type(name[1], (_Record,), {}) for name in _RECORDS}
        self.allowed: dict[tuple[str, str], Any] = {**records, **_FUNCTIONS}
        self.refused = ""

    def find_class(self, module: str, name: str) -> Any:
        found = self.allowed.get((module.split(".")[0], name))
        if found is None:
            self.refused = f"{module}.{name}"
            raise pickle.UnpicklingError(self.refused)
        return found


_RECORDS = (
    ("chumpy", "Ch"),
    ("chumpy", "Select"),
    ("scipy", "csc_matrix"),
    ("scipy", "csr_matrix"),
    ("scipy", "csc_array"),
    ("scipy", "csr_array"),
    ("numpy", "ndarray"),
    ("__builtin__", "object"),
    ("builtins", "object"),
)
_FUNCTIONS: dict[tuple[str, str], Any] = {
    ("numpy", "_reconstruct"): _empty_array,
    ("numpy", "dtype"): np.dtype,
    ("copy_reg", "_reconstructor"): _record,
    ("copyreg", "_reconstructor"): _record,
    ("_codecs", "encode"): _to_bytes,
}


def _array(value: Any) -> Any:
    """The array that a record stands for; other values as they are."""
    if not isinstance(value, _Record):
        return value
    state = vars(value)
    match type(value).__name__:
        case "Ch":
            return np.asarray(state["x"])
        case "Select":  # a view of some of another array's entries, by flat index
            return _array(state["a"]).ravel()[np.asarray(state["idxs"])].reshape(state["preferred_shape"])
        case kind:
            build = getattr(scipy.sparse, kind)
            return build((state["data"], state["indices"], state["indptr"]), shape=state["_shape"]).toarray()


def read_pickle(path: Path) -> dict[str, Any]:
    """What a hand model's pickle holds, as dense arrays.

    Raises InputError for a file that is cut short, is no pickle, or names anything that arrays do not need.
    """
    with path.open("rb") as file:
        unpickler = _Unpickler(file, encoding="latin1")
        try:
            content = unpickler.load()
            return {str(key): _array(value) for key, value in content.items()}
        except Exception as error:  # a damaged pickle can fail in any way
            found = f"a call to {unpickler.refused}, which was not run" if unpickler.refused else f"{error!r:.100}"
            raise bad_input(path, "pickle", "the arrays of a hand model", found) from error
