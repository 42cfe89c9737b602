"""From a denoised field to points of the skin and where they should be."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.field.types import FieldEstimate
from toch_jax.fit.problem import SurfaceTerm
from toch_jax.hand.mesh import closest_on_canonical
from toch_jax.hand.model import HandModel


def field_term(
    model: HandModel,
    estimate: FieldEstimate,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    trusted: Bool[Array, "T"],
    count: int,
    strength: float,
) -> SurfaceTerm:
    """The `count` surest samples of each frame: the skin at the correspondence should be at point + distance normal.

    `points` and `normals` are the object's samples in the fit's frame. The errors of one frame's samples go together
    (they share the network's view of that frame), so all of a frame's samples count for `strength` independent ones.
    """
    sure = jax.nn.sigmoid(estimate.mask_logit) * trusted[:, None]
    spread = estimate.distance_sigma**2 + 2 * estimate.correspondence_sigma**2
    _, chosen = jax.lax.top_k(sure / spread, count)

    def pick(values: Float[Array, "T N ..."]) -> Float[Array, "T M ..."]:
        return jnp.take_along_axis(values, chosen.reshape(chosen.shape + (1,) * (values.ndim - 2)), axis=1)

    sure, normal = pick(sure), pick(normals)
    face, barycentric = closest_on_canonical(model, pick(estimate.correspondence))
    share = sure * jnp.minimum(1.0, strength / jnp.maximum(sure.sum(axis=1, keepdims=True), 1e-6))
    return SurfaceTerm(
        face=face,
        barycentric=barycentric,
        target=pick(points) + pick(estimate.distance)[..., None] * normal,
        normal=normal,
        weight_along=share / pick(estimate.distance_sigma) ** 2,
        weight_across=share / pick(estimate.correspondence_sigma) ** 2,
    )
