"""Hand parameters from joints and points of hands with known parameters."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.grasps import N_FRAMES, grasp, joints_of, per_frame

from toch_jax.base.errors import InputError
from toch_jax.hand.binding import nearest_on_skin, posed_skin
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.hand.prior import pose_prior
from toch_jax.sequence.mirror import mirror_params
from toch_jax.track.icp import PIECE
from toch_jax.track.initial_pose import PALM
from toch_jax.track.inverse_kinematics import params_from_joints, params_from_vertices
from toch_jax.track.pose_from_points import RING, RING_BACK, RING_PALM, RING_PINKY, RING_THUMB, TIPS

TURN = Rotation.from_rotvec([2.0, -1.0, 0.5])
"""Rotation of the world, as hands may have any orientation."""


def all_seen(n_frames: int) -> jnp.ndarray:
    return jnp.ones(n_frames, bool)


def joint_error(model: HandModel, found: HandParams, joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints_of(model, found) - joints, axis=-1).mean(axis=-1)


def gap(model: HandModel, found: HandParams, points: np.ndarray) -> float:
    return float(nearest_on_skin(model, posed_skin(model, found), points).distance.mean())


def turned(points: np.ndarray) -> np.ndarray:
    return TURN.apply(points.reshape(-1, 3)).reshape(points.shape).astype(np.float32)


def of_side(side: Side, params: HandParams) -> tuple[HandModel, HandParams]:
    return load_hand("open", side), params if side == "right" else mirror_params(params)


@pytest.mark.parametrize("side", ["right", "left"])
def test_joints_come_back(side: Side) -> None:
    model, truth = of_side(side, grasp())
    joints = turned(joints_of(model, truth))
    found = params_from_joints(model, jnp.asarray(joints), all_seen(N_FRAMES)).params
    assert joint_error(model, found, joints).max() < 0.0005


def test_own_vertices_come_back(hand: HandModel) -> None:
    skin = turned(np.asarray(skin_frames(hand, per_frame(grasp()))[0]))
    found = params_from_vertices(hand, jnp.asarray(skin), "open", all_seen(N_FRAMES)).params
    assert joint_error(hand, found, turned(joints_of(hand, grasp()))).max() < 0.0005
    assert np.linalg.norm(posed_skin(hand, found) - skin, axis=-1).mean() < 0.001


def test_any_pose_of_the_fingers(hand: HandModel) -> None:
    """From a stretched hand to a fist, one frame at a time."""
    for seed in range(4):
        truth = grasp(1, seed=seed)
        prior = pose_prior("right")
        truth = truth.replace(pose=jnp.clip(truth.pose * (0.3 + seed), prior.lower, prior.upper))
        joints = turned(joints_of(hand, truth))
        found = params_from_joints(hand, jnp.asarray(joints), all_seen(1)).params
        assert joint_error(hand, found, joints).max() < 0.001, seed


def test_long_clips_share_a_shape(hand: HandModel) -> None:
    n_frames = PIECE + 9
    joints = joints_of(hand, grasp(n_frames))
    found = params_from_joints(hand, jnp.asarray(joints), all_seen(n_frames)).params
    assert found.betas.shape == (10,)
    assert found.pose.shape == (n_frames, 45)
    assert joint_error(hand, found, joints).max() < 0.0007


def test_lost_frames_take_what_their_neighbours_say(hand: HandModel) -> None:
    joints = joints_of(hand, grasp())
    observed = np.ones(N_FRAMES, bool)
    observed[[5, 6]] = False
    found = params_from_joints(
        hand, jnp.asarray(np.where(observed[:, None, None], joints, joints[4])), jnp.asarray(observed)
    ).params
    wrong = joint_error(hand, found, joints)
    assert wrong[observed].max() < 0.0005
    assert wrong[~observed].max() < 0.3 * np.linalg.norm(joints[6] - joints[4], axis=-1).mean()


def test_missing_joints_are_found_from_the_others(hand: HandModel) -> None:
    """One joint in twenty is missing at random, and one tip in all frames."""
    n_frames = PIECE + 9
    joints = joints_of(hand, grasp(n_frames))
    missing = np.random.default_rng(0).random((n_frames, 21)) < 0.05
    missing[:, list(PALM)] = False
    missing[3, PALM[1]] = missing[:, 18] = True
    holed = np.where(missing[..., None], np.nan, joints)
    found = joints_of(hand, params_from_joints(hand, jnp.asarray(holed), all_seen(n_frames)).params)
    off = np.linalg.norm(found - joints, axis=-1)
    assert off[~missing].mean() < 0.0007
    assert off[:, :18][missing[:, :18]].max() < 0.004
    # the rotation of the end joint is not observed without the tip
    assert off[:, 18].max() < 0.02


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_joints_of_the_other_side_are_refused(noise: float) -> None:
    left, truth = of_side("left", grasp())
    joints = joints_of(left, truth) + noise * np.random.default_rng(0).normal(size=(N_FRAMES, 21, 3))
    joints = jnp.asarray(joints, jnp.float32)
    with pytest.raises(InputError, match=r"^clip\.npz: hand_side: expected left \(.* mm\), found right \(.* mm\)$"):
        params_from_joints(load_hand("open"), joints, all_seen(N_FRAMES), "clip.npz")
    params_from_joints(left, joints, all_seen(N_FRAMES), "clip.npz")


@pytest.mark.parametrize("side", ["right", pytest.param("left", marks=pytest.mark.slow)])
def test_unordered_points(side: Side) -> None:
    model, truth = of_side(side, grasp())
    rng = np.random.default_rng(0)
    some = rng.choice(model.v_template.shape[0], 200, replace=False)
    points = turned(np.asarray(skin_frames(model, per_frame(truth))[0])[:, some])
    registered = params_from_vertices(model, jnp.asarray(points), "unordered", all_seen(N_FRAMES))
    found = registered.params
    assert gap(model, found, points) < 0.001
    assert registered.skin_gap == pytest.approx(gap(model, found, points), rel=0.3)
    assert joint_error(model, found, turned(joints_of(model, truth))).mean() < 0.005


def test_what_the_hand_cannot_meet_is_told(hand: HandModel) -> None:
    """A tip with a constant error of 20 mm and noise of 2 mm; then a hand that is 1.3 times as large as the mean."""
    joints = joints_of(hand, grasp())
    longer = joints.copy()
    beyond = joints[:, 18] - joints[:, 9]
    longer[:, 18] += 0.02 * beyond / np.linalg.norm(beyond, axis=-1, keepdims=True)
    noise = 0.002 * np.random.default_rng(0).normal(size=joints.shape)
    found = params_from_joints(hand, jnp.asarray(longer + noise, jnp.float32), all_seen(N_FRAMES))
    off = np.linalg.norm((longer - joints_of(hand, found.params)).mean(axis=0), axis=-1)
    assert found.residual[18] > 0.004
    np.testing.assert_allclose(found.residual, off, atol=0.002)
    assert found.skin_gap is None
    assert found.notes[0].startswith("fitted to 21 joints with ")
    assert len(found.notes) == 1
    large = params_from_joints(hand, jnp.asarray(1.3 * joints, jnp.float32), all_seen(N_FRAMES))
    assert np.abs(large.params.betas).max() <= 3
    assert "times as large as the mean adult's hand" in large.notes[1]


def test_joints_and_points_of_no_hand_are_refused(hand: HandModel) -> None:
    rng = np.random.default_rng(0)
    joints = joints_of(hand, grasp())[:, [0, *(1 + rng.permutation(20))]]
    with pytest.raises(InputError, match=r"^sequence: hand_joints: expected the 21 joints .* hand on the mean$"):
        params_from_joints(hand, jnp.asarray(joints), all_seen(N_FRAMES))
    with pytest.raises(InputError, match=r"hand_joints: .* times as large as .*: is it in metres\?$"):
        params_from_joints(hand, jnp.asarray(2 * joints_of(hand, grasp())), all_seen(N_FRAMES))
    skin = np.asarray(skin_frames(hand, per_frame(grasp()))[0])
    skin = skin[:, rng.permutation(skin.shape[1])]
    with pytest.raises(InputError, match=r'hand_vertices: expected points on .* is hand_vertex_order "open" right'):
        params_from_vertices(hand, jnp.asarray(skin), "open", all_seen(N_FRAMES))


@pytest.mark.parametrize("scale", [2.0, 1000.0])
def test_vertices_in_order_but_of_no_persons_size_are_not_called_unordered(hand: HandModel, scale: float) -> None:
    skin = scale * np.asarray(skin_frames(hand, per_frame(grasp()))[0])
    with pytest.raises(InputError, match=r"hand_vertices: .* is it all of one hand, in metres\?$"):
        params_from_vertices(hand, jnp.asarray(skin), "open", all_seen(N_FRAMES))


@pytest.mark.parametrize("scale", [0.75, 1.3])
def test_the_shape_of_fitted_vertices_is_a_persons(hand: HandModel, scale: float) -> None:
    skin = scale * np.asarray(skin_frames(hand, per_frame(grasp()))[0])
    found = params_from_vertices(hand, jnp.asarray(skin), "open", all_seen(N_FRAMES))
    assert np.abs(found.params.betas).max() <= 3
    assert found.notes[-1].endswith("times as large as the mean adult's hand (people: 0.80 to 1.20): is it in metres?")


def test_points_of_the_other_side_are_refused(hand: HandModel) -> None:
    left, truth = of_side("left", grasp())
    some = np.random.default_rng(0).choice(left.v_template.shape[0], 200, replace=False)
    points = np.asarray(skin_frames(left, per_frame(truth))[0])[:, some]
    with pytest.raises(InputError, match=r"^sequence: hand_side: expected left \(.* mm\), found right \(.* mm\)$"):
        params_from_vertices(hand, jnp.asarray(points), "unordered", all_seen(N_FRAMES))


def test_points_in_the_order_of_mano(hand: HandModel) -> None:
    """Points of the hand model at MANO's tips and wrist ring, with more frames than are fitted at once."""
    n_frames = PIECE + 4
    rng = np.random.default_rng(0)
    template = np.asarray(hand.v_template)
    order = rng.choice(len(template), 778, replace=False)
    order[list(TIPS)] = np.asarray(hand.tips)
    wrist = template[:, 0].min() if template[hand.tips[2], 0] > 0 else template[:, 0].max()
    ring = np.flatnonzero(np.abs(template[:, 0] - wrist) < 0.02)
    sides = [RING.index(pair[0]) + 0.5 for pair in (RING_PINKY, RING_BACK, RING_THUMB, RING_PALM)]
    sides.append(sides[0] + len(RING))
    wanted = np.interp((np.arange(len(RING)) - sides[0]) % len(RING) + sides[0], sides, [-90, 0, 90, 180, 270])
    back, thumb = (template[ring] - template[ring].mean(axis=0))[:, 1:].T
    turned_by = np.degrees(np.arctan2(thumb, back)) - wanted[:, None]
    order[list(RING)] = ring[np.abs((turned_by + 180) % 360 - 180).argmin(axis=1)]
    truth = grasp(n_frames)
    points = turned(np.asarray(skin_frames(hand, per_frame(truth))[0])[:, order])
    found = params_from_vertices(hand, jnp.asarray(points), "mano", all_seen(n_frames)).params
    assert gap(hand, found, points) < 0.001
    assert joint_error(hand, found, turned(joints_of(hand, truth))).mean() < 0.003
