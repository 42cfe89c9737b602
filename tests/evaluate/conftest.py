import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.hand.model import HandParams
from toch_jax.object.motion import motion_from_axis_angle
from toch_jax.sequence.types import Hands, Sequence

FRAMES = 12


@pytest.fixture(scope="session")
def clean() -> Sequence:
    """The open hand, bent about a bar that it carries along x; its skin reaches into the bar."""
    bar = trimesh.creation.box(extents=(0.05, 0.05, 0.16))
    along = np.zeros((1, FRAMES, 3), dtype=np.float32)
    along[..., 0] = np.linspace(0, 0.1, FRAMES)
    pose = np.zeros((15, 3), dtype=np.float32)
    pose[:12, 2] = 0.6
    params = HandParams(
        global_orient=jnp.zeros((1, FRAMES, 3)),
        pose=jnp.broadcast_to(jnp.asarray(pose.ravel()), (1, FRAMES, 45)),
        betas=jnp.zeros((1, FRAMES, 10)),
        transl=jnp.asarray(along + np.array([0.0, 0.035, 0.0], dtype=np.float32)),
    )
    return Sequence(
        fps=30.0,
        hand_side=("right",),
        hand_model="open",
        hands=Hands(params=params, joints=None, vertices=None, vertex_order=None),
        hand_valid=jnp.ones((1, FRAMES), dtype=bool),
        object_vertices=jnp.asarray(bar.vertices),
        object_faces=jnp.asarray(bar.faces),
        object_vertex_part=jnp.zeros(len(bar.vertices), dtype=jnp.int32),
        object_motion=motion_from_axis_angle(np.zeros_like(along), along),
        truth=None,
        hand_joint_sigma=None,
    )
