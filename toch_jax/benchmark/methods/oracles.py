"""What bounds a denoiser: the same fit, given of the field what only the truth knows."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toch_jax.base.arrays import take
from toch_jax.denoiser.checkpoints import Denoiser
from toch_jax.denoiser.window import Estimate
from toch_jax.field.types import ContactField, FieldEstimate
from toch_jax.hand.model import HandParams
from toch_jax.object.model import ObjectModel
from toch_jax.observe import FieldObservation, observe, read_clip
from toch_jax.pipeline import repair_by
from toch_jax.sequence.part_frame import hand_to_part
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.tracked_hand import TrackedHand

SURE = 20.0
"""Of a mask, as a logit."""
CLEAN_SIGMA = 0.001
"""Of a clean field's distances and correspondences, metres: what the coarser hand leaves open."""


def fit_clean_field(sequence: Sequence, object: ObjectModel | None = None) -> Sequence:
    """The sequence fitted to the field of its ground truth: what the representation can reach.

    The samples are those that the denoiser would read; each frame's count as one independent observation.
    """

    def true_field(tracked: TrackedHand, object: ObjectModel) -> FieldObservation:
        field, points, normals = _true_field(sequence, tracked, object)
        doubt = jnp.full_like(field.distance, CLEAN_SIGMA)
        logit = jnp.where(field.mask, SURE, -SURE)
        return FieldObservation(
            Estimate(FieldEstimate(logit, field.distance, field.correspondence, doubt, doubt)), points, normals
        )

    return repair_by(sequence, true_field, DEFAULT.replace(field_strength=1.0), object).model


def fit_true_mask(denoiser: Denoiser, sequence: Sequence, object: ObjectModel | None = None) -> Sequence:
    """The sequence as repaired by a denoiser that is told which samples the true hand lies along."""

    def observe_again(tracked: TrackedHand, object: ObjectModel) -> FieldObservation:
        observed = observe(tracked, object, denoiser)
        mask = _true_field(sequence, tracked, object, denoiser.config.smoothed)[0].mask
        field = observed.estimate.field.replace(mask_logit=jnp.where(mask, SURE, -SURE))
        return observed._replace(estimate=observed.estimate.replace(field=field))

    return repair_by(sequence, observe_again, object=object).model


def _true_field(
    sequence: Sequence, tracked: TrackedHand, object: ObjectModel, smoothed: bool = True
) -> tuple[ContactField, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """The field of the true hand; points and normals of its samples."""
    assert sequence.truth is not None
    assert sequence.truth.params is not None
    world: HandParams = take(sequence.truth.params, tracked.hand)
    there = hand_to_part(tracked.model, world, sequence, tracked.part)
    clip, points, normals = read_clip(tracked, object, smoothed, there.replace(betas=world.betas[0]))
    n_frames = sequence.n_frames
    field = jax.tree.map(lambda leaf: leaf[0, :n_frames], clip.field)
    return field, points[:n_frames], normals[:n_frames]
