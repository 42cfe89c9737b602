"""Upper bounds for a denoiser: the same fit with the contact field, or its mask, of the ground truth."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.base.arrays import take
from toch_jax.denoiser.window import Denoiser, DenoiserConfig, Estimate
from toch_jax.field.contact_field import ContactField, FieldEstimate
from toch_jax.hand.model import HandParams
from toch_jax.object.model import ObjectModel
from toch_jax.observe import FieldObservation, observe, read_clip
from toch_jax.pipeline import repair_by
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.part_frame import hand_to_part
from toch_jax.track.tracked_hand import TrackedHand

SURE = 20.0
"""Absolute logit of a mask that is known."""
CLEAN_SIGMA = 0.001
"""Sigma (metres) of a clean field's distances and correspondences; allows for the error of the decimated hand."""


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
    assert sequence.truth is not None
    assert sequence.truth.params is not None
    world: HandParams = take(sequence.truth.params, tracked.hand)
    true_hand = hand_to_part(tracked.model, world, sequence, tracked.part)
    clip, points, normals = read_clip(tracked, object, config, true_hand.replace(betas=world.betas[0]))
    return jax.tree.map(lambda leaf: leaf[0], clip.field), points, normals
