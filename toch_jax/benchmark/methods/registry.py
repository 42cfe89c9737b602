"""The methods of a benchmark, beside filters.py and object_filters.py: ours, oracles, versions of published methods."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from toch_jax.base.errors import bad_input
from toch_jax.benchmark.methods.contactopt import contactopt
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.method import Learnt, Method, Prediction, Repair, predict
from toch_jax.benchmark.methods.object_filters import OBJECT_ALONE, with_filtered_object
from toch_jax.benchmark.methods.oracles import fit_clean_field, fit_true_mask
from toch_jax.benchmark.methods.refinenet import load_refinenet, refinenet
from toch_jax.benchmark.methods.toch_fit import toch_refine
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.toch import TochDenoiser
from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import refine
from toch_jax.sequence.types import Sequence

SHIPPED = Path(str(files("toch_jax.denoiser"))) / "weights" / "default.npz"


@dataclass(frozen=True, kw_only=True)
class Input(Method):
    """The tracked clip as it is."""

    name: str = "input"

    def load(self) -> Repair:
        return lambda clip, object: predict(clip)


@dataclass(frozen=True, kw_only=True)
class Fit(Method):
    """The fit without a network."""

    name: str = "fit"
    label: str | None = "ours, no network"

    def load(self) -> Repair:
        return lambda clip, object: predict(refine(clip, None, object=object))


@dataclass(frozen=True, kw_only=True)
class Ours(Learnt):
    """The fit with a denoiser."""

    name: str = "ours"
    shipped: ClassVar[Path | None] = SHIPPED

    def load(self) -> Repair:
        denoiser = load_denoiser(self.weights)
        return lambda clip, object: predict(refine(clip, denoiser, object=object))


@dataclass(frozen=True, kw_only=True)
class FilterThenOurs(Ours):
    """Ours after a Kalman smoother (RTS) of the object's poses, which are kept."""

    name: str = "rts+ours"
    label: str | None = "object by RTS, then ours"

    def load(self) -> Repair:
        denoiser = load_denoiser(self.weights)

        def repair(clip: Sequence, object: ObjectModel) -> Prediction:
            smoothed = with_filtered_object(clip, OBJECT_ALONE, OBJECT_ALONE)
            return predict(refine(smoothed, denoiser, object=object, keep_object=True))

        return repair


@dataclass(frozen=True, kw_only=True)
class Toch(Learnt):
    """TOCH's inference (toch_fit.py), with a network that `toch train experiments/toch_open_grasps.py` has trained."""

    name: str = "toch"

    def load(self) -> Repair:
        denoiser = load_denoiser(self.weights)
        if not isinstance(denoiser, TochDenoiser):
            raise bad_input(self.weights, "architecture", "toch", type(denoiser).__name__)
        return lambda clip, object: predict(toch_refine(clip, denoiser, object))


@dataclass(frozen=True, kw_only=True)
class RefineNet(Learnt):
    """GrabNet's RefineNet (refinenet.py), as experiments/refinenet_open_grasps.py has trained it."""

    name: str = "refinenet"

    def load(self) -> Repair:
        network = load_refinenet(self.weights)
        return lambda clip, object: predict(refinenet(clip, network, object))


@dataclass(frozen=True, kw_only=True)
class ContactOpt(Method):
    """A static contact optimiser (contactopt.py)."""

    name: str = "contactopt"

    def load(self) -> Repair:
        return lambda clip, object: predict(contactopt(clip, object))


@dataclass(frozen=True, kw_only=True)
class OracleField(Method):
    """The fit to the true contact field: an upper bound for `Ours`."""

    name: str = "oracle:field"
    reads_truth: ClassVar[bool] = True

    def load(self) -> Repair:
        return lambda clip, object: predict(fit_clean_field(clip, object))


@dataclass(frozen=True, kw_only=True)
class OracleMask(Learnt):
    """Ours with the true mask: an upper bound for `Ours`."""

    name: str = "oracle:mask"
    shipped: ClassVar[Path | None] = SHIPPED
    reads_truth: ClassVar[bool] = True

    def load(self) -> Repair:
        denoiser = load_denoiser(self.weights)
        return lambda clip, object: predict(fit_true_mask(denoiser, clip, object))


UNTRAINED = (Input(), *FILTERS, Fit(), Ours())
"""The methods for which nothing has to be trained first, without the slow ContactOpt."""
