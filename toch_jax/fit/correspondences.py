"""Cost terms from a denoiser's estimate: skin points and joints with their targets and weights."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toch_jax.base.arrays import put
from toch_jax.base.programs import program
from toch_jax.denoiser.window import JointEstimate
from toch_jax.field.contact_field import FieldEstimate
from toch_jax.hand.mesh import closest_on_canonical
from toch_jax.hand.model import HandModel
from toch_jax.observe import FieldObservation
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.settings import FitSettings
from toch_jax.track.noise_level import denoiser_share
from toch_jax.track.tracked_hand import TrackedHand


def denoiser_terms(
    tracked: TrackedHand, observation: FieldObservation, settings: FitSettings
) -> tuple[SurfaceTerm, JointTerm | None]:
    """Terms of a denoiser's estimate, in the hand's frame of reference, over the padded frames.

    The less the tracked hand shakes in a frame where it was observed, the less the estimate counts.
    """
    field, points, normals = observation.estimate.field, observation.points, observation.normals
    surface = field_term(
        tracked.model, field, points, normals, settings.field_effective_samples, settings.correspondences
    )
    joints = None
    if observation.estimate.joints is not None:
        joints = joint_term(observation.estimate.joints, settings.joint_effective_samples)
    track = tracked.track
    if observation.from_network:
        share = denoiser_share(track.smoothed.noise, track.observed, settings.steady_noise)
        surface, joints = weighted(surface, joints, share)
    pose = track.motion.rotation[tracked.part], track.motion.translation[tracked.part]
    return moved_terms(surface, joints, *map(np.asarray, pose))


def field_term(
    model: HandModel,
    estimate: FieldEstimate,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    effective_samples: float | Float[Array, ""],
    count: int,
) -> SurfaceTerm:
    """Surface term from a denoised field: the skin point at a correspondence should be at point + distance * normal.

    `points` and `normals` are the object's samples, in the frame of the targets (metres). Each frame uses the `count`
    samples of largest mask probability over variance. The errors of a frame's samples are correlated (they come from
    the same network output), so together they count as at most `effective_samples` independent ones. Correspondences on
    the cap that closes an open wrist have weight 0: no skin is there.
    """
    correspondence, target, normal, weight_along, weight_across = _surest(
        estimate, points, normals, effective_samples, count
    )
    face, barycentric, on_skin = closest_on_canonical(model, correspondence)
    return SurfaceTerm(face, barycentric, target, normal, on_skin * weight_along, on_skin * weight_across)


@program("count")
def _surest(
    estimate: FieldEstimate,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    effective_samples: float | Float[Array, ""],
    count: int,
) -> tuple[
    Float[Array, "T M 3"], Float[Array, "T M 3"], Float[Array, "T M 3"], Float[Array, "T M"], Float[Array, "T M"]
]:
    """Correspondence, target, normal, and weights along and across the normal (1/m2) of the samples that are used."""
    sure = jax.nn.sigmoid(estimate.mask_logit)
    spread = estimate.distance_sigma**2 + 2 * estimate.correspondence_sigma**2
    _, chosen = jax.lax.top_k(sure / spread, min(count, points.shape[1]))

    def pick(values: Float[Array, "T N *rest"]) -> Float[Array, "T M *rest"]:
        return jnp.take_along_axis(values, chosen.reshape(chosen.shape + (1,) * (values.ndim - 2)), axis=1)

    sure, normal = pick(sure), pick(normals)
    share = sure * jnp.minimum(1.0, effective_samples / jnp.maximum(sure.sum(axis=1, keepdims=True), 1e-6))
    target = pick(points) + pick(estimate.distance)[..., None] * normal
    along, across = share / pick(estimate.distance_sigma) ** 2, share / pick(estimate.correspondence_sigma) ** 2
    return pick(estimate.correspondence), target, normal, along, across


def weighted(
    surface: SurfaceTerm, joints: JointTerm | None, share: Float[Array, "T"]
) -> tuple[SurfaceTerm, JointTerm | None]:
    """The denoiser's terms with each frame's weights multiplied by `share`."""
    by_frame = np.asarray(share)[:, None]
    along, across = by_frame * np.asarray(surface.weight_along), by_frame * np.asarray(surface.weight_across)
    surface = surface.replace(weight_along=put(along), weight_across=put(across))
    return surface, None if joints is None else joints.replace(weight=put(by_frame * np.asarray(joints.weight)))


@program()
def joint_term(estimate: JointEstimate, effective_samples: float | Float[Array, ""]) -> JointTerm:
    """Joint term from denoised joints, which are correlated: the 21 of a frame count as `effective_samples`."""
    return JointTerm(target=estimate.joints, weight=effective_samples / 21 / estimate.sigma**2)


def moved_terms(
    surface: SurfaceTerm,
    joints: JointTerm | None,
    rotation: Float[np.ndarray, "T 3 3"],
    translation: Float[np.ndarray, "T 3"],
) -> tuple[SurfaceTerm, JointTerm | None]:
    """The terms with targets and normals in another frame of reference: x -> rotation x + translation (metres)."""

    def rotated(vectors: Float[Array, "T M 3"]) -> Float[np.ndarray, "T M 3"]:
        return np.einsum("tab,tmb->tma", rotation, np.asarray(vectors))

    def moved(points: Float[Array, "T M 3"]) -> Float[Array, "T M 3"]:
        return put(rotated(points) + translation[:, None], np.float32)

    surface = surface.replace(target=moved(surface.target), normal=put(rotated(surface.normal), np.float32))
    return surface, None if joints is None else joints.replace(target=moved(joints.target))
