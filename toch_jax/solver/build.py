"""The problem's terms from settings, data and noise levels."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toch_jax.hand.model import HandModel
from toch_jax.hand.prior import pose_prior
from toch_jax.hand.skin_binding import Binding
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.solver.problem import ContactTerm, JointTerm, PriorTerm, SmoothTerm, SurfaceTerm, TrackedTerm
from toch_jax.solver.settings import FitSettings, Levels
from toch_jax.solver.state import HandState

GAUSSIAN = 1e6
"""Degrees of freedom that make Student's t a Gaussian."""


def no_surface(n_frames: int) -> SurfaceTerm:
    """A surface term that says nothing."""
    zero, vector = jnp.zeros((n_frames, 1)), jnp.zeros((n_frames, 1, 3))
    return SurfaceTerm(jnp.zeros((n_frames, 1), jnp.int32), vector, vector, vector, zero, zero)


def no_joints(n_frames: int) -> JointTerm:
    """A joint term that says nothing."""
    return JointTerm(jnp.zeros((n_frames, 21, 3)), jnp.zeros((n_frames, 21)))


def no_contact(n_frames: int) -> ContactTerm:
    """A contact term that says nothing."""
    nothing = jnp.zeros((0, 3))
    faces = jnp.zeros((0, 3), jnp.int32)
    one = ObjectModel(
        vertices=nothing,
        faces=faces,
        vertex_part=jnp.zeros(0, jnp.int32),
        points=nothing,
        normals=nothing,
        point_part=jnp.zeros(0, jnp.int32),
        clearance_out=jnp.zeros(0),
        clearance_in=jnp.zeros(0),
        sdf=jnp.ones((1, 2, 2, 2)),
        sdf_origin=jnp.zeros((1, 3)),
        sdf_spacing=jnp.ones((1, 3)),
    )
    zero = jnp.zeros(n_frames)
    still = ObjectMotion(jnp.broadcast_to(jnp.eye(3), (1, n_frames, 3, 3)), jnp.zeros((1, n_frames, 3)))
    point = Binding(jnp.zeros(1, jnp.int32), jnp.ones((1, 3)) / 3, jnp.zeros((1, 3)))
    return ContactTerm(one, still, point, weight=zero, margin=jnp.zeros(()), push_back=zero, watched=1)


def smooth_term(
    settings: FitSettings,
    fps: float | Float[Array, ""],
    pace: Float[Array, "T 17"] | None,
    freedom: Float[Array, "T"],
) -> SmoothTerm:
    """Motion, per frame at this frame rate; as quick as the settings say where its pace is not known."""
    usual = settings.acceleration.by_group()
    acceleration = usual if pace is None else settings.quickness.by_group() * pace
    return SmoothTerm(
        velocity_weight=(fps / settings.velocity.by_group()) ** 2,
        acceleration_weight=(fps**2 / acceleration) ** 2,
        freedom=freedom,
    )


def tracked_term(
    tracked: HandState, seen: Bool[Array, "T"], noise: Levels, settings: FitSettings, robust: bool
) -> TrackedTerm:
    """The tracked hand, as sure as its noise lets it be."""
    times, most = settings.finger_bias
    fingers = jnp.maximum(noise.fingers, jnp.minimum(times * noise.fingers, most))
    noise = noise.replace(fingers=fingers)
    weight = 1 / (noise.by_group() ** 2 + settings.tracked_floor.by_group() ** 2)
    return TrackedTerm(
        state=tracked,
        rotation_weight=seen[:, None] * weight[:16],
        wrist_weight=seen * weight[16],
        shape_weight=jnp.asarray(1 / settings.tracked_shape**2, jnp.float32),
        freedom=jnp.asarray(settings.tracked_freedom if robust else GAUSSIAN, jnp.float32),
    )


def prior_term(model: HandModel, settings: FitSettings) -> PriorTerm:
    """Anatomical poses, joint limits, and shapes."""
    prior = pose_prior(model.side)
    # Directions that the anatomical poses hardly use are stiff, but not without limit.
    precision = jnp.linalg.inv(prior.covariance + 0.05**2 * jnp.eye(45))
    return PriorTerm(
        pose_mean=prior.mean,
        pose_precision=settings.pose_prior * precision,
        lower=prior.lower,
        upper=prior.upper,
        limit_weight=jnp.asarray(1 / settings.joint_limit**2, jnp.float32),
        shape_weight=jnp.asarray(1 / settings.shape**2, jnp.float32),
    )
