"""Fixtures that several folders share."""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from support.grasps import BALL_RADIUS
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.hand.prior import pose_prior
from toch_jax.object.model import DistanceGrid, ObjectModel, ObjectSamples, motion_from_axis_angle
from toch_jax.sequence.derived import N_SAMPLES, sequence_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Hands, Sequence

Record = dict[str, np.ndarray]
GOLDEN = Path(__file__).parents[1] / "golden"
FRAMES = 12


@pytest.fixture(scope="session")
def hand() -> HandModel:
    return load_hand("open")


@pytest.fixture(scope="session")
def ball() -> ObjectModel:
    """A ball at the origin with exact distances at the grid's nodes, of the pipeline's array sizes, to compile once."""
    side = np.linspace(-0.1, 0.1, 127)
    nodes = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1)
    samples = ObjectSamples(
        points=jnp.zeros((N_SAMPLES, 3)),
        normals=jnp.zeros((N_SAMPLES, 3)),
        part=jnp.zeros(N_SAMPLES, jnp.int32),
        clearance_out=jnp.zeros(N_SAMPLES),
        clearance_in=jnp.zeros(N_SAMPLES),
    )
    grid = DistanceGrid(
        distance=jnp.asarray(np.linalg.norm(nodes, axis=-1) - BALL_RADIUS, jnp.float32)[None],
        origin=jnp.full((1, 3), -0.1, jnp.float32),
        spacing=jnp.full((1, 3), side[1] - side[0]),
    )
    return ObjectModel(mesh=None, samples=samples, grid=grid)


@pytest.fixture(scope="session")
def random_hand() -> HandModel:
    """A hand model with 40 vertices, MANO's tree and random arrays."""
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
        prior=pose_prior("right"),
        parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14),
        side="right",
        name="random",
    )


def _make_record(n_frames: int = 6, sides: tuple[str, ...] = ("right",)) -> Record:
    """A moving ball, and hands near it with parameters, joints and vertices."""
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
def clean() -> Sequence:
    """The open hand, bent around a bar that it carries along x; its skin penetrates the bar."""
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


@pytest.fixture(scope="session")
def held() -> Sequence:
    """A clean hand that holds a camera: tests/golden/make_held_camera.py."""
    return load_sequence(GOLDEN / "held_camera.npz")


@pytest.fixture(scope="session")
def held_object(held) -> ObjectModel:
    return sequence_object(held)


@pytest.fixture
def open_mano(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of MANO's files, for which the open hand stands."""
    from support.annotated_hand import write_open_mano

    folder = tmp_path_factory.getbasetemp() / "open_with_directions"
    if not folder.exists():
        write_open_mano(folder)
    monkeypatch.setenv("TOCH_MANO", str(folder))
    return folder
