"""The denoiser's estimate for a tracked hand, from its contact field on samples of the object near the hand."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import take
from toch_jax.base.device import full_precision
from toch_jax.base.programs import program
from toch_jax.base.progress import Progress, silent
from toch_jax.denoiser.window import (
    Denoiser,
    DenoiserConfig,
    Estimate,
    OtherHand,
    Window,
    denoise_clip,
    frame_step,
    mirror,
    mirror_estimate,
    near_samples,
    no_other_hand,
)
from toch_jax.field.contact_field import contact_field
from toch_jax.hand.model import HandModel, HandParams, skin
from toch_jax.object.model import ObjectModel, samples_from_part, samples_in_frame
from toch_jax.track.tracked_hand import Track, TrackedHand, in_part_frame, pad_params


class FieldObservation(NamedTuple):
    """Estimate of the field of one hand in each of B padded frames, and the object's samples that it is given on."""

    estimate: Estimate
    """Axes (B, ...), in the frame of the part that the hand handles, as are `points` and `normals`; metres."""
    points: Float[Array, "B N 3"]
    normals: Float[Array, "B N 3"]
    from_network: bool = False
    """Whether its weight is reduced according to how steady the tracked hand is (`denoiser_share`)."""


Observer = Callable[[TrackedHand, ObjectModel], FieldObservation]


def observe(
    tracked: TrackedHand, object: ObjectModel, denoiser: Denoiser, progress: Progress = silent
) -> FieldObservation:
    """The denoiser's estimate for a tracked hand; a left hand is mirrored for the network."""
    progress("contact field")
    clip, points, normals = read_clip(tracked, object, denoiser.config)
    progress("denoiser")
    step = frame_step(float(tracked.track.fps), denoiser.config.frame_rate)
    if tracked.model.side == "left":
        estimate = mirror_estimate(denoise_clip(denoiser, mirror(clip), step))
    else:
        estimate = denoise_clip(denoiser, clip, step)
    return FieldObservation(take(estimate, 0), points, normals, from_network=True)


@full_precision
def read_clip(
    tracked: TrackedHand, object: ObjectModel, config: DenoiserConfig, field_hand: HandParams | None = None
) -> tuple[Window, Float[Array, "B N 3"], Float[Array, "B N 3"]]:
    """Denoiser input for a tracked hand of B padded frames: a window, and its samples' points and normals.

    All are in the frame of the part that the hand handles, metres. `field_hand`: parameters of the hand in that frame
    (axes (T, ...), betas (S,)) to measure the field on instead; samples are still chosen by the tracked hand.
    """
    given = None if field_hand is None else pad_params(field_hand, len(tracked.track.frame_mask))
    reading = config.smoothed, config.samples
    return _clip(tracked.coarse, tracked.part, tracked.track, object.without_mesh(), tracked.other, given, *reading)


@program("smoothed", "samples")
def _clip(
    coarse: HandModel,
    part: int | Int[Array, ""],
    track: Track,
    object: ObjectModel,
    other: OtherHand | None,
    field_hand: HandParams | None,
    smoothed: bool,
    samples: int,
) -> tuple[Window, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    local = in_part_frame(coarse, track, part)
    size, observed, motion = len(track.frame_mask), track.observed, local.motion

    def posed(hand: HandParams) -> tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]:
        return skin(coarse, hand.replace(betas=jnp.broadcast_to(hand.betas, (size, *hand.betas.shape))))

    tracked = posed(local.params)
    vertices, joints = posed(local.smoothed.params) if smoothed else tracked
    points, _ = samples_from_part(object.samples, motion)
    chosen = near_samples(jax.random.key(0), points, joints, observed, min(samples, points.shape[1]))
    object = object.replace(samples=object.samples.take(chosen))
    points, normals = samples_from_part(object.samples, motion)
    if field_hand is not None:
        vertices, joints = posed(field_hand)
    field = contact_field(vertices, coarse.faces, coarse.v_template, object, motion)
    clip = Window(
        field=jax.tree.map(lambda leaf: leaf[None], field),
        points=points[None],
        normals=normals[None],
        own=(object.samples.part == part)[None],
        joints=joints[None],
        tracked=tracked[1][None],
        observed=observed[None],
        left=jnp.asarray([coarse.side == "left"]),
        two_handed=jnp.asarray([other is not None]),
        other=no_other_hand(1, size) if other is None else jax.tree.map(lambda leaf: leaf[None], other),
    )
    return clip, *samples_in_frame(object.samples, motion)
