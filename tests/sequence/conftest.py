"""A record (file keys to arrays) of a hand at an object, as a user might bring it; a hand model of random numbers."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.hand.model import HandModel

Record = dict[str, np.ndarray]


def _make_record(n_frames: int = 6, sides: tuple[str, ...] = ("right",)) -> Record:
    """A ball moving about, and hands with all of parameters, joints and vertices by it."""
    rng = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.04)
    n_hands = len(sides)
    fingers = np.array([[-0.5, 0.6], [-0.2, 1], [0, 1], [0.2, 1], [0.4, 0.9]])
    hand = [np.zeros(3)]
    for finger in fingers:
        hand += [np.array([*(0.18 * reach * finger), 0.02]) for reach in (0.4, 0.6, 0.8, 1.0)]
    path = np.cumsum(0.005 * rng.normal(size=(n_hands, n_frames, 1, 3)), axis=1) + 0.05
    joints = path + np.array(hand)
    return {
        "format": np.array("toch-sequence"),
        "version": np.array(1),
        "fps": np.array(30.0),
        "hand_side": np.array(sides),
        "hand_model": np.array("mano"),
        "hand_global_orient": rng.normal(size=(n_hands, n_frames, 3)),
        "hand_pose": 0.3 * rng.normal(size=(n_hands, n_frames, 45)),
        "hand_transl": path[:, :, 0],
        "hand_betas": rng.normal(size=(n_hands, 10)),
        "hand_joints": joints,
        "hand_vertices": joints + 0.01,
        "hand_vertex_order": np.array("unordered"),
        "object_vertices": np.asarray(ball.vertices),
        "object_faces": np.asarray(ball.faces),
        "object_rotation": rng.normal(size=(1, n_frames, 3)),
        "object_translation": 0.02 * rng.normal(size=(1, n_frames, 3)),
        "truth_joints": joints + 0.001,
    }


@pytest.fixture
def make_record() -> Callable[..., Record]:
    return _make_record


@pytest.fixture
def record() -> Record:
    return _make_record()


@pytest.fixture(scope="session")
def random_hand() -> HandModel:
    """A hand by its interface only: 40 vertices, MANO's tree, everything else drawn."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(0.2 * np.ones(16), 40)
    return HandModel(
        v_template=jnp.asarray(0.1 * rng.normal(size=(40, 3)), jnp.float32),
        shapedirs=jnp.asarray(0.01 * rng.normal(size=(40, 3, 10)), jnp.float32),
        posedirs=jnp.asarray(0.001 * rng.normal(size=(40, 3, 135)), jnp.float32),
        joint_regressor=jnp.asarray(rng.dirichlet(np.ones(40), 16), jnp.float32),
        weights=jnp.asarray(weights, jnp.float32),
        faces=jnp.asarray(rng.integers(0, 40, (70, 3)), jnp.int32),
        tips=jnp.arange(5),
        wrist_ring=jnp.arange(30, 40),
        pose_mean=jnp.zeros(45),
        pose_components=jnp.asarray(np.linalg.qr(rng.normal(size=(45, 45)))[0], jnp.float32),
        parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14),
        side="right",
        name="random",
    )
