"""The contact field: where each surface sample's normal meets the hand (TOCH, Zhou et al. 2022, section 3)."""

from flax import struct
from jaxtyping import Array, Bool, Float


class ContactField(struct.PyTreeNode):
    """Contact with the hand at each of the object's N samples; leading axes are free (hands, batch, frames)."""

    mask: Bool[Array, "*batch N"]
    """Whether the line along the sample's normal hits the hand within reach and before it hits the object."""
    distance: Float[Array, "*batch N"]
    """Distance along the normal, metres; negative where the sample is inside the hand. 0 where mask is false."""
    correspondence: Float[Array, "*batch N 3"]
    """The hit point on the canonical hand (the model's template, metres). 0 where mask is false."""


class FieldEstimate(struct.PyTreeNode):
    """A denoiser's estimate of the clean field; axes as in ContactField."""

    mask_logit: Float[Array, "*batch N"]
    """Log odds of the mask."""
    distance: Float[Array, "*batch N"]
    correspondence: Float[Array, "*batch N 3"]
    distance_sigma: Float[Array, "*batch N"]
    """One standard deviation of the distance, metres."""
    correspondence_sigma: Float[Array, "*batch N"]
    """One standard deviation of each coordinate of the correspondence, metres."""
