"""Linearisation of a problem at one state: its cost, its normal equations, and how residuals add to them.

Costs are negative log likelihoods up to a constant, so that terms are weighed by their variances.
"""

import jax.numpy as jnp
import jaxlie
from flax import struct
from jaxtyping import Array, Float

from toch_jax.solver.banded import BandedSystem
from toch_jax.solver.state import N_UNKNOWNS

N_GROUPS = 17
"""Groups of three unknowns in a frame: 16 rotations and the wrist position."""


class Linear(struct.PyTreeNode):
    """Problem linearised at one state: cost, normal equations, and their right-hand side (`frames`, `shape`).

    A frame has n unknowns: 51 for each hand.
    """

    cost: Float[Array, ""]
    system: BandedSystem
    frames: Float[Array, "T n"]
    shape: Float[Array, "S"]


class Rows(struct.PyTreeNode):
    """Whitened residuals, R in each frame, with derivatives."""

    residual: Float[Array, "T R"]
    by_frame: Float[Array, "T R n"]
    by_shape: Float[Array, "T R S"]


def no_terms(n_frames: int, n_shape: int, n_unknowns: int = N_UNKNOWNS) -> Linear:
    """Linearised problem without terms: all zero."""
    square = jnp.zeros((n_frames, n_unknowns, n_unknowns))
    border, corner = jnp.zeros((n_frames, n_unknowns, n_shape)), jnp.zeros((n_shape, n_shape))
    return Linear(
        cost=jnp.zeros(()),
        system=BandedSystem(square, square, square, border, corner),
        frames=jnp.zeros((n_frames, n_unknowns)),
        shape=jnp.zeros(n_shape),
    )


def add_rows(linear: Linear, rows: Rows) -> Linear:
    """Add the cost 0.5 |residual|^2 to a linearised problem."""
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


def spread(blocks: Float[Array, "T 17 3 3"]) -> Float[Array, "T 51 51"]:
    """Block-diagonal matrix of each frame."""
    wide = jnp.einsum("tgij,gh->tgihj", blocks, jnp.eye(N_GROUPS))
    return wide.reshape(-1, N_UNKNOWNS, N_UNKNOWNS)


def rotation_vectors(rotations: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Rotation vectors (rad) of rotation matrices."""
    return jaxlie.SO3.from_matrix(rotations).log()


def inverse_right_jacobian(e: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """The matrix J with log(R exp(d)) = e + J d for small d, where e = log R (Sola et al. 2018, eq. 144).

    From |e| = 3 rad on, where the closed form is inaccurate in float32, to second order in e.
    """
    cross = jnp.cross(e[..., None, :], -jnp.eye(3))
    square = jnp.sum(e * e, axis=-1)
    angle = jnp.sqrt(jnp.maximum(square, 1e-6))
    exact = 1 / angle**2 - (1 + jnp.cos(angle)) / (2 * angle * jnp.sin(angle))
    factor = jnp.where(square < 1e-2, 1 / 12 + square / 720, jnp.where(angle < 3.0, exact, 1 / 12))
    return jnp.eye(3) + 0.5 * cross + factor[..., None, None] * (cross @ cross)


def student(square: Float[Array, "*batch"], dof: Float[Array, "*#batch"]) -> tuple[Array, Array]:
    """Student's t cost of a whitened error of squared length `square`, and its weight in reweighted least squares.

    Scaled so that small errors have weight 1: `dof` sets only the squared length from which errors count less.
    """
    return 0.5 * dof * jnp.log1p(square / dof), 1 / (1 + square / dof)
