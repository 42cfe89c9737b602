"""The methods of a benchmark, beside filters.py and object_filters.py: ours, oracles, versions of published methods.

Oracles are upper bounds for a denoiser: the same fit with the contact field, or its mask, of the ground truth.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.base.arrays import take
from toch_jax.base.errors import bad_input
from toch_jax.benchmark.methods.contactopt import contactopt
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.method import Learnt, Method, Prediction, Repair, predict
from toch_jax.benchmark.methods.object_filters import OBJECT_ALONE, with_filtered_object
from toch_jax.benchmark.methods.refinenet import load_refinenet, refinenet
from toch_jax.benchmark.methods.toch_fit import toch_refine
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.toch import TochDenoiser
from toch_jax.denoiser.window import Denoiser, DenoiserConfig, Estimate
from toch_jax.field.contact_field import ContactField, FieldEstimate
from toch_jax.hand.model import HandParams
from toch_jax.object.model import ObjectModel
from toch_jax.observe import FieldObservation, observe, read_clip
from toch_jax.pipeline import refine, repair_by
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.part_frame import hand_to_part
from toch_jax.track.tracked_hand import TrackedHand

SURE = 20.0
"""Absolute logit of a mask that is known."""
CLEAN_SIGMA = 0.001
"""Sigma (metres) of a clean field's distances and correspondences; allows for the error of the decimated hand."""
SHIPPED = Path(str(files("toch_jax.denoiser"))) / "weights" / "default.npz"


def fit_clean_field(sequence: Sequence, object: ObjectModel | None = None) -> Sequence:
    """The sequence fitted to the contact field of its ground truth: the limit of the representation.

    The samples are the denoiser's; the correspondences of a frame weigh as one independent observation together.
    """

    def true_field(tracked: TrackedHand, object: ObjectModel) -> FieldObservation:
        field, points, normals = _true_field(sequence, tracked, object, DenoiserConfig())
        sigma = jnp.full_like(field.distance, CLEAN_SIGMA)
        logit = jnp.where(field.mask, SURE, -SURE)
        return FieldObservation(
            Estimate(FieldEstimate(logit, field.distance, field.correspondence, sigma, sigma)), points, normals
        )

    return repair_by(sequence, true_field, DEFAULT.replace(field_effective_samples=1.0), object).model


def fit_true_mask(denoiser: Denoiser, sequence: Sequence, object: ObjectModel | None = None) -> Sequence:
    """The sequence repaired with the denoiser's field, but with the mask of the ground truth."""

    def observe_again(tracked: TrackedHand, object: ObjectModel) -> FieldObservation:
        observed = observe(tracked, object, denoiser)
        mask = _true_field(sequence, tracked, object, denoiser.config)[0].mask
        field = observed.estimate.field.replace(mask_logit=jnp.where(mask, SURE, -SURE))
        return observed._replace(estimate=observed.estimate.replace(field=field))

    return repair_by(sequence, observe_again, object=object).model


def _true_field(
    sequence: Sequence, tracked: TrackedHand, object: ObjectModel, config: DenoiserConfig
) -> tuple[ContactField, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """The contact field of the true hand in the frame of `tracked.part`; points and normals of its samples."""
    sequence = sequence.frames(tracked.first, tracked.first + tracked.n_frames)
    assert sequence.truth is not None
    assert sequence.truth.params is not None
    world: HandParams = take(sequence.truth.params, tracked.hand)
    true_hand = hand_to_part(tracked.model, world, sequence, tracked.part)
    clip, points, normals = read_clip(tracked, object, config, true_hand.replace(betas=world.betas[0]))
    return jax.tree.map(lambda leaf: leaf[0], clip.field), points, normals


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
