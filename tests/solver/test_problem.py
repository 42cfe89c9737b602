"""Gradient and normal matrix of every term against automatic derivatives of the cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.dense import dense
from support.grasps import BALL_RADIUS, still
from support.plain import plain, plain_jit

from toch_jax.hand.binding import Binding
from toch_jax.hand.model import HandModel
from toch_jax.object.model import ObjectModel
from toch_jax.solver.costs.motion import SmoothTerm, TrackedTerm
from toch_jax.solver.costs.penetration import PUSH_BACK_STEP, PUSH_BACK_STEPS, PenetrationTerm, _push_back
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.costs.prior import PriorTerm
from toch_jax.solver.kinematics import N_UNKNOWNS, HandState, joint_points, pose_bones, step_state, surface_points
from toch_jax.solver.normal_equations import Linear
from toch_jax.solver.problem import Problem, linearize

T, M, N_SHAPE = 4, 6, 10


def _positive(rng: np.random.Generator, high: float, *shape: int) -> jax.Array:
    return jnp.asarray(rng.uniform(0, high, shape), jnp.float32)


def _normal(rng: np.random.Generator, scale: float, *shape: int) -> jax.Array:
    return jnp.asarray(scale * rng.normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def state() -> HandState:
    rng = np.random.default_rng(0)
    still_hand = HandState(
        jnp.broadcast_to(jnp.eye(3), (T, 16, 3, 3)), _normal(rng, 0.02, T, 3), _normal(rng, 1, N_SHAPE)
    )
    return step_state(still_hand, _normal(rng, 0.4, T, N_UNKNOWNS), jnp.zeros(N_SHAPE))


@pytest.fixture(scope="module")
def problem(random_hand: HandModel, ball: ObjectModel, state: HandState) -> Problem:
    """A problem with all terms, each with non-zero residuals."""
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(T, M, 3))
    spread = rng.normal(size=(45, 45))
    whole = [i for i, face in enumerate(np.asarray(random_hand.faces)) if len(set(face)) == 3]
    skin = Binding(jnp.asarray(whole), jnp.full((len(whole), 3), 1 / 3), jnp.zeros((len(whole), 3)))
    return Problem(
        surface=SurfaceTerm(
            face=jnp.asarray(rng.integers(0, len(random_hand.faces), (T, M))),
            barycentric=jnp.asarray(rng.dirichlet(np.ones(3), (T, M)), jnp.float32),
            target=_normal(rng, 0.05, T, M, 3),
            normal=jnp.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True), jnp.float32),
            weight_along=_positive(rng, 200, T, M),
            weight_across=_positive(rng, 50, T, M),
        ),
        joints=JointTerm(_normal(rng, 0.05, T, 21, 3), _positive(rng, 100, T, 21)),
        tracked=TrackedTerm(
            state=step_state(state, _normal(rng, 0.3, T, N_UNKNOWNS), _normal(rng, 1, N_SHAPE)),
            rotation_weight=_positive(rng, 10, T, 16),
            wrist_weight=_positive(rng, 1000, T),
            shape_weight=jnp.asarray(0.3),
            dof=jnp.asarray(2.0),
        ),
        smooth=SmoothTerm(_positive(rng, 3, 17), _positive(rng, 3, 17), jnp.full(T, 2.0)),
        prior=PriorTerm(
            pose_mean=_normal(rng, 0.1, 45),
            pose_precision=jnp.asarray(0.01 * spread @ spread.T, jnp.float32),
            lower=jnp.full(45, -0.2),
            upper=jnp.full(45, 0.2),
            limit_weight=jnp.asarray(3.0),
            shape_weight=jnp.asarray(0.5),
        ),
        contact=PenetrationTerm(ball.grid, still(T), skin, jnp.full(T, 1000.0), jnp.asarray(0.001), jnp.zeros(T)),
        # The last frame is padding: no term connects it to the others.
        frame_mask=jnp.arange(T) < T - 1,
    )


def test_gradient(random_hand: HandModel, problem: Problem, state: HandState) -> None:
    """Gradient for the frames' unknowns, and for the shape without contact, which must not change the shape."""
    model = random_hand.replace(posedirs=jnp.zeros_like(random_hand.posedirs))

    def cost(
        frame_step: jax.Array, shape_step: jax.Array, contact: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        given = problem.replace(contact=problem.contact.replace(weight=contact * problem.contact.weight))
        linear = linearize(model, given, step_state(state, frame_step, shape_step))
        return linear.cost, (linear.frames, linear.shape)

    def check(contact: float, unknowns: slice) -> None:
        arguments = jnp.zeros((T, N_UNKNOWNS)), jnp.zeros(N_SHAPE), jnp.asarray(contact)
        wanted, linear = gradients(*arguments)
        for found, gradient in list(zip(linear, wanted, strict=True))[unknowns]:
            np.testing.assert_allclose(-np.asarray(found), np.asarray(gradient), atol=1e-4 * np.abs(gradient).max())

    gradients = plain(jax.grad(cost, argnums=(0, 1), has_aux=True))
    check(1.0, slice(0, 1))
    check(0.0, slice(0, 2))


@pytest.mark.slow
def test_normal_matrix(random_hand: HandModel, problem: Problem) -> None:
    """If all residuals are zero, the Gauss-Newton matrix is the cost's second derivative."""
    model = random_hand.replace(posedirs=jnp.zeros_like(random_hand.posedirs))
    rest = HandState(jnp.broadcast_to(jnp.eye(3), (T, 16, 3, 3)), jnp.full((T, 3), 0.5), jnp.zeros(N_SHAPE))
    bones = pose_bones(model, rest)
    surface, prior = problem.surface, problem.prior
    at_rest = problem.replace(
        surface=surface.replace(target=surface_points(model, bones, surface.face, surface.barycentric).position),
        joints=problem.joints.replace(target=joint_points(model, bones).position),
        tracked=problem.tracked.replace(state=rest),
        prior=prior.replace(pose_mean=jnp.zeros(45)),
        frame_mask=jnp.ones(T, bool),
    )

    def gradient(steps: jax.Array) -> tuple[jax.Array, Linear]:
        linear = linearize(model, at_rest, step_state(rest, steps[:-N_SHAPE].reshape(T, N_UNKNOWNS), steps[-N_SHAPE:]))
        return -jnp.concatenate([linear.frames.ravel(), linear.shape]), linear

    wanted, linear = plain_jit(jax.jacfwd(gradient, has_aux=True), jnp.zeros(T * N_UNKNOWNS + N_SHAPE))
    wanted = np.asarray(wanted)
    assert float(linear.cost) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(dense(linear.system), wanted, atol=1e-4 * np.abs(wanted).max())


def test_the_way_out_of_a_ball(ball: ObjectModel) -> None:
    """Distance from a point inside a sphere to its surface along any direction, up to the reach of the steps."""
    rng = np.random.default_rng(3)
    way = rng.normal(size=(2, 40, 3))
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    place = rng.normal(size=(2, 40, 3))
    place *= rng.uniform(0.03, 0.039, (2, 40, 1)) / np.linalg.norm(place, axis=-1, keepdims=True)
    skin = Binding(jnp.zeros(1, jnp.int32), jnp.ones((1, 3)) / 3, jnp.zeros((1, 3)))
    term = PenetrationTerm(ball.grid, still(2), skin, jnp.ones(2), jnp.asarray(0.0), jnp.ones(2))
    back, is_near = map(
        np.asarray, plain_jit(_push_back, term, *(jnp.asarray(each, jnp.float32) for each in (place, way)))
    )
    along = -(place * way).sum(axis=-1)
    chord = -along + np.sqrt(along**2 - (place**2).sum(axis=-1) + BALL_RADIUS**2)
    reach = PUSH_BACK_STEP * PUSH_BACK_STEPS
    assert is_near[chord < 0.95 * reach].all()
    assert not is_near[chord > 1.05 * reach].any()
    assert 10 < is_near.sum() < 70
    np.testing.assert_allclose(back[is_near], chord[is_near], atol=0.0012)  # the grid is coarse
