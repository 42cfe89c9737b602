import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree

from toch_jax.benchmark.methods.capsule import Nearest, capsule_contact, contacts, depth, nearest


def draw(*shape: int, scale: float = 0.1, seed: int = 0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_contact_is_that_of_a_capsule_sampled_along_its_axis():
    normals = unit(draw(200, 3))
    points, queries = draw(200, 3, seed=1), draw(200, 3, scale=0.001, seed=2)
    queries = queries + points
    axis = points + np.linspace(-0.001, 0.0005, 3001)[:, None, None] * normals
    distance = np.linalg.norm(axis - queries, axis=-1).min(axis=0)
    wanted = np.clip(0.001 / np.maximum(distance, 1e-9), 0, 1)
    assert 0.05 < (wanted == 1).mean() < 0.95
    found = np.asarray(capsule_contact(jnp.asarray(queries), jnp.asarray(points), jnp.asarray(normals)))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_nearest_is_a_tree_search():
    vertices, points = draw(2, 300, 3) + 5.0, draw(2, 500, 3, seed=1) + 5.0
    near = nearest(jnp.asarray(vertices), jnp.asarray(points))
    for frame in range(2):
        for found, many, few in (
            (near.sample[frame], points[frame], vertices[frame]),
            (near.vertex[frame], vertices[frame], points[frame]),
        ):
            least = cKDTree(many).query(few)[0]
            mine = np.linalg.norm(many[np.asarray(found)] - few, axis=-1)
            # the index is stored in the last bits of the squared distance, which limits its precision
            np.testing.assert_allclose(mine, least, rtol=2e-4, atol=1e-5)


def test_contact_and_depth_on_a_plane():
    # hand points above and below a floor; each has one object sample
    points = jnp.asarray([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    normals = jnp.broadcast_to(jnp.asarray([0.0, 0, 1]), points.shape)
    vertices = points + jnp.asarray([[[0, 0, 0.0005], [0, 0, 0.0105], [0, 0, -0.007]]])
    near = Nearest(sample=jnp.arange(3)[None], vertex=jnp.arange(3)[None])
    hand, surface = contacts(vertices, points, normals, near)
    np.testing.assert_allclose(hand[0], [1.0, 0.1, 1 / 6], rtol=1e-3)
    np.testing.assert_allclose(surface, hand, rtol=1e-6)
    np.testing.assert_allclose(depth(vertices, points, normals, near)[0], [0, 0, 0.005], atol=1e-6)
