from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Hands, Sequence

HAND = trimesh.creation.capsule(height=0.06, radius=0.02, count=[12, 12])


@pytest.fixture
def sequence() -> Sequence:
    """A box that moves along x for 8 frames."""
    box = trimesh.creation.box(extents=(0.1, 0.06, 0.08))
    along = np.zeros((1, 8, 3), dtype=np.float32)
    along[..., 0] = np.linspace(0, 0.2, 8)
    return Sequence(
        fps=30.0,
        hand_side=("right",),
        hand_model=None,
        hands=Hands(params=None, joints=jnp.zeros((1, 8, 21, 3)), vertices=None, vertex_order=None),
        hand_valid=jnp.ones((1, 8), dtype=bool),
        object_vertices=jnp.asarray(box.vertices),
        object_faces=jnp.asarray(box.faces),
        object_vertex_part=jnp.zeros(8, dtype=jnp.int32),
        object_motion=motion_from_axis_angle(np.zeros_like(along), along),
        truth=None,
        hand_joint_sigma=None,
    )


@pytest.fixture
def hand_at(sequence: Sequence) -> Callable[[float], PosedHand]:
    """A function that gives a capsule as hand at a distance (metres) beside the box's centre."""

    def at(beside: float) -> PosedHand:
        where = np.asarray(sequence.object_motion.translation[0])[:, None] + np.array([0, beside, 0])
        vertices = (np.asarray(HAND.vertices) + where).astype(np.float32)
        return PosedHand(vertices[:, :21], vertices, np.asarray(HAND.faces), np.ones(8, dtype=bool))

    return at
