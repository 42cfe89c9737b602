"""The term between hands, against automatic derivatives of its cost and libigl's distance to a closed mesh."""

import igl
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.dense import dense
from support.grasps import grasp, per_frame
from support.plain import plain, plain_jit

from toch_jax.fit.fit import step_hands
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.sequence.mirror import mirror_params
from toch_jax.solver.costs.hands import HandsTerm, Skin, _distances, _skin, add_hands, faced
from toch_jax.solver.kinematics import N_UNKNOWNS, HandState, pose_bones, state_from_params
from toch_jax.solver.normal_equations import Linear, no_terms
from toch_jax.track.part_frame import move_hand
from toch_jax.track.tracked_hand import coarse_hand

T = 4


def term_of(skins: tuple[HandModel, ...], n_frames: int, seed: int | None = None) -> HandsTerm:
    """The term of hands in one frame of reference, or in random ones if `seed` is given."""
    n_hands = len(skins)
    turn, move = np.zeros((n_hands * n_frames, 3)), np.zeros((n_hands, n_frames, 3))
    if seed is not None:
        rng = np.random.default_rng(seed)
        turn, move = rng.normal(size=turn.shape), 0.01 * rng.normal(size=move.shape)
    return HandsTerm(
        skins=skins,
        rotation=jnp.asarray(Rotation.from_rotvec(turn).as_matrix().reshape(n_hands, n_frames, 3, 3), jnp.float32),
        translation=jnp.asarray(move, jnp.float32),
        weights=(jnp.full((n_frames, 1), 1e6),) * (n_hands * (n_hands - 1)),
        margin=jnp.asarray(0.0005),
    )


def test_gradient() -> None:
    """Exact for the penetrating hand's unknowns, approximate for the other's; the same in other frames of reference."""
    models, _, _ = hands_at(0.0)
    still, states = term_of(tuple(models), T), states_at(0.0, models)
    term = faced(still, states)[0]
    nothing = no_terms(T, 20, 2 * N_UNKNOWNS)
    only = term.replace(weights=(term.weights[0], 0 * term.weights[1]))

    def cost(frames: jax.Array) -> tuple[jax.Array, Linear]:
        linear = add_hands(nothing, only, step_hands(states, frames, jnp.zeros(20)))
        return linear.cost, linear

    wanted, linear = plain_jit(jax.grad(cost, has_aux=True), jnp.zeros((T, 2 * N_UNKNOWNS)))
    found, wanted = -np.asarray(linear.frames), np.asarray(wanted)
    assert float(linear.cost) > 100
    own, its = slice(0, N_UNKNOWNS), slice(N_UNKNOWNS, None)
    np.testing.assert_allclose(found[:, own], wanted[:, own], atol=1e-3 * np.abs(wanted).max())
    # the gradient for the penetrated hand neglects how its surface bends
    assert np.sum(found[:, its] * wanted[:, its]) > 0.9 * np.linalg.norm(found[:, its]) * np.linalg.norm(wanted[:, its])
    np.testing.assert_allclose(found[:, own][:, 48:], -found[:, its][:, 48:], atol=1e-3 * np.abs(found).max())
    matrix = dense(linear.system)
    assert np.linalg.eigvalsh(matrix).min() > -1e-4 * np.abs(matrix).max()


def params_at(beside: float) -> tuple[HandParams, HandParams]:
    """A bent right hand and its mirror image, each moved by `beside` metres from the plane of symmetry."""
    right = grasp(T)
    right = right.replace(transl=right.transl + jnp.array([beside, 0, 0]))
    return right, mirror_params(right)


def states_of(models: list[HandModel], params: list[HandParams]) -> tuple[HandState, ...]:
    return tuple(state_from_params(*each) for each in zip(models, params, strict=True))


def states_at(beside: float, models: list[HandModel]) -> tuple[HandState, ...]:
    return plain_jit(states_of, models, params_at(beside))


def hands_at(beside: float) -> tuple[list[HandModel], list[Skin], list[np.ndarray]]:
    """Coarse models of the two hands, their skins as computed by the term, and their vertices by skinning."""
    models = [coarse_hand("open", side) for side in ("right", "left")]
    terms = [term_of((model,), T) for model in models]

    def posed(models: list[HandModel], terms: list[HandsTerm], states: tuple[HandState, ...]) -> list[Skin]:
        each = zip(models, terms, states, strict=True)
        return [_skin(alone, 0, pose_bones(model, state)) for model, alone, state in each]

    skins = plain_jit(posed, models, terms, states_at(beside, models))
    skinned = [skin_frames(*each)[0] for each in zip(models, map(per_frame, params_at(beside)), strict=True)]
    return models, skins, [np.asarray(each) for each in skinned]


def test_depth_is_that_of_a_closed_skin() -> None:
    """The term's distance to the plane at the nearest vertex, against the exact distance to the mesh."""
    models, skins, vertices = hands_at(0.0)
    depth = -np.asarray(plain_jit(_distances, *skins)[0])
    faces = np.asarray(models[1].faces, np.int64)
    sign = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    exact = -np.stack(
        [
            igl.signed_distance(mine.astype(np.float64), its.astype(np.float64), faces, sign_type=sign)[0]
            for mine, its in zip(*vertices, strict=True)
        ]
    )
    near = np.abs(exact) < 0.01
    assert (near & (exact > 0.001)).sum() > 20
    assert np.median(np.abs(depth - exact)[near]) < 0.0005
    assert np.percentile(np.abs(depth - exact)[near], 90) < 0.0015
    assert np.mean(((depth > 0) == (exact > 0))[np.abs(exact) > 0.001]) > 0.99


def test_hands_cost_where_they_meet() -> None:
    for beside, costs in ((0.0, True), (0.3, False)):
        models, _, _ = hands_at(beside)
        term, states = term_of(tuple(models), T), states_at(beside, models)
        assert bool(faced(term, states)[1]) == costs
        assert not faced(term.replace(weights=tuple(0 * weight for weight in term.weights)), states)[1]


def test_hands_are_as_deep_in_whatever_frame_they_are_given() -> None:
    """The cost does not change if each hand is given in a frame of its own."""
    models, _, _ = hands_at(0.0)
    here = term_of(tuple(models), T)
    away = term_of(tuple(models), T, seed=1)

    def cost(term: HandsTerm, models: list[HandModel], there: tuple[HandParams, HandParams]) -> jax.Array:
        params = []
        for hand, (model, placed) in enumerate(zip(models, there, strict=True)):
            back = jnp.swapaxes(term.rotation[hand], 1, 2)
            params.append(move_hand(model, placed, back, -jnp.einsum("tab,tb->ta", back, term.translation[hand])))
        states = states_of(models, params)
        return add_hands(no_terms(T, 20, 2 * N_UNKNOWNS), faced(term, states)[0], states).cost

    cost = plain(cost)
    costs = [float(cost(term, models, params_at(0.0))) for term in (here, away)]
    assert costs[0] > 100
    assert costs[1] == pytest.approx(costs[0], rel=1e-3)
