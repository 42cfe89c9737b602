"""Cost of the distances of skin points and joints from targets.

    0.5 sum_m |W_m^(1/2) (x_m(state) - y_m)|^2

W_m has one weight along a direction and another across it: a correspondence's error along the ray differs from its
error on the skin.
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.hand.model import HandModel
from toch_jax.solver.kinematics import Bones, joint_points, project, surface_points
from toch_jax.solver.normal_equations import Rows


class SurfaceTerm(struct.PyTreeNode):
    """Skin points and their targets: correspondences of a field, or a tracker's skin points. Metres; weights 1/m2."""

    face: Int[Array, "T M"]
    barycentric: Float[Array, "T M 3"]
    target: Float[Array, "T M 3"]
    normal: Float[Array, "T M 3"]
    """Unit direction of `weight_along`; `weight_across` is for the directions perpendicular to it."""
    weight_along: Float[Array, "T M"]
    weight_across: Float[Array, "T M"]


class JointTerm(struct.PyTreeNode):
    """Joints (16 + tips) and their targets. Metres; weights 1/m2."""

    target: Float[Array, "T 21 3"]
    weight: Float[Array, "T 21"]


def surface_rows(model: HandModel, bones: Bones, term: SurfaceTerm) -> Rows:
    """Whitened residuals of a surface term, with derivatives."""
    points = surface_points(model, bones, term.face, term.barycentric)
    across = jnp.sqrt(term.weight_across)[..., None, None]
    along = jnp.sqrt(term.weight_along)[..., None, None]
    outer = term.normal[..., :, None] * term.normal[..., None, :]
    whiten = across * jnp.eye(3) + (along - across) * outer
    residual = jnp.einsum("tmra,tma->tmr", whiten, points.position - term.target)
    by_frame, by_shape = project(bones, points, whiten)
    return Rows(residual.reshape(residual.shape[0], -1), by_frame, by_shape)


def joint_rows(model: HandModel, bones: Bones, term: JointTerm) -> Rows:
    """Whitened residuals of a joint term, with derivatives."""
    points = joint_points(model, bones)
    whiten = jnp.sqrt(term.weight)[..., None, None] * jnp.eye(3)
    residual = jnp.sqrt(term.weight)[..., None] * (points.position - term.target)
    by_frame, by_shape = project(bones, points, whiten)
    return Rows(residual.reshape(residual.shape[0], -1), by_frame, by_shape)
