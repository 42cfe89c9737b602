"""The contact field of a hand and an object (TOCH, Zhou et al. 2022, section 3.1), and its occlusion by other parts."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.device import full_precision
from toch_jax.base.programs import program
from toch_jax.field.rays import nearest_hits
from toch_jax.object.build import GRID_MARGIN
from toch_jax.object.distance import signed_distance
from toch_jax.object.model import (
    DistanceGrid,
    ObjectModel,
    ObjectMotion,
    ObjectSamples,
    samples_in_frame,
    to_part,
    to_world,
)

LEAST_STEP = 0.0005
"""Minimum step of the sphere tracing, metres; walls thinner than this may be missed. Chosen by hand."""
_THICKNESS = 0.03
"""Thickness of a hand (m), more than an adult's: each line is searched as far, within `reach`, to find the hand's far
side. Chosen by hand."""


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


@program()
def behind_other_parts(
    samples: ObjectSamples, grid: DistanceGrid, motion: ObjectMotion, distance: Float[Array, "T N"]
) -> Bool[Array, "T N"]:
    """Whether another part of the object lies between a sample and the point at `distance` along its normal.

    `distance` is signed, in metres. Sphere tracing (Hart 1996) through the signed distance grids of the parts.
    """
    points, normals = samples_in_frame(samples, motion)
    parts, still = jnp.arange(grid.n_parts), motion.replace(translation=jnp.zeros_like(motion.translation))
    origins = jax.vmap(lambda part: to_part(motion, part, points))(parts)
    directions = jax.vmap(lambda part: to_part(still, part, jnp.sign(distance)[..., None] * normals))(parts)
    own = parts[:, None, None] == samples.part
    length = jnp.abs(distance)

    def walks(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> Bool[Array, ""]:
        walked, met = state
        return jnp.any((walked < length) & ~met)

    def walk(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> tuple[Float[Array, "T N"], Bool[Array, "T N"]]:
        walked, met = state
        free = signed_distance(grid, parts[:, None, None], origins + walked[..., None] * directions)
        free = jnp.where(own, jnp.inf, free).min(axis=0)
        # Outside a part's grid the value may be too large. The part is then at least GRID_MARGIN away: a safe step.
        return walked + jnp.clip(free, LEAST_STEP, GRID_MARGIN), met | ((free < 0) & (walked < length))

    return jax.lax.while_loop(walks, walk, (jnp.zeros_like(length), jnp.zeros(length.shape, bool)))[1]


@full_precision
def contact_field(
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    canonical: Float[Array, "V 3"],
    object: ObjectModel,
    motion: ObjectMotion,
    reach: float | Float[Array, ""] = 0.1,
) -> ContactField:
    """The contact field of one hand on the object's N samples in each of T frames; axes (T, N). Metres.

    A line runs from each sample outward along its normal, or inward if the sample is inside the hand: then the
    distance is negative. The mask is false where the hand is farther than `reach` or any part of the object lies
    between. `vertices` (world frame) and `canonical` (the model's template) belong to the same closed mesh.
    """
    field = _field_of_samples(object.samples, motion, vertices, faces, canonical, reach)
    if object.n_parts == 1:
        return field
    return masked(field, ~behind_other_parts(object.samples, object.grid, motion, field.distance))


@program()
def masked(field: ContactField, kept: Bool[Array, "*#batch #N"]) -> ContactField:
    """The field with contact at the samples in `kept` only."""
    mask = field.mask & kept
    return ContactField(
        mask=mask,
        distance=jnp.where(mask, field.distance, 0.0),
        correspondence=jnp.where(mask[..., None], field.correspondence, 0.0),
    )


@program()
def _field_of_samples(
    samples: ObjectSamples,
    motion: ObjectMotion,
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    canonical: Float[Array, "V 3"],
    reach: float | Float[Array, ""],
) -> ContactField:
    # In the frame of part 0 the lines of a rigid object are constant, and coordinates are small.
    vertices = to_part(motion, 0, vertices)
    origins, directions = samples.points[None], samples.normals[None]
    if len(motion.rotation) > 1:
        rotation_only = motion.replace(translation=jnp.zeros_like(motion.translation))
        origins = to_part(motion, 0, to_world(motion, samples.part, origins))
        directions = to_part(rotation_only, 0, to_world(rotation_only, samples.part, directions))
    clearance = samples.clearance_out, samples.clearance_in
    return field_of_lines(origins, directions, *clearance, vertices, faces, canonical, reach)


def field_of_lines(
    origins: Float[Array, "#T N 3"],
    directions: Float[Array, "#T N 3"],
    clearance_out: Float[Array, "N"],
    clearance_in: Float[Array, "N"],
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    canonical: Float[Array, "V 3"],
    reach: float | Float[Array, ""] = 0.1,
) -> ContactField:
    """`contact_field` from lines and vertices in one frame of reference, without occlusion by other parts.

    Samples that do not move in that frame may have one frame (#T = 1).
    """
    # A hit farther than the clearance is behind the object and does not count. The search goes on as far as a hand is
    # thick, because the hand's far side decides whether the sample is inside.
    clearance = jnp.stack([clearance_out, clearance_in], axis=-1)
    limits = jnp.minimum(jnp.maximum(clearance, _THICKNESS), reach)
    hits = nearest_hits(origins, directions, limits, vertices, faces, canonical)
    # A line that leaves the closed mesh started inside. Both directions are tested: where the hand intersects itself,
    # one is not enough.
    inside = jnp.any(hits.leaving, axis=-1)

    def chosen(both: Array) -> Array:
        along, against = jnp.moveaxis(both, 2, 0)
        return jnp.where(inside.reshape(inside.shape + (1,) * (along.ndim - 2)), against, along)

    distance = chosen(hits.distance)
    # Out of reach the distance is inf: also with a clearance of inf, inf < inf is false.
    mask = distance < jnp.where(inside, clearance_in, clearance_out)
    corners = canonical[faces][chosen(hits.triangle)]
    points = jnp.sum(chosen(hits.barycentric)[..., None] * corners, axis=-2)
    return ContactField(
        mask=mask,
        distance=jnp.where(mask, jnp.where(inside, -distance, distance), 0.0),
        correspondence=jnp.where(mask[..., None], points, 0.0),
    )
