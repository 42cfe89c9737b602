"""The whole road: a tracked sequence in, the same sequence repaired out."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from toch_jax.denoiser.apply import denoise_clip, frame_step
from toch_jax.denoiser.checkpoints import Denoiser
from toch_jax.denoiser.window import Estimate, Window, mirror, mirror_estimate, near_samples
from toch_jax.field.contact_field import contact_field
from toch_jax.fit.correspondence import field_term, joint_term
from toch_jax.fit.fit import bucket, fit_trajectory, pad_motion, pad_params, pad_seen
from toch_jax.fit.inverse_kinematics import params_from_joints, params_from_vertices
from toch_jax.fit.settings import DEFAULT, FitSettings
from toch_jax.fit.skin_binding import bind, carry
from toch_jax.fit.smooth import smooth_track
from toch_jax.hand.decimate import decimate
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.host import put, repeat, stack, take
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import relative_to, samples_in_frame
from toch_jax.sequence.part_frame import hand_to_part, hand_to_world, hold_lost, nearest_part
from toch_jax.sequence.types import Hands, Sequence

N_SAMPLES = 2000
"""Of the object's surface; the denoiser reads those nearest the hand."""
N_DENOISED = 512
N_FIELD_FACES = 1500
"""Of the hand that rays are cast against; its field differs from the full hand's by less than trackers err."""


def refine(
    sequence: Sequence,
    denoiser: Denoiser | None,
    settings: FitSettings = DEFAULT,
    object: ObjectModel | None = None,
) -> Sequence:
    """The sequence with its hands repaired: parameters, joints, vertices, and a sigma for each joint and frame.

    Without a denoiser the hand is fitted to its own track, smooth motion and non-penetration alone. `object` is the
    sequence's object where it has been built before. Ground truth is not read.
    """
    if object is None:
        object = sequence_object(sequence)
    object = object.without_mesh()
    refined = [refine_hand(sequence, hand, object, denoiser, settings) for hand in range(len(sequence.hand_side))]
    models, params, sigmas, skins = zip(*refined, strict=True)
    joints = [skin_frames(model, each)[1] for model, each in zip(models, params, strict=True)]
    return sequence.replace(
        hand_model=sequence.hand_model or "open",
        hands=Hands(
            params=stack(params),
            joints=stack(joints),
            vertices=stack(skins),
            vertex_order=sequence.hands.vertex_order if _given_as_points(sequence.hands) else models[0].name,
        ),
        hand_joint_sigma=stack(sigmas),
    )


def sequence_object(sequence: Sequence) -> ObjectModel:
    """The object of a sequence: samples, distances."""
    return build_object(
        np.asarray(sequence.object_vertices),
        np.asarray(sequence.object_faces),
        np.asarray(sequence.object_vertex_part),
        n_samples=N_SAMPLES,
    )


def tracked_params(sequence: Sequence, hand: int) -> tuple[HandModel, HandParams]:
    """The model and world parameters ((T, ...) axes, betas (S,)) of one hand, whatever it was given as."""
    model = load_hand(sequence.hand_model or "open", sequence.hand_side[hand])
    given = sequence.hands
    params, joints, vertices, seen = take((given.params, given.joints, given.vertices, sequence.hand_valid), hand)
    if params is not None:
        return model, params.replace(betas=put(np.asarray(params.betas).mean(axis=0)))
    if joints is not None:
        return model, params_from_joints(model, joints, seen)
    assert vertices is not None
    return model, params_from_vertices(model, vertices, given.vertex_order, seen)


def refine_hand(
    sequence: Sequence, hand: int, object: ObjectModel, denoiser: Denoiser | None, settings: FitSettings
) -> tuple[HandModel, HandParams, Float[Array, "T 21"], Float[Array, "T K 3"]]:
    """One hand's model, its repaired world parameters (betas (T, S)), the sigma of its joints (metres), and its skin:
    the tracker's own points where it gave no more than points, else the model's vertices.
    """
    model, params = tracked_params(sequence, hand)
    tracked = params
    seen = take(sequence.hand_valid, hand)
    every_betas = repeat(params.betas, sequence.n_frames)
    joints = skin_frames(model, params.replace(betas=every_betas))[1]
    part = nearest_part(sequence, joints, seen)
    held = hold_lost(hand_to_part(model, params.replace(betas=every_betas), sequence, part), seen)
    params = held.replace(betas=params.betas)
    motion = relative_to(sequence.object_motion, part)
    surface, joint_data = None, None
    if denoiser is not None:
        surface_hand = field_hand(sequence.hand_model or "open", model.side)
        estimate, points, normals = estimate_clean(surface_hand, params, seen, sequence.fps, object, motion, denoiser)
        surface = field_term(model, estimate.field, points, normals, settings.field_strength, settings.correspondences)
        joint_data = None if estimate.joints is None else joint_term(estimate.joints, settings.joint_strength)
    binding = None
    if _given_as_points(sequence.hands):
        assert sequence.hands.vertices is not None
        binding = bind(model, tracked, take(sequence.hands.vertices, hand), seen)
    fitted = fit_trajectory(model, params, seen, sequence.fps, object, motion, surface, joint_data, settings, binding)
    clean = hand_to_world(model, fitted.params, sequence, part)
    clean = clean.replace(betas=repeat(clean.betas, sequence.n_frames))
    skin = skin_frames(model, clean)[0] if binding is None else carry(model, clean, binding)
    return model, clean, fitted.joint_sigma, skin


def _given_as_points(hands: Hands) -> bool:
    return hands.params is None and hands.joints is None


@cache
def field_hand(hand_model: str, side: Side) -> HandModel:
    """The coarser hand that rays are cast against."""
    return decimate(load_hand(hand_model, side), N_FIELD_FACES)


def estimate_clean(
    surface: HandModel,
    params: HandParams,
    seen: Bool[Array, "T"],
    fps: float,
    object: ObjectModel,
    motion: ObjectMotion,
    denoiser: Denoiser,
) -> tuple[Estimate, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """What the denoiser makes of a tracked hand, all in the fit's frame; axes (T, ...).

    Also the points and normals of the N samples that it read. `surface` is the hand whose skin the rays meet.
    """
    n_frames = params.pose.shape[0]
    size = bucket(n_frames)
    inside = put(np.arange(size) < n_frames)
    params, seen, motion = pad_params(params, size), pad_seen(seen, size), pad_motion(motion, size)
    clip, points, normals = _clip(surface, params, seen, inside, fps, object, motion, denoiser.config.smoothed)
    if surface.side == "left":
        estimate = mirror_estimate(denoise_clip(denoiser, mirror(clip), frame_step(fps)))
    else:
        estimate = denoise_clip(denoiser, clip, frame_step(fps))
    estimate = take(estimate, np.s_[0, :n_frames])
    return estimate, *take((points, normals), np.s_[:n_frames])


@partial(jax.jit, static_argnames="smoothed")
def _clip(
    surface: HandModel,
    params: HandParams,
    seen: Bool[Array, "T"],
    inside: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    object: ObjectModel,
    motion: ObjectMotion,
    smoothed: bool,
) -> tuple[Window, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """What the denoiser reads of a clip padded to its bucket (one window), and its samples' points and normals."""
    size = len(inside)
    given = smooth_track(surface, params, seen, inside, fps).params if smoothed else params
    betas = jnp.broadcast_to(params.betas, (size, *params.betas.shape))
    tracked = skin_frames(surface, params.replace(betas=betas))[1]
    vertices, joints = skin_frames(surface, given.replace(betas=betas))
    # A sample's place in the first frame stands for it: parts that turn against each other are still told apart.
    points, normals = samples_in_frame(object, motion)
    chosen = near_samples(jax.random.key(0), points[0], joints, seen, min(N_DENOISED, points.shape[1]))
    object = object.with_samples(chosen)
    points, normals = points[:, chosen], normals[:, chosen]
    field = contact_field(
        close_surface(surface, vertices),
        closed_faces(surface),
        close_surface(surface, surface.v_template),
        object,
        motion,
    )
    clip = Window(
        field=jax.tree.map(lambda leaf: leaf[None], field),
        points=points[:1],
        normals=normals[:1],
        joints=joints[None],
        tracked=tracked[None],
        valid=seen[None],
    )
    return clip, points, normals
