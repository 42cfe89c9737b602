"""The contact field of a hand and an object (TOCH, Zhou et al. 2022, section 3.1)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.device import exactly
from toch_jax.field.hidden import behind_other_parts
from toch_jax.field.rays import nearest_hits
from toch_jax.field.types import ContactField
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import to_part, to_world

_THICKNESS = 0.03
"""Of a hand, metres."""


@exactly
def contact_field(
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    canonical: Float[Array, "V 3"],
    object: ObjectModel,
    motion: ObjectMotion,
    reach: float | Float[Array, ""] = 0.1,
) -> ContactField:
    """What each sample of the object sees of the hand in each of T frames; all axes (T, N). Metres.

    From each sample a line runs outward along the normal; where the sample lies inside the hand, inward, and its
    distance is negative. The mask is false where the hand is beyond `reach` or behind the object, in whichever part.
    `vertices` (world) and `canonical` belong to the same closed mesh.
    """
    # Not the mesh: objects of any size share what is compiled.
    samples = (object.points, object.normals, object.point_part, object.clearance_out, object.clearance_in)
    field = _field_of_samples(*samples, motion, vertices, faces, canonical, reach)
    if object.n_parts == 1:
        return field
    bare = object.replace(vertices=object.points[:0], faces=object.faces[:0], vertex_part=object.point_part[:0])
    return _where(field, ~behind_other_parts(bare, motion, field.distance))


@jax.jit
def _where(field: ContactField, observed: Bool[Array, "T N"]) -> ContactField:
    return ContactField(
        mask=field.mask & observed,
        distance=jnp.where(observed, field.distance, 0.0),
        correspondence=jnp.where(observed[..., None], field.correspondence, 0.0),
    )


@jax.jit
def _field_of_samples(
    points: Float[Array, "N 3"],
    normals: Float[Array, "N 3"],
    part: Int[Array, "N"],
    clearance_out: Float[Array, "N"],
    clearance_in: Float[Array, "N"],
    motion: ObjectMotion,
    vertices: Float[Array, "T V 3"],
    faces: Int[Array, "F 3"],
    canonical: Float[Array, "V 3"],
    reach: float | Float[Array, ""],
) -> ContactField:
    # In the frame of the first part a rigid object's lines never move, and coordinates are small.
    vertices = to_part(motion, 0, vertices)
    origins, directions = points[None], normals[None]
    if len(motion.rotation) > 1:
        turn = motion.replace(translation=jnp.zeros_like(motion.translation))
        origins = to_part(motion, 0, to_world(motion, part, origins))
        directions = to_part(turn, 0, to_world(turn, part, directions))
    return field_of_lines(origins, directions, clearance_out, clearance_in, vertices, faces, canonical, reach)


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
    """`contact_field` of samples and hand given in one frame of reference; the samples may stand still (one frame).

    Lines are grouped by where they are in the first frame: map over clips, rather than joining them along T.
    """
    # What the object hides need not be looked for, but for the hand's far side, which tells inside from outside.
    clearance = jnp.stack([clearance_out, clearance_in], axis=-1)
    limits = jnp.minimum(jnp.maximum(clearance, _THICKNESS), reach)
    hits = nearest_hits(origins, directions, limits, vertices, faces, canonical)
    # A line leaves a closed mesh only from inside. Asking both ways holds where the hand passes through itself.
    inside = jnp.any(hits.leaving, axis=-1)

    def chosen(both: Array) -> Array:
        along, against = jnp.moveaxis(both, 2, 0)
        return jnp.where(inside.reshape(inside.shape + (1,) * (along.ndim - 2)), against, along)

    distance = chosen(hits.distance)
    # Out of reach the distance is inf, and inf < inf is false.
    mask = distance < jnp.where(inside, clearance_in, clearance_out)
    corners = canonical[faces][chosen(hits.triangle)]
    points = jnp.sum(chosen(hits.barycentric)[..., None] * corners, axis=-2)
    return ContactField(
        mask=mask,
        distance=jnp.where(mask, jnp.where(inside, -distance, distance), 0.0),
        correspondence=jnp.where(mask[..., None], points, 0.0),
    )
