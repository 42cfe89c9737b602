"""The denoiser's estimate for a tracked hand, from its contact field on samples of the object near the hand."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import pad_last, put, take
from toch_jax.base.device import full_precision
from toch_jax.base.progress import Progress, silent
from toch_jax.denoiser.apply import denoise_clip, frame_step, near_samples
from toch_jax.denoiser.window import (
    Denoiser,
    DenoiserConfig,
    Estimate,
    OtherHand,
    Window,
    mirror,
    mirror_estimate,
    no_other_hand,
)
from toch_jax.field.contact_field import contact_field
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import samples_from_part, samples_in_frame
from toch_jax.track.padding import bucket, pad_motion, pad_observed, pad_params
from toch_jax.track.smoothing import smooth_track
from toch_jax.track.tracked_hand import TrackedHand


class FieldObservation(NamedTuple):
    """Estimate of the field of one hand in each frame of a clip, and the object's samples that it is given on."""

    estimate: Estimate
    """Axes (T, ...), in the frame of the part that the hand handles, as are `points` and `normals`; metres."""
    points: Float[Array, "T N 3"]
    normals: Float[Array, "T N 3"]
    from_network: bool = False
    """Whether its weight is reduced according to how steady the tracked hand is (`denoiser_share`)."""


Observer = Callable[[TrackedHand, ObjectModel], FieldObservation]


def observe(
    tracked: TrackedHand, object: ObjectModel, denoiser: Denoiser, progress: Progress = silent
) -> FieldObservation:
    """The denoiser's estimate for a tracked hand; a left hand is mirrored for the network."""
    progress("contact field")
    clip, points, normals = read_clip(tracked, object, denoiser.config)
    step = frame_step(tracked.fps, denoiser.config.frame_rate)
    progress("denoiser")
    if tracked.surface.side == "left":
        estimate = mirror_estimate(denoise_clip(denoiser, mirror(clip), step))
    else:
        estimate = denoise_clip(denoiser, clip, step)
    n_frames = len(tracked.observed)
    points, normals = take((points, normals), np.s_[:n_frames])
    return FieldObservation(take(estimate, np.s_[0, :n_frames]), points, normals, from_network=True)


@full_precision
def read_clip(
    tracked: TrackedHand, object: ObjectModel, config: DenoiserConfig, there: HandParams | None = None
) -> tuple[Window, Float[Array, "B N 3"], Float[Array, "B N 3"]]:
    """Denoiser input for a tracked hand, padded to B frames (`bucket`): a window, and its samples' points and normals.

    All are in the frame of the part that the hand handles, metres. `there`: parameters of the hand (axes (T, ...),
    betas (S,)) to measure the field on instead; samples are still chosen by the tracked hand.
    """
    n_frames = len(tracked.observed)
    size = bucket(n_frames)
    return _clip(
        tracked.surface,
        tracked.part,
        pad_params(tracked.params, size),
        pad_observed(tracked.observed, size),
        put(np.arange(size) < n_frames),
        tracked.fps,
        object,
        pad_motion(tracked.motion, size),
        None if tracked.other is None else _pad_other(tracked.other, size),
        None if there is None else pad_params(there, size),
        config.smoothed,
        config.samples,
    )


def _pad_other(other: OtherHand, size: int) -> OtherHand:
    return OtherHand(joints=pad_last(other.joints, size), observed=pad_observed(other.observed, size))


@partial(jax.jit, static_argnames=("smoothed", "samples"))
def _clip(
    surface: HandModel,
    part: int | Int[Array, ""],
    params: HandParams,
    observed: Bool[Array, "T"],
    frame_mask: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    object: ObjectModel,
    motion: ObjectMotion,
    other: OtherHand | None,
    there: HandParams | None,
    smoothed: bool,
    samples: int,
) -> tuple[Window, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    size = len(frame_mask)

    def posed(hand: HandParams) -> tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]:
        return skin_frames(surface, hand.replace(betas=jnp.broadcast_to(hand.betas, (size, *hand.betas.shape))))

    vertices, joints = posed(smooth_track(surface, params, observed, frame_mask, fps).params if smoothed else params)
    points, _ = samples_from_part(object.samples, motion)
    chosen = near_samples(jax.random.key(0), points, joints, observed, min(samples, points.shape[1]))
    object = object.replace(samples=object.samples.take(chosen))
    points, normals = samples_from_part(object.samples, motion)
    if there is not None:
        vertices, joints = posed(there)
    field = contact_field(
        close_surface(surface, vertices),
        closed_faces(surface),
        close_surface(surface, surface.v_template),
        object,
        motion,
    )
    clip = Window(
        field=jax.tree.map(lambda leaf: leaf[None], field),
        points=points[None],
        normals=normals[None],
        own=(object.samples.part == part)[None],
        joints=joints[None],
        tracked=posed(params)[1][None],
        observed=observed[None],
        left=jnp.asarray([surface.side == "left"]),
        two_handed=jnp.asarray([other is not None]),
        other=no_other_hand(1, size) if other is None else jax.tree.map(lambda leaf: leaf[None], other),
    )
    return clip, *samples_in_frame(object.samples, motion)
