"""The start of inverse kinematics from skin points in MANO's order and in none."""

from importlib.resources import files

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.grasps import grasp, per_frame

from toch_jax.base.errors import InputError
from toch_jax.hand.binding import posed_skin
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.sequence.mirror import mirror_params
from toch_jax.track.inverse_kinematics import params_from_vertices
from toch_jax.track.pose_from_points import N_VERTICES, RING, check_mano_order, poses_from_cloud, two_way_distance


def _points() -> np.ndarray:
    """Points (1, 778, 3): a cloud of the size of a hand, with a ring of the circumference of a wrist."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (1, N_VERTICES, 3)) * [0.09, 0.015, 0.04]
    angle = np.arange(len(RING)) / len(RING) * 2 * np.pi
    points[0, RING] = np.stack([0 * angle - 0.09, 0.017 * np.cos(angle), 0.026 * np.sin(angle)], axis=-1)
    return points


def test_a_ring_passes_also_with_noise() -> None:
    check_mano_order("clip.npz", _points())
    check_mano_order("clip.npz", _points() + 0.01 * np.random.default_rng(1).normal(size=(9, N_VERTICES, 3)))


@pytest.mark.parametrize("order", ["shuffled", "reversed", "shifted"])
def test_other_orders_are_refused(order: str) -> None:
    points = _points()
    shuffled = points[:, np.random.default_rng(1).permutation(N_VERTICES)]
    other = {"shuffled": shuffled, "reversed": points[:, ::-1], "shifted": np.roll(points, 1, axis=1)}[order]
    with pytest.raises(InputError, match=r'points in MANO\'s order, found .* give hand_vertex_order "unordered"'):
        check_mano_order("clip.npz", other)


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(InputError, match='expected 778 points, which the order "mano" has, found 777'):
        check_mano_order("clip.npz", _points()[:, 1:])


def demo_hand(first: int) -> HandParams:
    """Sixteen frames of the true hand of the shipped clip, as a right hand."""
    with files("toch_jax.example").joinpath("tracked.npz").open("rb") as file, np.load(file) as clip:
        frames = slice(first, first + 32, 2)
        orient, pose, transl = (
            jnp.asarray(clip[f"truth_{key}"][0, frames]) for key in ("global_orient", "pose", "transl")
        )
        params = HandParams(global_orient=orient, pose=pose, betas=jnp.zeros(10), transl=transl)
        return params if clip["hand_side"][0] == "right" else mirror_params(params)


@pytest.mark.parametrize(
    ("source", "seed", "scale"),
    [
        ("grasp", 5, 0.85),
        ("demo", 4, 1.1),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("grasp", 1, 0.9), ("grasp", 7, 1.0)]),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("demo", 0, 0.85), ("demo", 1, 0.9)]),
    ],
)
def test_noise_on_unordered_points_leaves_the_hand_its_size(
    hand: HandModel, source: str, seed: int, scale: float
) -> None:
    """A hand of random shape, then one of another scale, with 1 mm of noise on each coordinate."""
    rng = np.random.default_rng(1000 * seed + 7)
    betas = jnp.asarray(rng.normal(size=10), jnp.float32)
    truth = (grasp(seed=seed) if source == "grasp" else demo_hand(10 * seed)).replace(betas=betas)
    turn = Rotation.random(random_state=seed).as_matrix()
    skin = scale * np.asarray(skin_frames(hand, per_frame(truth))[0]) @ turn.T
    points = skin[:, rng.choice(skin.shape[1], 778, replace=False)]
    points = jnp.asarray(points + 0.001 * rng.normal(size=points.shape), jnp.float32)
    found = params_from_vertices(hand, points, "unordered", jnp.ones(len(points), bool)).params
    assert np.linalg.norm(posed_skin(hand, found) - skin, axis=-1).mean() < 0.003


def test_a_cloud_tells_the_way_a_hand_lies(hand: HandModel) -> None:
    rng = np.random.default_rng(0)
    params = grasp(1)
    skin = np.asarray(skin_frames(hand, per_frame(params))[0])[0]
    turn = Rotation.from_rotvec([1.0, -2.0, 0.5])
    cloud = turn.apply(skin[rng.choice(len(skin), 100, replace=False)]).astype(np.float32)
    tries = poses_from_cloud(hand, jnp.zeros(10), cloud, 3)
    found = Rotation.from_rotvec(np.asarray(tries.global_orient[0]))
    assert (found * Rotation.from_rotvec(np.asarray(params.global_orient[0])).inv() * turn.inv()).magnitude() < 0.5


def test_a_hand_with_skin_where_no_points_are_is_farther() -> None:
    """A point at each end of a rod, and a rod twice as long, to which the points are as near; computed by hand."""
    cloud = np.array([[0.0, 0, 0], [0.01, 0, 0]])
    assert two_way_distance(cloud, cloud) == 0
    assert two_way_distance(np.concatenate([cloud, [[0.02, 0, 0], [1, 0, 0]]]), cloud) == pytest.approx(0.025 / 4)
