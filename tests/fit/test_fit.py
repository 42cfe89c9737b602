"""Properties of a whole fit in the object's frame; all clips have the smallest bucket's length, to compile once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.grasps import (
    BALL_RADIUS,
    N_FRAMES,
    grasp,
    joints_of,
    per_frame,
    shaken,
    silent_joints,
    silent_surface,
    still,
)

from toch_jax.base.arrays import pad_last
from toch_jax.denoiser.window import JointEstimate
from toch_jax.fit import fit
from toch_jax.fit.correspondences import joint_term
from toch_jax.fit.fit import Fitted, fitted_alone, push_back_share, solve_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.solver.costs.points import JointTerm
from toch_jax.solver.kinematics import params_from_state, state_from_params, step_state
from toch_jax.solver.levenberg_marquardt import joint_sigma, solve_trajectory
from toch_jax.solver.problem import Problem
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.tracked_hand import bucket, make_track

FPS = 30.0


def fitted(
    hand: HandModel,
    tracked: HandParams,
    ball: ObjectModel,
    observed: np.ndarray | None = None,
    joints: JointTerm | None = None,
) -> Fitted:
    n_frames = len(tracked.pose)
    observed = np.ones(n_frames, bool) if observed is None else observed
    track = make_track(hand, tracked, observed, still(n_frames), FPS)
    joints = silent_joints(n_frames) if joints is None else joints
    joints = jax.tree.map(lambda leaf: pad_last(leaf, bucket(n_frames)), joints)
    solved = solve_hand(hand, track, ball.grid, silent_surface(bucket(n_frames)), joints)
    return fitted_alone(solved, DEFAULT)


def constant(value: float, *shape: int) -> jax.Array:
    """A constant of strong type float32, so that the existing compilation is reused."""
    return jnp.asarray(np.full(shape, value, np.float32))


def error(hand: HandModel, found: HandParams, truth: HandParams) -> np.ndarray:
    """Mean joint error of each frame, metres."""
    return np.linalg.norm(joints_of(hand, found) - joints_of(hand, truth), axis=-1).mean(axis=-1)


def depth(hand: HandModel, params: HandParams) -> np.ndarray:
    """Penetration depth of each frame's skin into the ball, metres."""
    vertices = np.asarray(skin_frames(hand, per_frame(params))[0])
    return np.maximum(BALL_RADIUS - np.linalg.norm(vertices, axis=-1), 0).max(axis=1)


@pytest.fixture(scope="module")
def problem(hand: HandModel, ball: ObjectModel) -> Problem:
    """The problem of the last pass of the fit to a noisy grasp."""
    observed: list[Problem] = []

    def spy(model: HandModel, problem: Problem, *rest: object) -> object:
        observed.append(problem)
        return solve_trajectory(model, problem, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "solve_trajectory", spy)
        fitted(hand, shaken(grasp(), 0.01, 0.1), ball)
    return observed[-1]


def test_buckets() -> None:
    assert [bucket(n) for n in (1, 16, 17, 64, 65, 129)] == [16, 16, 32, 64, 128, 192]


@pytest.mark.parametrize(("wrist", "turn"), [(0.01, 0.0), (0.02, 0.0), (0.0, 0.15), (0.01, 0.15)])
def test_noise_is_smoothed(hand: HandModel, ball: ObjectModel, wrist: float, turn: float) -> None:
    truth = grasp()
    tracked = shaken(truth, wrist, turn)
    found = fitted(hand, tracked, ball)
    assert error(hand, found.params, truth).mean() < 0.75 * error(hand, tracked, truth).mean()


def test_a_clean_track_is_left_alone(hand: HandModel, ball: ObjectModel) -> None:
    truth = grasp()
    assert error(hand, fitted(hand, truth, ball).params, truth).mean() < 0.001


def test_the_cost_never_rises(hand: HandModel, problem: Problem) -> None:
    """From starts near the solution and far from it."""
    rng = np.random.default_rng(0)
    for scale in (0.0, 0.1, 0.5, 2.0, 10.0):
        step = jnp.asarray(scale * rng.normal(size=(N_FRAMES, 51)), jnp.float32)
        start = step_state(problem.tracked.state, step, jnp.asarray(scale * rng.normal(size=10), jnp.float32))
        costs = np.asarray(solve_trajectory(hand, problem, start, DEFAULT.steps).costs)
        assert np.isfinite(costs).all()
        assert (np.diff(costs) <= 0).all(), scale
        assert costs[-1] < costs[0], scale


def test_one_frame(hand: HandModel, ball: ObjectModel) -> None:
    tracked = grasp(1)
    found = fitted(hand, tracked, ball)
    assert found.joint_sigma.shape == (1, 21)
    assert error(hand, found.params, tracked)[0] < 0.003


def test_time_runs_both_ways(hand: HandModel, ball: ObjectModel) -> None:
    """Reversing time reverses the result, so padding at the end has no influence."""
    tracked = shaken(grasp(11), 0.005, 0.05)
    back = jax.tree.map(lambda leaf: leaf[::-1], tracked.replace(betas=tracked.transl)).replace(betas=tracked.betas)
    forth = fitted(hand, tracked, ball)
    turned = fitted(hand, back, ball)
    difference = joints_of(hand, forth.params) - joints_of(hand, turned.params)[::-1]
    assert np.linalg.norm(difference, axis=-1).max() < 0.0005
    np.testing.assert_allclose(np.asarray(forth.joint_sigma), np.asarray(turned.joint_sigma)[::-1], rtol=0.05)


def test_the_last_frame_counts_once_for_the_shape(hand: HandModel, ball: ObjectModel) -> None:
    """A denoiser's joints are of a larger hand in one frame, the last of eleven or, backwards in time, the first."""
    tracked = grasp(11)
    joints = np.array(joints_of(hand, tracked))
    joints[-1] += 0.3 * (joints[-1] - joints[-1, :1])
    shape = []
    for order in (slice(None), slice(None, None, -1)):
        estimate = JointEstimate(joints=jnp.asarray(joints[order]), sigma=constant(0.001, 11, 21))
        played = jax.tree.map(lambda leaf, order=order: leaf[order], tracked.replace(betas=tracked.transl))
        term = joint_term(estimate, 1.0)
        shape.append(np.asarray(fitted(hand, played.replace(betas=tracked.betas), ball, joints=term).params.betas))
    np.testing.assert_allclose(shape[0], shape[1], atol=0.02)


def test_lost_frames_are_filled_and_doubted(hand: HandModel, ball: ObjectModel) -> None:
    truth = grasp()
    observed = np.ones(N_FRAMES, bool)
    observed[3:6] = False
    tracked = shaken(truth, 0.003, 0.03)
    held = np.where(observed, np.arange(N_FRAMES), 2)
    tracked = jax.tree.map(lambda leaf: leaf[held], tracked.replace(betas=tracked.transl)).replace(betas=tracked.betas)
    found = fitted(hand, tracked, ball, observed)
    filled, given = error(hand, found.params, truth)[~observed], error(hand, tracked, truth)[~observed]
    assert filled.mean() < 0.5 * given.mean()
    sigma = np.asarray(found.joint_sigma).mean(axis=1)
    assert sigma[~observed].min() > sigma[observed].max()
    assert sigma[~observed].mean() > 1.3 * sigma[observed].mean()


def test_lost_frames_sigma_covers_their_error_and_grows_with_the_gap(hand: HandModel, ball: ObjectModel) -> None:
    """Coverage of 90 % intervals of the lost frames' joint coordinates, over six seeds."""
    truth = grasp()
    wanted = joints_of(hand, truth)
    middle = []
    for length in (2, 4, 8):
        lost = np.zeros(N_FRAMES, bool)
        first = (N_FRAMES - length) // 2
        lost[first : first + length] = True
        held = np.where(lost, first - 1, np.arange(N_FRAMES))
        inside, sigmas = [], []
        for seed in range(6):
            tracked = shaken(truth, 0.003, 0.03, seed)
            frames = jax.tree.map(lambda leaf, held=held: leaf[held], tracked.replace(betas=tracked.transl))
            found = fitted(hand, frames.replace(betas=tracked.betas), ball, ~lost)
            sigma = np.asarray(found.joint_sigma)[lost]
            off = np.abs(joints_of(hand, found.params) - wanted)[lost]
            inside.append((off < 1.645 * sigma[..., None]).mean())
            sigmas.append(sigma.mean())
        assert np.mean(inside) > 0.8, length
        middle.append(np.mean(sigmas))
    assert middle[0] < middle[1] < middle[2]


def test_the_hand_leaves_the_object(hand: HandModel, ball: ObjectModel) -> None:
    sunk = grasp(reach=0.0)
    sunk = sunk.replace(transl=sunk.transl - jnp.array([0, 0.012, 0]))
    found = fitted(hand, sunk, ball).params
    assert depth(hand, sunk).max() > 0.008
    assert depth(hand, found).max() < DEFAULT.margin + 0.35 * depth(hand, sunk).max()
    assert error(hand, found, sunk).max() < 0.02


def test_joints_of_a_denoiser_undo_a_bias(hand: HandModel, ball: ObjectModel) -> None:
    """The bias is constant, so no filter can remove it."""
    truth = grasp()
    biased = truth.replace(transl=truth.transl + jnp.array([0.01, 0.01, 0.0]))
    estimate = JointEstimate(jnp.asarray(joints_of(hand, truth)), constant(0.001, N_FRAMES, 21))
    found = fitted(hand, biased, ball, joints=joint_term(estimate, 21.0))
    assert error(hand, fitted(hand, biased, ball).params, truth).mean() > 0.008
    assert error(hand, found.params, truth).mean() < 0.002


def test_sigma_grows_with_noise(hand: HandModel, ball: ObjectModel) -> None:
    sigma = [float(fitted(hand, shaken(grasp(), noise, 5 * noise), ball).joint_sigma.mean()) for noise in (0.003, 0.02)]
    assert sigma[1] > 2 * sigma[0]


def test_sigma_is_the_spread_of_what_is_found(hand: HandModel, problem: Problem) -> None:
    """Joints with known noise and almost no other terms make a linear problem."""
    truth, noise = grasp(), 0.002
    at = joints_of(hand, truth)
    rng = np.random.default_rng(0)
    start = state_from_params(hand, truth)
    alone = problem.replace(
        tracked=problem.tracked.replace(
            state=start,
            rotation_weight=jnp.ones((N_FRAMES, 16)),
            wrist_weight=jnp.zeros(N_FRAMES),
            shape_weight=jnp.ones(()),
        ),
        smooth=jax.tree.map(jnp.zeros_like, problem.smooth).replace(dof=problem.smooth.dof),
        prior=jax.tree.map(jnp.zeros_like, problem.prior),
        contact=problem.contact.replace(weight=jnp.zeros(N_FRAMES)),
    )
    found = []
    for _ in range(12):
        joints = JointTerm(
            jnp.asarray(at + noise * rng.normal(size=at.shape), jnp.float32), constant(1 / noise**2, N_FRAMES, 21)
        )
        solution = solve_trajectory(hand, alone.replace(joints=joints), start, DEFAULT.steps)
        found.append(joints_of(hand, params_from_state(hand, solution.state)))
    spread = np.sqrt(np.mean((np.stack(found) - at) ** 2, axis=(0, 1, 3)))
    sigma = np.asarray(joint_sigma(hand, solution)).mean(axis=0)
    np.testing.assert_allclose(sigma, spread, rtol=0.25)
    assert (sigma < noise).all()


def test_push_back_fades_in_with_the_depth_that_lasts() -> None:
    depths = np.linspace(0, 0.006, 601)
    share = np.stack([push_back_share(np.full(40, depth), FPS, DEFAULT) for depth in depths])
    np.testing.assert_allclose(share, share[:, :1].repeat(40, axis=1), atol=1e-6)
    share = share[:, 0]
    # 0 at the depths of real hands, 1 where a hand went through an object, and continuous in between
    assert (share[depths <= 0.0014] == 0).all()
    assert (share[depths >= 0.0031] == 1).all()
    assert np.diff(share).min() >= 0
    assert np.diff(share).max() < 0.02


def test_a_deep_frame_alone_is_noise() -> None:
    depth = np.full(40, 0.0005)
    depth[20] = 0.006
    assert push_back_share(depth, FPS, DEFAULT).max() == 0
    depth[10:30] = 0.006
    assert push_back_share(depth, FPS, DEFAULT)[20] == 1
