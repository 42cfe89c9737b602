"""Hands, and a ball to hold."""

import jax.numpy as jnp
import numpy as np
import pytest
from grasps import BALL_RADIUS

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel
from toch_jax.object.model import ObjectModel
from toch_jax.pipeline import N_SAMPLES


@pytest.fixture(scope="session")
def hand() -> HandModel:
    return load_hand("open")


@pytest.fixture(scope="session")
def ball() -> ObjectModel:
    """A ball about the origin, its distances exact at the grid's nodes; as large as the road's: one compilation."""
    side = np.linspace(-0.1, 0.1, 127)
    nodes = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1)
    return ObjectModel(
        vertices=jnp.zeros((0, 3)),
        faces=jnp.zeros((0, 3), jnp.int32),
        vertex_part=jnp.zeros(0, jnp.int32),
        points=jnp.zeros((N_SAMPLES, 3)),
        normals=jnp.zeros((N_SAMPLES, 3)),
        point_part=jnp.zeros(N_SAMPLES, jnp.int32),
        clearance_out=jnp.zeros(N_SAMPLES),
        clearance_in=jnp.zeros(N_SAMPLES),
        sdf=jnp.asarray(np.linalg.norm(nodes, axis=-1) - BALL_RADIUS, jnp.float32)[None],
        sdf_origin=jnp.full((1, 3), -0.1, jnp.float32),
        sdf_spacing=jnp.full((1, 3), side[1] - side[0]),
    )


@pytest.fixture(scope="session")
def random_hand() -> HandModel:
    """A hand by its interface only: 30 vertices, MANO's tree, everything else drawn."""
    rng = np.random.default_rng(0)
    return HandModel(
        v_template=jnp.asarray(0.1 * rng.normal(size=(30, 3)), jnp.float32),
        shapedirs=jnp.asarray(0.01 * rng.normal(size=(30, 3, 4)), jnp.float32),
        posedirs=jnp.asarray(0.001 * rng.normal(size=(30, 3, 135)), jnp.float32),
        joint_regressor=jnp.asarray(rng.dirichlet(np.ones(30), 16), jnp.float32),
        weights=jnp.asarray(rng.dirichlet(0.3 * np.ones(16), 30), jnp.float32),
        faces=jnp.asarray(rng.integers(0, 30, (40, 3)), jnp.int32),
        tips=jnp.arange(5),
        wrist_ring=jnp.zeros(0, jnp.int32),
        pose_mean=jnp.zeros(45),
        pose_components=jnp.eye(45),
        parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14),
        side="right",
        name="random",
    )
