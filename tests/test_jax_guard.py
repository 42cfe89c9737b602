"""jaxlib 0.10.2 computes these lines wrongly on the CPU (jax-ml/jax #39103): 69 % of the values, errors up to 36."""

import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def _crosses(
    origin: jax.Array, direction: jax.Array, corner: jax.Array, edge1: jax.Array, edge2: jax.Array
) -> jax.Array:
    """The cross products of Möller and Trumbore's ray-triangle test, which the compiler fuses."""
    det = (jnp.cross(direction[:, None], edge2[None]) * edge1).sum(-1)
    return (edge2 * jnp.cross(origin[:, None] - corner, edge1[None])).sum(-1) + det


def test_fused_cross_products_equal_float64() -> None:
    rng = np.random.default_rng(0)
    rays = [rng.normal(size=(64, 3)) for _ in range(2)]
    triangles = [rng.normal(size=(1622, 3)) for _ in range(3)]
    origin, direction, corner, edge1, edge2 = *rays, *triangles
    det = (np.cross(direction[:, None], edge2[None]) * edge1).sum(-1)
    expected = (edge2 * np.cross(origin[:, None] - corner, edge1[None])).sum(-1) + det
    found = _crosses(*(jnp.asarray(a, jnp.float32) for a in (origin, direction, corner, edge1, edge2)))
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-4)
