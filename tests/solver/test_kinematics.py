"""Positions against skinning, closed-form derivatives against automatic ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain_jit

from toch_jax.hand.model import HandModel, HandParams, skin
from toch_jax.solver.kinematics import (
    N_UNKNOWNS,
    Bones,
    HandState,
    Points,
    all_vertices,
    joint_points,
    params_from_state,
    pose_bones,
    project,
    skin_points,
    state_from_params,
    step_state,
    surface_points,
)

T, M = 3, 7


def drawn_params(n_shape: int, n_frames: int = T) -> HandParams:
    rng = np.random.default_rng(0)
    return HandParams(
        global_orient=jnp.asarray(rng.normal(size=(n_frames, 3)), jnp.float32),
        pose=jnp.asarray(0.5 * rng.normal(size=(n_frames, 45)), jnp.float32),
        betas=jnp.asarray(rng.normal(size=n_shape), jnp.float32),
        transl=jnp.asarray(0.2 * rng.normal(size=(n_frames, 3)), jnp.float32),
    )


@pytest.fixture(scope="module")
def state(random_hand: HandModel) -> HandState:
    return state_from_params(random_hand, drawn_params(random_hand.shapedirs.shape[-1]))


def test_parameters_survive_the_state(random_hand: HandModel, state: HandState) -> None:
    found, wanted = params_from_state(random_hand, state), drawn_params(random_hand.shapedirs.shape[-1])
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-5)


def test_positions_are_those_of_skinning(random_hand: HandModel, state: HandState) -> None:
    params = drawn_params(random_hand.shapedirs.shape[-1])
    params = params.replace(betas=jnp.broadcast_to(params.betas, (T, params.betas.shape[-1])))
    vertices, joints = plain_jit(skin, random_hand, params)

    def ours(model: HandModel, state: HandState) -> tuple:
        bones = pose_bones(model, state)
        every = jnp.broadcast_to(jnp.arange(len(model.v_template)), (T, len(model.v_template)))
        return (
            all_vertices(model, bones),
            joint_points(model, bones).position,
            skin_points(model, bones, every).position,
        )

    found_all, found_joints, found_each = plain_jit(ours, random_hand, state)
    np.testing.assert_allclose(np.asarray(found_all), np.asarray(vertices), atol=1e-6)
    np.testing.assert_allclose(np.asarray(found_each), np.asarray(vertices), atol=1e-6)
    np.testing.assert_allclose(np.asarray(found_joints), np.asarray(joints), atol=1e-6)


def _places(model: HandModel) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(1)
    face = jnp.asarray(rng.integers(0, len(model.faces), (T, M)))
    return face, jnp.asarray(rng.dirichlet(np.ones(3), (T, M)), jnp.float32)


@pytest.mark.parametrize("kind", ["joints", "surface"])
@pytest.mark.parametrize("correctives", [False, True])
def test_derivatives(random_hand: HandModel, state: HandState, kind: str, correctives: bool) -> None:
    """Pose correctives are constant here, as the closed forms neglect their derivative."""
    model = random_hand if correctives else random_hand.replace(posedirs=jnp.zeros_like(random_hand.posedirs))
    face, barycentric = _places(model)
    n_shape = model.shapedirs.shape[-1]

    def points(bones: Bones) -> Points:
        return joint_points(model, bones) if kind == "joints" else surface_points(model, bones, face, barycentric)

    def position(frame_step: jax.Array, shape_step: jax.Array) -> jax.Array:
        bones = pose_bones(model, step_state(state, frame_step, shape_step))
        held = pose_bones(model, state).shaped + model.shapedirs @ shape_step
        return points(bones.replace(shaped=held)).position

    def closed() -> tuple[jax.Array, jax.Array]:
        bones = pose_bones(model, state)
        at = points(bones)
        return project(bones, at, jnp.broadcast_to(jnp.eye(3), (*at.position.shape[:2], 3, 3)))

    by_frame, by_shape = plain_jit(closed)
    zero = jnp.zeros((T, N_UNKNOWNS)), jnp.zeros(n_shape)
    wanted_frame, wanted_shape = plain_jit(jax.jacfwd(position, argnums=(0, 1)), *zero)
    wanted_frame = np.asarray(wanted_frame).reshape(T, -1, T, N_UNKNOWNS)
    for t in range(T):
        np.testing.assert_allclose(np.asarray(by_frame)[t], wanted_frame[t, :, t], atol=1e-6)
        assert not wanted_frame[t][:, np.arange(T) != t].any()
    np.testing.assert_allclose(np.asarray(by_shape), np.asarray(wanted_shape).reshape(T, -1, n_shape), atol=1e-6)
