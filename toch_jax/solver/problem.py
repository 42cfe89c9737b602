"""All cost terms of a hand's trajectory, or of several hands', and their Gauss-Newton linearisation.

A term's weights are arrays: other values, also 0, which switches a row off, need no new compilation. Weights are
1 / variance (1/m2 or 1/rad2). All quantities of a hand are in one reference frame, usually that of the object part
that it holds.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax.scipy.linalg import block_diag
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel
from toch_jax.solver.costs.hands import HandsTerm, add_hands
from toch_jax.solver.costs.motion import SmoothTerm, TrackedTerm, add_smooth, add_tracked
from toch_jax.solver.costs.penetration import PenetrationTerm, penetration_rows
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm, joint_rows, surface_rows
from toch_jax.solver.costs.prior import PriorTerm, add_prior
from toch_jax.solver.kinematics import N_UNKNOWNS, HandState, pose_bones
from toch_jax.solver.normal_equations import BandedSystem, Linear, add_rows, no_terms


class Problem(struct.PyTreeNode):
    """All terms of one hand's trajectory over T frames (T even); a term that is None is left out."""

    surface: SurfaceTerm | None
    joints: JointTerm | None
    tracked: TrackedTerm
    smooth: SmoothTerm
    prior: PriorTerm
    contact: PenetrationTerm | None
    frame_mask: Bool[Array, "T"]
    """False for the frames that pad the clip to its bucket."""


def linearize(model: HandModel, problem: Problem, state: HandState) -> Linear:
    """Cost and normal equations of the problem at `state`."""
    linear = no_terms(state.wrist.shape[0], state.betas.shape[0])
    # Padding frames have no terms: with a unit diagonal the system stays regular and their step is 0.
    idle = jnp.eye(N_UNKNOWNS) * ~problem.frame_mask[:, None, None]
    linear = linear.replace(system=linear.system.replace(diagonal=idle))
    bones = pose_bones(model, state)
    if problem.surface is not None:
        linear = add_rows(linear, surface_rows(model, bones, problem.surface))
    if problem.joints is not None:
        linear = add_rows(linear, joint_rows(model, bones, problem.joints))
    if problem.contact is not None:
        linear = add_rows(linear, penetration_rows(model, bones, problem.contact))
    linear = add_tracked(linear, problem.tracked, state)
    linear = add_smooth(linear, problem.smooth, state, problem.frame_mask)
    return add_prior(linear, problem.prior, state, problem.frame_mask)


def linearize_hands(
    models: tuple[HandModel, ...], problems: tuple[Problem, ...], term: HandsTerm, states: tuple[HandState, ...]
) -> Linear:
    """Cost and normal equations of several hands' problems and of the term between the hands.

    The unknowns of a frame are those of the first hand, then those of the second; likewise the shape coefficients.
    """
    alone = [linearize(*each) for each in zip(models, problems, states, strict=True)]
    linear = Linear(
        cost=jnp.sum(jnp.stack([each.cost for each in alone])),
        system=BandedSystem(
            diagonal=_diagonal([each.system.diagonal for each in alone]),
            next_one=_diagonal([each.system.next_one for each in alone]),
            next_two=_diagonal([each.system.next_two for each in alone]),
            border=_diagonal([each.system.border for each in alone]),
            corner=block_diag(*(each.system.corner for each in alone)),
        ),
        frames=jnp.concatenate([each.frames for each in alone], axis=1),
        shape=jnp.concatenate([each.shape for each in alone]),
    )
    return add_hands(linear, term, states)


def _diagonal(blocks: list[Float[Array, "T _ _"]]) -> Float[Array, "T _ _"]:
    """Block-diagonal matrix of each frame."""
    return jax.vmap(block_diag)(*blocks)
