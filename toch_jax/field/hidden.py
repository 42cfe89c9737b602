"""What one part of an object hides from another, which changes as they turn about their hinge."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.object.build import GRID_MARGIN
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import samples_in_frame, to_part
from toch_jax.object.sdf import signed_distance

LEAST_STEP = 0.0005
"""Metres: walls as thin as this are seen."""


@jax.jit
def behind_other_parts(object: ObjectModel, motion: ObjectMotion, distance: Float[Array, "T N"]) -> Bool[Array, "T N"]:
    """Whether a part that is not a sample's own lies between it and its `distance` along its normal (metres, signed).

    Lines walk by what the parts' grids say is free (sphere tracing, Hart 1996).
    """
    points, normals = samples_in_frame(object, motion)
    parts, still = jnp.arange(object.n_parts), motion.replace(translation=jnp.zeros_like(motion.translation))
    origins = jax.vmap(lambda part: to_part(motion, part, points))(parts)
    ways = jax.vmap(lambda part: to_part(still, part, jnp.sign(distance)[..., None] * normals))(parts)
    own = parts[:, None, None] == object.point_part
    length = jnp.abs(distance)

    def walks(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> Bool[Array, ""]:
        walked, met = state
        return jnp.any((walked < length) & ~met)

    def walk(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> tuple[Float[Array, "T N"], Bool[Array, "T N"]]:
        walked, met = state
        free = signed_distance(object, parts[:, None, None], origins + walked[..., None] * ways)
        free = jnp.where(own, jnp.inf, free).min(axis=0)
        # a grid knows of nothing beyond its margin but that it is as far as that
        return walked + jnp.clip(free, LEAST_STEP, GRID_MARGIN), met | ((free < 0) & (walked < length))

    return jax.lax.while_loop(walks, walk, (jnp.zeros_like(length), jnp.zeros(length.shape, bool)))[1]
