"""Each term of the problem, linearised: its cost, and its share of the normal equations.

Costs are negative log likelihoods up to a constant, so the terms weigh against each other as probabilities do.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import jaxlie
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel
from toch_jax.hand.skin_binding import bound_points
from toch_jax.object.sdf import distance_to_object
from toch_jax.solver.banded import BandedSystem
from toch_jax.solver.kinematics import Bones, all_vertices, joint_points, pose_bones, project, surface_points
from toch_jax.solver.problem import ContactTerm, JointTerm, PriorTerm, Problem, SmoothTerm, SurfaceTerm, TrackedTerm
from toch_jax.solver.state import N_UNKNOWNS, WRIST_SCALE, HandState

WAY_BACK_STEP, WAY_BACK_STEPS = 0.002, 6
"""Metres, and how many: less than a finger is thick."""
N_GROUPS = 17
"""16 rotations and the wrist: three unknowns each."""


class Linear(struct.PyTreeNode):
    """The problem around one state: its cost, the normal equations and their right-hand side.

    A frame has n unknowns: the 51 of each hand.
    """

    cost: Float[Array, ""]
    system: BandedSystem
    frames: Float[Array, "T n"]
    shape: Float[Array, "S"]


class Rows(struct.PyTreeNode):
    """Whitened residuals of each frame, with derivatives."""

    residual: Float[Array, "T R"]
    by_frame: Float[Array, "T R n"]
    by_shape: Float[Array, "T R S"]


def _inverse_right_jacobian(e: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """log(R exp(d)) = e + this d, for e = log R (Sola et al. 2018, eq. 144), to second order in e beyond a radian."""
    cross = jnp.cross(e[..., None, :], -jnp.eye(3))
    square = jnp.sum(e * e, axis=-1)
    angle = jnp.sqrt(jnp.maximum(square, 1e-6))
    exact = 1 / angle**2 - (1 + jnp.cos(angle)) / (2 * angle * jnp.sin(angle))
    factor = jnp.where(square < 1e-2, 1 / 12 + square / 720, jnp.where(angle < 3.0, exact, 1 / 12))
    return jnp.eye(3) + 0.5 * cross + factor[..., None, None] * (cross @ cross)


def _student(square: Float[Array, "*batch"], freedom: Float[Array, "*#batch"]) -> tuple[Array, Array]:
    """Cost of a whitened three-vector of this squared length, and the weight that it leaves it in least squares.

    Scaled so that a small error weighs 1: `freedom` sets where errors start to count less, not what they cost.
    """
    return 0.5 * freedom * jnp.log1p(square / freedom), 1 / (1 + square / freedom)


def _surface_rows(model: HandModel, bones: Bones, term: SurfaceTerm) -> Rows:
    points = surface_points(model, bones, term.face, term.barycentric)
    across = jnp.sqrt(term.weight_across)[..., None, None]
    along = jnp.sqrt(term.weight_along)[..., None, None]
    outer = term.normal[..., :, None] * term.normal[..., None, :]
    whiten = across * jnp.eye(3) + (along - across) * outer
    residual = jnp.einsum("tmra,tma->tmr", whiten, points.position - term.target)
    by_frame, by_shape = project(bones, points, whiten)
    return Rows(residual.reshape(residual.shape[0], -1), by_frame, by_shape)


def _joint_rows(model: HandModel, bones: Bones, term: JointTerm) -> Rows:
    points = joint_points(model, bones)
    whiten = jnp.sqrt(term.weight)[..., None, None] * jnp.eye(3)
    residual = jnp.sqrt(term.weight)[..., None] * (points.position - term.target)
    by_frame, by_shape = project(bones, points, whiten)
    return Rows(residual.reshape(residual.shape[0], -1), by_frame, by_shape)


def _contact_rows(model: HandModel, bones: Bones, term: ContactTerm) -> Rows:
    every, every_normal = bound_points(model, all_vertices(model, bones), term.skin)
    depth = -distance_to_object(term.object, term.motion, every)[0]
    chosen = jax.lax.top_k(depth, min(term.watched, depth.shape[1]))[1]
    place, normal = (jnp.take_along_axis(each, chosen[..., None], axis=1) for each in (every, every_normal))
    distance, direction = distance_to_object(term.object, term.motion, place)
    # skin that faces the way out is not what sank in: it is the back of a finger, or it has come through the middle of
    # something thin and goes back the way it came (a weight, held while a step is found)
    facing = jax.lax.stop_gradient(jnp.sum(direction * normal, axis=-1))
    nowhere = jnp.zeros(facing.shape), jnp.zeros(facing.shape, bool)
    any_back = (term.push_back > 0).any()
    back, is_near = jax.lax.cond(any_back, partial(_way_back, term), lambda *_: nowhere, place, normal)
    through = (facing > 0) & is_near
    distance = jnp.where(through, -back, distance)
    direction = jnp.where(through[..., None], -normal, direction)
    share = jnp.where(through, term.push_back[:, None] * facing, jnp.clip(-facing, 0.0, 1.0))
    root = jnp.sqrt(term.weight[:, None] * share)
    inside = distance < -term.margin
    # a bound point moves as the skin beneath it does, but for its small offset's turning
    points = surface_points(model, bones, term.skin.face[chosen], term.skin.barycentric[chosen])
    direction = jnp.where(inside[..., None], root[..., None] * direction, 0.0)
    by_frame, by_shape = project(bones, points, direction[:, :, None])
    # contact tells where a hand is, not how large: it must not shrink to leave an object of the wrong scale
    return Rows(jnp.where(inside, root * (distance + term.margin), 0.0), by_frame, jnp.zeros_like(by_shape))


def _way_back(
    term: ContactTerm, points: Float[Array, "T M 3"], normal: Float[Array, "T M 3"]
) -> tuple[Float[Array, "T M"], Bool[Array, "T M"]]:
    """How far a point that is inside must go back, against the skin's normal, to be out (metres); is it that near.

    Steps take the surface there to be square to the way: where it is oblique they are approximate, and damped.
    """
    n_frames, n_points = points.shape[:2]
    steps = jnp.arange(1 + WAY_BACK_STEPS) * WAY_BACK_STEP
    places = (points[:, :, None] - steps[:, None] * normal[:, :, None]).reshape(n_frames, -1, 3)
    distance = distance_to_object(term.object, term.motion, places)[0].reshape(n_frames, n_points, -1)
    out = distance > 0
    first = jnp.maximum(jnp.argmax(out, axis=-1), 1)[..., None]
    after = jnp.take_along_axis(distance, first, axis=-1)[..., 0]
    before = jnp.take_along_axis(distance, first - 1, axis=-1)[..., 0]
    over = after / jnp.maximum(after - before, 1e-9)
    return jnp.clip(first[..., 0] - over, 0.0, WAY_BACK_STEPS) * WAY_BACK_STEP, out.any(axis=-1)


@jax.jit
def penetration_depth(model: HandModel, term: ContactTerm, state: HandState) -> Float[Array, "T"]:
    """Depth of each frame's deepest point inside the object, metres; 0 where none is inside."""
    points = bound_points(model, all_vertices(model, pose_bones(model, state)), term.skin)[0]
    return jnp.maximum(-distance_to_object(term.object, term.motion, points)[0].min(axis=1), 0.0)


def add_rows(linear: Linear, rows: Rows) -> Linear:
    """The problem with these residuals among its terms."""
    system = linear.system
    return Linear(
        cost=linear.cost + 0.5 * jnp.sum(rows.residual**2),
        system=system.replace(
            diagonal=system.diagonal + jnp.einsum("tri,trj->tij", rows.by_frame, rows.by_frame),
            border=system.border + jnp.einsum("tri,trs->tis", rows.by_frame, rows.by_shape),
            corner=system.corner + jnp.einsum("trs,tru->su", rows.by_shape, rows.by_shape),
        ),
        frames=linear.frames - jnp.einsum("tri,tr->ti", rows.by_frame, rows.residual),
        shape=linear.shape - jnp.einsum("trs,tr->s", rows.by_shape, rows.residual),
    )


def _spread(blocks: Float[Array, "T 17 3 3"]) -> Float[Array, "T 51 51"]:
    """Block-diagonal matrices from their blocks."""
    wide = jnp.einsum("tgij,gh->tgihj", blocks, jnp.eye(N_GROUPS))
    return wide.reshape(-1, N_UNKNOWNS, N_UNKNOWNS)


def turns(rotations: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    return jaxlie.SO3.from_matrix(rotations).log()


def _add_tracked(linear: Linear, term: TrackedTerm, state: HandState) -> Linear:
    turn = turns(jnp.swapaxes(term.state.rotations, -1, -2) @ state.rotations)
    moved = state.wrist - term.state.wrist
    residual = jnp.concatenate([turn, moved[:, None]], axis=1)
    derivative = jnp.concatenate(
        [_inverse_right_jacobian(turn), jnp.broadcast_to(WRIST_SCALE * jnp.eye(3), (len(moved), 1, 3, 3))], axis=1
    )
    weight = jnp.concatenate([term.rotation_weight, term.wrist_weight[:, None]], axis=1)
    cost, trust = _student(weight * jnp.sum(residual**2, axis=-1), term.freedom)
    weight = weight * trust
    blocks = jnp.einsum("tg,tgai,tgaj->tgij", weight, derivative, derivative)
    shape = state.betas - term.state.betas
    system = linear.system
    return Linear(
        cost=linear.cost + cost.sum() + 0.5 * term.shape_weight * jnp.sum(shape**2),
        system=system.replace(
            diagonal=system.diagonal + _spread(blocks),
            corner=system.corner + term.shape_weight * jnp.eye(shape.shape[0]),
        ),
        frames=linear.frames - jnp.einsum("tg,tgai,tga->tgi", weight, derivative, residual).reshape(-1, N_UNKNOWNS),
        shape=linear.shape - term.shape_weight * shape,
    )


def _add_smooth(linear: Linear, term: SmoothTerm, state: HandState, frame_valid: Bool[Array, "T"]) -> Linear:
    """First and second differences; derivatives are by this frame, the next, and the one after."""
    n_frames = state.wrist.shape[0]
    turn = turns(jnp.swapaxes(state.rotations[:-1], -1, -2) @ state.rotations[1:])
    step = jnp.concatenate([turn, jnp.diff(state.wrist, axis=0)[:, None]], axis=1)
    unit = jnp.broadcast_to(WRIST_SCALE * jnp.eye(3), (n_frames - 1, 1, 3, 3))
    by_here = -jnp.concatenate([_inverse_right_jacobian(-turn), unit], axis=1)
    by_next = jnp.concatenate([_inverse_right_jacobian(turn), unit], axis=1)
    linked = frame_valid[:-1] & frame_valid[1:]

    diagonal = jnp.zeros((n_frames, N_GROUPS, 3, 3))
    next_one, next_two = jnp.zeros_like(diagonal), jnp.zeros_like(diagonal)
    gradient = jnp.zeros((n_frames, N_GROUPS, 3))

    weight = term.velocity_weight * linked[:, None]
    cost, trust = _student(weight * jnp.sum(step**2, axis=-1), term.freedom[:-1, None])
    total = cost.sum()
    weight = weight * trust
    parts = (by_here, by_next)
    for i, a in enumerate(parts):
        gradient = gradient.at[i : n_frames - 1 + i].add(jnp.einsum("tg,tgai,tga->tgi", weight, a, step))
        diagonal = diagonal.at[i : n_frames - 1 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, a))
    next_one = next_one.at[:-1].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, by_here, by_next))

    bend = step[1:] - step[:-1]
    acceleration = jnp.broadcast_to(term.acceleration_weight, (n_frames, N_GROUPS))[1:-1]
    weight = acceleration * (linked[:-1] & linked[1:])[:, None]
    cost, trust = _student(weight * jnp.sum(bend**2, axis=-1), term.freedom[1:-1, None])
    total = total + cost.sum()
    weight = weight * trust
    pieces = (-by_here[:-1], by_here[1:] - by_next[:-1], by_next[1:])
    for i, a in enumerate(pieces):
        gradient = gradient.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tga->tgi", weight, a, bend))
        diagonal = diagonal.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, a))
    for i, (a, b) in enumerate(itertools.pairwise(pieces)):
        next_one = next_one.at[i : n_frames - 2 + i].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, a, b))
    next_two = next_two.at[:-2].add(jnp.einsum("tg,tgai,tgaj->tgij", weight, pieces[0], pieces[2]))

    system = linear.system
    return linear.replace(
        cost=linear.cost + total,
        system=system.replace(
            diagonal=system.diagonal + _spread(diagonal),
            next_one=system.next_one + _spread(next_one),
            next_two=system.next_two + _spread(next_two),
        ),
        frames=linear.frames - gradient.reshape(n_frames, N_UNKNOWNS),
    )


def _add_prior(linear: Linear, term: PriorTerm, state: HandState, frame_valid: Bool[Array, "T"]) -> Linear:
    n_frames = state.wrist.shape[0]
    angles = turns(state.rotations[:, 1:])
    by_turn = _inverse_right_jacobian(angles)
    pose = angles.reshape(n_frames, 45)
    valid = frame_valid[:, None].astype(pose.dtype)
    offset = (pose - term.pose_mean) * valid
    beyond = (jnp.minimum(pose - term.lower, 0) + jnp.maximum(pose - term.upper, 0)) * valid
    pull = offset @ term.pose_precision + term.limit_weight * beyond
    stiffness = valid[..., None] * term.pose_precision + jnp.eye(45) * (term.limit_weight * (beyond != 0))[:, :, None]
    stiffness = stiffness.reshape(n_frames, 15, 3, 15, 3)
    stiffness = jnp.einsum("tgai,tgahb,thbj->tgihj", by_turn, stiffness, by_turn).reshape(n_frames, 45, 45)
    gradient = jnp.einsum("tgai,tga->tgi", by_turn, pull.reshape(n_frames, 15, 3)).reshape(n_frames, 45)
    system = linear.system
    fingers = slice(3, 48)
    return Linear(
        cost=linear.cost
        + 0.5 * jnp.einsum("ti,ij,tj->", offset, term.pose_precision, offset)
        + 0.5 * term.limit_weight * jnp.sum(beyond**2)
        + 0.5 * term.shape_weight * jnp.sum(state.betas**2),
        system=system.replace(
            diagonal=system.diagonal.at[:, fingers, fingers].add(stiffness),
            corner=system.corner + term.shape_weight * jnp.eye(state.betas.shape[0]),
        ),
        frames=linear.frames.at[:, fingers].add(-gradient),
        shape=linear.shape - term.shape_weight * state.betas,
    )


def no_terms(n_frames: int, n_shape: int, n_unknowns: int = N_UNKNOWNS) -> Linear:
    """A problem that says nothing."""
    square = jnp.zeros((n_frames, n_unknowns, n_unknowns))
    border, corner = jnp.zeros((n_frames, n_unknowns, n_shape)), jnp.zeros((n_shape, n_shape))
    return Linear(
        cost=jnp.zeros(()),
        system=BandedSystem(square, square, square, border, corner),
        frames=jnp.zeros((n_frames, n_unknowns)),
        shape=jnp.zeros(n_shape),
    )


def linearize(model: HandModel, problem: Problem, state: HandState) -> Linear:
    """Gauss-Newton's view of the problem around `state`."""
    linear = no_terms(state.wrist.shape[0], state.betas.shape[0])
    # Padding frames have no terms: a unit diagonal keeps them where they are.
    idle = jnp.eye(N_UNKNOWNS) * ~problem.frame_valid[:, None, None]
    linear = linear.replace(system=linear.system.replace(diagonal=idle))
    bones = pose_bones(model, state)
    linear = add_rows(linear, _surface_rows(model, bones, problem.surface))
    linear = add_rows(linear, _joint_rows(model, bones, problem.joints))
    linear = add_rows(linear, _contact_rows(model, bones, problem.contact))
    linear = _add_tracked(linear, problem.tracked, state)
    linear = _add_smooth(linear, problem.smooth, state, problem.frame_valid)
    return _add_prior(linear, problem.prior, state, problem.frame_valid)
