"""Occlusion of a sample by another part of the object, which changes with the hinge angle."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.object.build import GRID_MARGIN
from toch_jax.object.model import DistanceGrid, ObjectMotion, ObjectSamples
from toch_jax.object.motion import samples_in_frame, to_part
from toch_jax.object.sdf import signed_distance

LEAST_STEP = 0.0005
"""Minimum step of the sphere tracing, metres; walls thinner than this may be missed. Chosen by hand."""


@jax.jit
def behind_other_parts(
    samples: ObjectSamples, grid: DistanceGrid, motion: ObjectMotion, distance: Float[Array, "T N"]
) -> Bool[Array, "T N"]:
    """Whether another part of the object lies between a sample and the point at `distance` along its normal.

    `distance` is signed, in metres. Sphere tracing (Hart 1996) through the signed distance grids of the parts.
    """
    points, normals = samples_in_frame(samples, motion)
    parts, still = jnp.arange(grid.n_parts), motion.replace(translation=jnp.zeros_like(motion.translation))
    origins = jax.vmap(lambda part: to_part(motion, part, points))(parts)
    ways = jax.vmap(lambda part: to_part(still, part, jnp.sign(distance)[..., None] * normals))(parts)
    own = parts[:, None, None] == samples.part
    length = jnp.abs(distance)

    def walks(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> Bool[Array, ""]:
        walked, met = state
        return jnp.any((walked < length) & ~met)

    def walk(state: tuple[Float[Array, "T N"], Bool[Array, "T N"]]) -> tuple[Float[Array, "T N"], Bool[Array, "T N"]]:
        walked, met = state
        free = signed_distance(grid, parts[:, None, None], origins + walked[..., None] * ways)
        free = jnp.where(own, jnp.inf, free).min(axis=0)
        # Outside a part's grid the value is an upper bound; the part itself is at least GRID_MARGIN away.
        return walked + jnp.clip(free, LEAST_STEP, GRID_MARGIN), met | ((free < 0) & (walked < length))

    return jax.lax.while_loop(walks, walk, (jnp.zeros_like(length), jnp.zeros(length.shape, bool)))[1]
