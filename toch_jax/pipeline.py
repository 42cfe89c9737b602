"""The whole pipeline: a tracked sequence in, the same sequence repaired out."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import pad_last, put, repeat, take
from toch_jax.base.compile_cache import keep_compiled
from toch_jax.base.device import exactly
from toch_jax.base.errors import InputError, naming
from toch_jax.base.progress import Progress, compilation_told, each_clip, reporter, silent
from toch_jax.denoiser.apply import denoise_clip, frame_step
from toch_jax.denoiser.checkpoints import Denoiser, as_denoiser
from toch_jax.denoiser.window import Estimate, OtherHand, Window, mirror, mirror_estimate, near_samples, no_other_hand
from toch_jax.field.contact_field import contact_field
from toch_jax.fit.correspondences import field_term, joint_term, weighted
from toch_jax.fit.fit import Solved, bucket, pad_motion, pad_params, pad_seen, solve_hand
from toch_jax.fit.hand_forms import Repaired, given_as, in_both_forms
from toch_jax.fit.two_hands import fit_together
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.hand.skin_binding import Binding, bind
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import part_middles, samples_from_part, samples_in_frame
from toch_jax.sequence.part_frame import move_hand
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.solver.state import state_from_params
from toch_jax.track.contact_check import check_contact, check_result
from toch_jax.track.noise_level import denoiser_share
from toch_jax.track.object_pose import track_object
from toch_jax.track.reference_frame import Pose, between, fit_frame, move_terms, part_pose, parts_in_frame
from toch_jax.track.smoothing import smooth_track
from toch_jax.track.tracked_hand import TrackedHand, tracked_hands

N_SAMPLES = 2000
"""Of the object's surface; the denoiser reads those nearest the hand."""
N_DENOISED = 512
N_KEPT = 4
"""Objects kept for the next clip: one takes 1.5 s to build, and 8 MB for each part beside its mesh."""
_kept: dict[bytes, ObjectModel] = {}
"""By the bytes of the mesh, the oldest first."""


HandForm = Literal["given", "model"]


class Seen(NamedTuple):
    """What is believed of one hand in each frame of a clip, and the samples of the object that it is about."""

    estimate: Estimate
    """Axes (T, ...), in the fit's frame."""
    points: Float[Array, "T N 3"]
    normals: Float[Array, "T N 3"]
    from_network: bool = False
    """If true it counts the less the steadier the tracked hand is (`denoiser_share`)."""


Look = Callable[[TrackedHand, ObjectModel], Seen]


def refine(
    sequence: Sequence,
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    hand: HandForm = "given",
    keep_object: bool = False,
    progress: bool | Progress = False,
) -> Sequence:
    """The sequence with its hands repaired, and a sigma for each joint and frame.

    Runs on JAX's default device, but is no function to trace: no jit, vmap or grad of it. The first clip of each padded
    length (16, 32, 64 frames, then multiples of 64) compiles for about a minute; compiled code is kept on disk.
    Ground truth is not read. Raises InputError where the hand cannot be repaired.

    Args:
        sequence: From `sequence_from_arrays` or `load_sequence`.
        denoiser: "default", the network that comes with the package; one from `load_denoiser`, or its file; or None:
            the hand is fitted to its own track, smooth motion and non-penetration alone.
        settings: What the fit assumes of hands and trackers; None: as tuned.
        object: The sequence's object, where it has been built before (`sequence_object`).
        hand: "given": in the form in which it came: parameters, the tracker's own joints, or its own points; "model":
            parameters, joints and vertices of the hand model, which may lie millimetres from those joints or points.
        keep_object: Whether the object's poses stay as they came, where the hand was repaired beside smoother ones.
        progress: Whether to write each stage to standard error as it begins; or a function to call with its name,
            perhaps from another thread.
    """
    repaired = repair(sequence, denoiser, settings=settings, object=object, progress=progress)
    clean = repaired.given if hand == "given" else repaired.model
    return clean.replace(object_motion=sequence.object_motion) if keep_object else clean


def repair(
    sequence: Sequence,
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    progress: bool | Progress = False,
) -> Repaired:
    """`refine`, in all forms of the hand."""
    keep_compiled()
    network, tell = as_denoiser(denoiser), reporter(progress)
    with compilation_told(tell):
        look_at = None if network is None else partial(look, denoiser=network, progress=tell)
        return repair_by(sequence, look_at, settings or DEFAULT, object, tell)


def refine_many(
    sequences: Iterable[Sequence],
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    hand: HandForm = "given",
    keep_object: bool = False,
    progress: bool | Progress = False,
) -> Iterator[Sequence]:
    """`refine` of each sequence, in order; each is repaired when it is asked for (`list(...)` for all at once).

    One clip after another: they share the network, what is compiled for their padded length, and the object where
    neighbours have the same mesh. `sequences` may load its clips one by one, so that a data set need not fit in memory.
    With `progress` a bar counts the clips. Raises InputError at the first that cannot be repaired: "clip 3: ...".
    """
    network = as_denoiser(denoiser)
    one = partial(refine, denoiser=network, settings=settings, object=object, hand=hand, keep_object=keep_object)
    for number, (sequence, tell) in enumerate(each_clip(sequences, progress), 1):
        try:
            clean = one(sequence, progress=tell)
        except InputError as fault:
            raise naming(f"clip {number}", fault) from None
        yield clean


@exactly
def repair_by(
    sequence: Sequence,
    look: Look | None,
    settings: FitSettings = DEFAULT,
    object: ObjectModel | None = None,
    progress: Progress = silent,
) -> Repaired:
    """`repair`, with any way to look at the tracked hands."""
    progress("object")
    object = (sequence_object(sequence) if object is None else object).without_mesh()
    progress(f"hand from {given_as(sequence.hands)}")
    sequence = with_tracked_object(sequence)
    hands = tracked_hands(sequence)
    sequence = sequence.replace(notes=(*sequence.notes, *check_contact(sequence, hands, object)))
    frames = [fit_frame(sequence, hand) for hand in hands]
    looked = [None if look is None else look(each, object) for each in hands]
    progress("fit")
    bindings = [_bound(sequence, hand) for hand in hands]
    solved = [
        _solve(sequence, hand, frame, object, seen, binding, settings)
        for hand, frame, seen, binding in zip(hands, frames, looked, bindings, strict=True)
    ]
    # each hand's frame as the first hand's sees it
    places = ObjectMotion(*(put(np.stack(each)) for each in zip(*(between(f, frames[0]) for f in frames), strict=True)))
    fitted = fit_together(solved, [hand.surface for hand in hands], places, settings)
    params = [_in_world(*each) for each in zip(hands, frames, (one.params for one in fitted), strict=True)]
    repaired = in_both_forms(sequence, hands, params, [each.joint_sigma for each in fitted], bindings)
    notes = check_result(repaired.model, hands, object)
    return Repaired(*(each.replace(notes=(*each.notes, *notes)) for each in repaired))


def sequence_object(sequence: Sequence) -> ObjectModel:
    """The object of a sequence: samples, distances. Those of the last meshes are kept (N_KEPT)."""
    mesh = tuple(map(np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)))
    key = hashlib.sha256(b"".join(str(each.shape).encode() + each.tobytes() for each in mesh)).digest()
    if key not in _kept:
        vertices, faces, part = mesh
        built = build_object(vertices, faces, part, n_samples=N_SAMPLES, where=sequence.source)
        while len(_kept) >= N_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = built
    return _kept[key]


def _bound(sequence: Sequence, tracked: TrackedHand) -> Binding | None:
    """The tracker's own points, where it gave no more than points."""
    if given_as(sequence.hands) != "points":
        return None
    assert sequence.hands.vertices is not None
    return bind(tracked.model, tracked.world, take(sequence.hands.vertices, tracked.hand), tracked.seen)


def with_tracked_object(sequence: Sequence) -> Sequence:
    """The sequence with its object's motion smoothed where it shakes, and notes that say so."""
    middles = part_middles(np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part))
    tracked = track_object(sequence.object_motion, middles, sequence.fps)
    notes = (
        f"object{f', part {part}' if len(middles) > 1 else ''}: its tracked pose shakes by {1e3 * metres:.1f} mm and "
        f"{np.rad2deg(radians):.1f} degrees a coordinate: smoothed"
        for part, (metres, radians) in enumerate(zip(tracked.position_noise, tracked.rotation_noise, strict=True))
        if tracked.is_smoothed[part]
    )
    return sequence.replace(object_motion=tracked.motion, notes=(*sequence.notes, *notes))


def _solve(
    sequence: Sequence,
    tracked: TrackedHand,
    frame: Pose,
    object: ObjectModel,
    seen: Seen | None,
    binding: Binding | None,
    settings: FitSettings,
) -> Solved:
    """One hand fitted by itself, in its fit frame."""
    part = between(part_pose(sequence, tracked.part), frame)
    surface, joints = None, None
    if seen is not None:
        field, points, normals = seen.estimate.field, seen.points, seen.normals
        surface = field_term(tracked.model, field, points, normals, settings.field_strength, settings.correspondences)
        if seen.estimate.joints is not None:
            joints = joint_term(seen.estimate.joints, settings.joint_strength)
        if seen.from_network:
            n_frames = len(tracked.seen)
            size = bucket(n_frames)
            state = state_from_params(tracked.model, pad_params(tracked.params, size))
            observed = pad_seen(tracked.seen, size)
            share = denoiser_share(state, observed, settings.tracked_assumed, settings.steady_noise)
            surface, joints = weighted(surface, joints, take(share, np.s_[:n_frames]))
        surface, joints = move_terms(surface, joints, part)
    params = move_hand(tracked.model, tracked.params, *map(put, part))
    motion = parts_in_frame(sequence, frame)
    return solve_hand(
        tracked.model, params, tracked.seen, tracked.fps, object, motion, surface, joints, settings, binding
    )


def _in_world(tracked: TrackedHand, frame: Pose, params: HandParams) -> HandParams:
    """World parameters, (T, ...) axes, betas too; from those in the fit frame, betas (S,)."""
    world = move_hand(tracked.model, params, *(put(each, np.float32) for each in frame))
    return world.replace(betas=repeat(world.betas, len(tracked.seen)))


def look(tracked: TrackedHand, object: ObjectModel, denoiser: Denoiser, progress: Progress = silent) -> Seen:
    """What the denoiser makes of a tracked hand."""
    progress("contact field")
    clip, points, normals = read_clip(tracked, object, denoiser.config.smoothed)
    progress("denoiser")
    if tracked.surface.side == "left":
        estimate = mirror_estimate(denoise_clip(denoiser, mirror(clip), frame_step(tracked.fps)))
    else:
        estimate = denoise_clip(denoiser, clip, frame_step(tracked.fps))
    n_frames = len(tracked.seen)
    return Seen(take(estimate, np.s_[0, :n_frames]), *take((points, normals), np.s_[:n_frames]), from_network=True)


@exactly
def read_clip(
    tracked: TrackedHand, object: ObjectModel, smoothed: bool, there: HandParams | None = None
) -> tuple[Window, Float[Array, "B N 3"], Float[Array, "B N 3"]]:
    """What a denoiser reads of a tracked hand, padded to its bucket of B frames: as one window, with its samples'
    points and normals in the fit's frame. `there`: what it would read on the same samples, were the hand there (axes
    (T, ...), betas (S,)).
    """
    n_frames = len(tracked.seen)
    size = bucket(n_frames)
    return _clip(
        tracked.surface,
        tracked.part,
        pad_params(tracked.params, size),
        pad_seen(tracked.seen, size),
        put(np.arange(size) < n_frames),
        tracked.fps,
        object,
        pad_motion(tracked.motion, size),
        None if tracked.other is None else _pad_other(tracked.other, size),
        None if there is None else pad_params(there, size),
        smoothed,
    )


def _pad_other(other: OtherHand, size: int) -> OtherHand:
    return OtherHand(joints=pad_last(other.joints, size), seen=pad_seen(other.seen, size))


@partial(jax.jit, static_argnames="smoothed")
def _clip(
    surface: HandModel,
    part: int | Int[Array, ""],
    params: HandParams,
    seen: Bool[Array, "T"],
    inside: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    object: ObjectModel,
    motion: ObjectMotion,
    other: OtherHand | None,
    there: HandParams | None,
    smoothed: bool,
) -> tuple[Window, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    size = len(inside)

    def posed(hand: HandParams) -> tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]:
        return skin_frames(surface, hand.replace(betas=jnp.broadcast_to(hand.betas, (size, *hand.betas.shape))))

    vertices, joints = posed(smooth_track(surface, params, seen, inside, fps).params if smoothed else params)
    points, _ = samples_from_part(object, motion)
    chosen = near_samples(jax.random.key(0), points, joints, seen, min(N_DENOISED, points.shape[1]))
    object = object.with_samples(chosen)
    points, normals = samples_from_part(object, motion)
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
        own=(object.point_part == part)[None],
        joints=joints[None],
        tracked=posed(params)[1][None],
        valid=seen[None],
        left=jnp.asarray([surface.side == "left"]),
        two_handed=jnp.asarray([other is not None]),
        other=no_other_hand(1, size) if other is None else jax.tree.map(lambda leaf: leaf[None], other),
    )
    return clip, *samples_in_frame(object, motion)
