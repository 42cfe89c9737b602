"""The contact field between hands and object as plain arrays, before and after the denoiser."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

from toch_jax.base.arrays import short_repr, take
from toch_jax.base.device import full_precision, keep_compiled
from toch_jax.base.progress import Progress, compilation_told, reporter
from toch_jax.denoiser.checkpoints import as_denoiser
from toch_jax.denoiser.window import Denoiser, DenoiserConfig
from toch_jax.fit.hand_forms import given_as
from toch_jax.object.model import ObjectModel
from toch_jax.observe import observe, read_clip
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.track.tracked_hand import TrackedHand, in_part_frame, tracked_hands


@dataclass(frozen=True, repr=False)
class DenoisedField:
    """The denoiser's estimate of the contact field of one hand. T frames, N samples of the object's surface."""

    probability: Float[np.ndarray, "T N"]
    """Probability of the mask: that the line along the sample's normal meets the true hand."""
    distance: Float[np.ndarray, "T N"]
    """How far along the normal, metres, negative where the sample is inside the hand; valid if the mask is true."""
    correspondence: Float[np.ndarray, "T N 3"]
    """The point of the hand's template that is met, metres; valid if the mask is true."""
    distance_sigma: Float[np.ndarray, "T N"]
    """One standard deviation of the distance, metres."""
    correspondence_sigma: Float[np.ndarray, "T N"]
    """One standard deviation of each coordinate of the correspondence, metres."""

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, repr=False)
class ContactFields:
    """The contact field of one hand (TOCH, Zhou et al. 2022, section 3.1). T frames, N samples of the object's surface.

    From each sample a line runs outward along the normal, or inward if the sample is inside the hand.
    """

    hand_side: str
    """"right" or "left"."""
    points: Float[np.ndarray, "T N 3"]
    """The samples in the world, metres: those near the hand's path."""
    normals: Float[np.ndarray, "T N 3"]
    """Their unit normals in the world, outward."""
    part: int
    """The part of the object that the hand handles."""
    own: Bool[np.ndarray, "N"]
    """Whether a sample is on that part; true for all samples of a rigid object."""
    mask: Bool[np.ndarray, "T N"]
    """Whether the line meets the tracked hand within 0.1 m and before the object itself; false in lost frames."""
    distance: Float[np.ndarray, "T N"]
    """How far along the normal, metres; negative where the sample is inside the hand; 0 where the mask is false."""
    correspondence: Float[np.ndarray, "T N 3"]
    """The point of the hand's template (`load_hand(...).v_template`, metres) that is met; 0 where the mask is false."""
    denoised: DenoisedField | None
    """The denoiser's estimate of the field; None without a denoiser."""

    def __repr__(self) -> str:
        return short_repr(self, "hand_side", "part", "mask", "distance", "correspondence", "denoised")


@full_precision
def contact_fields(
    sequence: Sequence, denoiser: Denoiser | str | Path | None = "default", *, progress: bool | Progress = False
) -> tuple[ContactFields, ...]:
    """The contact field of each hand of a sequence, as tracked and, unless `denoiser` is None, denoised.

    Sample points and normals are in the world; distances do not depend on the frame of reference; correspondences are
    on the hand's template. `denoiser` and `progress` as in `refine`. The samples of a hand are those that the denoiser
    reads (`config.samples`; 512 without one).
    """
    keep_compiled()
    network, tell = as_denoiser(denoiser), reporter(progress)
    with compilation_told(tell):
        tell("object")
        object = sequence_object(sequence).without_mesh()
        tell(f"hand from {given_as(sequence.hands)}")
        return tuple(_field(sequence, hand, object, network, tell) for hand in tracked_hands(sequence))


def _field(
    sequence: Sequence, tracked: TrackedHand, object: ObjectModel, denoiser: Denoiser | None, tell: Progress
) -> ContactFields:
    n_frames = sequence.n_frames
    denoised = None if denoiser is None else _denoised(tracked, object, denoiser, tell)
    tell("contact field as tracked")
    # The field of the hand as tracked, also if the denoiser reads a smoothed one, on the samples that it reads.
    config = DenoiserConfig() if denoiser is None else denoiser.config
    local = in_part_frame(tracked.model, tracked.track, tracked.part)
    window, *samples = read_clip(tracked, object, config, field_hand=local.params)
    points, normals = (np.asarray(each)[:n_frames] for each in samples)
    mask, distance, correspondence = (
        np.asarray(each)[0, :n_frames]
        for each in (window.field.mask, window.field.distance, window.field.correspondence)
    )
    mask = mask & tracked.observed[:, None]
    motion = sequence.object_motion
    turned = np.swapaxes(np.asarray(motion.rotation)[tracked.part], 1, 2)
    translation = np.asarray(motion.translation)[tracked.part]
    return ContactFields(
        hand_side=tracked.model.side,
        points=points @ turned + translation[:, None],
        normals=normals @ turned,
        part=tracked.part,
        own=np.asarray(window.own)[0],
        mask=mask,
        distance=np.where(mask, distance, 0).astype(np.float32),
        correspondence=np.where(mask[..., None], correspondence, 0).astype(np.float32),
        denoised=denoised,
    )


def _denoised(tracked: TrackedHand, object: ObjectModel, denoiser: Denoiser, tell: Progress) -> DenoisedField:
    field = take(observe(tracked, object, denoiser, tell).estimate.field, np.s_[: tracked.n_frames])
    return DenoisedField(
        probability=expit(np.asarray(field.mask_logit)),
        distance=np.asarray(field.distance),
        correspondence=np.asarray(field.correspondence),
        distance_sigma=np.asarray(field.distance_sigma),
        correspondence_sigma=np.asarray(field.correspondence_sigma),
    )
