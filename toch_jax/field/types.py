"""The contact field: what each sample of an object's surface knows of the hand (TOCH, Zhou et al. 2022, section 3)."""

from flax import struct
from jaxtyping import Array, Bool, Float


class ContactField(struct.PyTreeNode):
    """For each frame and each of the object's N samples; leading axes are free (hands, batch, frames)."""

    mask: Bool[Array, "*batch N"]
    """Whether the hand lies along the sample's normal, within reach, and not behind the object itself."""
    distance: Float[Array, "*batch N"]
    """How far along the normal, metres; negative where the sample is inside the hand. 0 where mask is false."""
    correspondence: Float[Array, "*batch N 3"]
    """The point of the canonical hand (the model's template, metres) that is hit. 0 where mask is false."""


class FieldEstimate(struct.PyTreeNode):
    """A denoiser's belief about the clean field, axes as in ContactField."""

    mask_logit: Float[Array, "*batch N"]
    distance: Float[Array, "*batch N"]
    correspondence: Float[Array, "*batch N 3"]
    distance_sigma: Float[Array, "*batch N"]
    """One standard deviation of the distance, metres."""
    correspondence_sigma: Float[Array, "*batch N"]
    """One standard deviation of each coordinate of the correspondence, metres."""
