"""The whole pipeline, from a tracked sequence to the repaired one."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from toch_jax.base.arrays import put, take
from toch_jax.base.device import full_precision, keep_compiled
from toch_jax.base.errors import InputError, naming
from toch_jax.base.progress import Progress, compilation_told, each_clip, reporter, silent
from toch_jax.critic.align import Alignment, align, aligned, alignment_note
from toch_jax.critic.files import as_critic
from toch_jax.critic.network import Critic
from toch_jax.denoiser.checkpoints import as_denoiser
from toch_jax.denoiser.window import Denoiser
from toch_jax.fit.blocks import in_blocks
from toch_jax.fit.correspondences import denoiser_terms
from toch_jax.fit.fit import Fitted, Solved, fit_together, solve_hand
from toch_jax.fit.guard import AS_FITTED, no_worse, repairs
from toch_jax.fit.hand_forms import Repaired, given_as, in_both_forms
from toch_jax.hand.binding import Binding, bind
from toch_jax.object.model import ObjectModel
from toch_jax.observe import FieldObservation, Observer, observe
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.track.contact_check import check_contact, check_result
from toch_jax.track.object_scale import with_scale_from_contact
from toch_jax.track.object_with_hands import with_repaired_object
from toch_jax.track.registered_hand import registered_hands
from toch_jax.track.tracked_hand import TrackedHand, tracked_hands

HandForm = Literal["given", "model"]


def refine(
    sequence: Sequence,
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    critic: Critic | str | Path | None = None,
    hand: HandForm = "given",
    keep_object: bool = False,
    scale: Literal["given", "free"] = "given",
    progress: bool | Progress = False,
) -> Sequence:
    """Repair the hands of a sequence, with a standard deviation for each joint and frame.

    Runs on JAX's default device, but cannot be traced (no jit, vmap or grad). The first clip of each padded length (16,
    32, 64 frames, then multiples of 64) compiles for about a minute; compiled code is kept on disk. Ground truth is not
    read. Raises InputError if a hand cannot be repaired.

    Args:
        sequence: From `sequence_from_arrays` or `load_sequence`.
        denoiser: "default", the network that comes with the package; one from `load_denoiser`, or its file; or None:
            the hand is fitted to its own track, smooth motion and non-penetration only.
        settings: What the fit assumes of hands and trackers; None: the defaults.
        object: The sequence's object, if it has been built before (`sequence_object`).
        critic: None, or what tells by touch that a hand is off as a whole, so that it is moved: "default", the network
            that comes with the package; one from `load_critic`, or its file. It is not used without a denoiser. Most
            useful for errors along a known camera's ray.
        hand: "given": the form of the input: parameters, the tracker's own joints, or its own points; "model":
            parameters, joints and vertices of the hand model, which may be millimetres from those joints or points.
        keep_object: Whether to return the object's poses as given, lost ones interpolated. The hand is repaired with
            repaired poses either way.
        scale: "free": the mesh of a rigid object is first scaled about its middle as the hands' contacts say, if they
            do; a note says which. `object` is not used then.
        progress: Whether to write each stage to standard error as it begins; or a function to call with the stage's
            name, possibly from another thread.
    """
    if scale == "free":
        sequence, object = with_scale_from_contact(sequence), None
    repaired = repair(sequence, denoiser, settings=settings, object=object, critic=critic, progress=progress)
    clean = repaired.given if hand == "given" else repaired.model
    return with_object_of(clean, sequence) if keep_object else clean


def with_object_of(clean: Sequence, sequence: Sequence) -> Sequence:
    """A repaired sequence with the object's poses as the tracked `sequence` has them."""
    return clean.replace(object_motion=sequence.object_motion, object_pose_sigma=None)


def repair(
    sequence: Sequence,
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    critic: Critic | str | Path | None = None,
    progress: bool | Progress = False,
) -> Repaired:
    """Repair the hands of a sequence, as `refine` does; returns both forms of the hands."""
    keep_compiled()
    network, tell = as_denoiser(denoiser), reporter(progress)
    with compilation_told(tell):
        if network is None:
            return repair_by(sequence, None, settings or DEFAULT, object, tell)
        observer = partial(observe, denoiser=network, progress=tell)
        return repair_by(sequence, observer, settings or DEFAULT, object, tell, as_critic(critic))


def refine_many(
    sequences: Iterable[Sequence],
    denoiser: Denoiser | str | Path | None = "default",
    *,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    critic: Critic | str | Path | None = None,
    hand: HandForm = "given",
    keep_object: bool = False,
    scale: Literal["given", "free"] = "given",
    progress: bool | Progress = False,
) -> Iterator[Sequence]:
    """Repair sequences in order with `refine`, each when the iterator reaches it (`list(...)` for all at once).

    The clips share the network, the code compiled for their padded length, and the built object if consecutive clips
    have the same mesh. `sequences` may load its clips one by one, so that a data set need not fit in memory. With
    `progress` a bar counts the clips. Raises InputError at the first that cannot be repaired: "clip 3: ...".
    """
    network = as_denoiser(denoiser)
    one = partial(
        refine,
        denoiser=network,
        settings=settings,
        object=object,
        critic=as_critic(critic),
        hand=hand,
        keep_object=keep_object,
        scale=scale,
    )
    for number, (sequence, tell) in enumerate(each_clip(sequences, progress), 1):
        try:
            clean = one(sequence, progress=tell)
        except InputError as fault:
            raise naming(f"clip {number}", fault) from None
        yield clean


@full_precision
def repair_by(
    sequence: Sequence,
    observer: Observer | None,
    settings: FitSettings = DEFAULT,
    object: ObjectModel | None = None,
    progress: Progress = silent,
    critic: Critic | None = None,
) -> Repaired:
    """Repair the hands of a sequence with any `observer` of the tracked hands; None: no field is used.

    Without a `critic` no hand is moved as a whole.
    """
    progress("object")
    object = (sequence_object(sequence) if object is None else object).without_mesh()
    progress(f"hand from {given_as(sequence.hands)}")
    registered = registered_hands(sequence)
    given_motion, sequence = sequence.object_motion, with_repaired_object(sequence, registered)
    hands = tracked_hands(sequence, settings, registered)
    sequence = sequence.replace(notes=(*sequence.notes, *check_contact(sequence, hands, object)))
    if critic is not None:
        progress("alignment")
    places = [None if critic is None else align(hand, object, critic, sequence.camera) for hand in hands]
    moved = [
        hand if place is None or not place.moves else aligned(hand, place)
        for hand, place in zip(hands, places, strict=True)
    ]
    bindings = [_bound(sequence, hand) for hand in hands]
    fitted = _fit(moved, bindings, object, settings, observer, progress)
    compared = partial(no_worse, object=object, before=given_motion, after=sequence.object_motion)
    kept = []
    for hand, place, one, binding in zip(hands, places, fitted, bindings, strict=True):
        fit = partial(_fit_alone, hand, binding, object, settings, place)
        others = [] if observer is None else [("was fitted without the denoiser", partial(fit, None))]
        if place is not None and place.moves:
            others.insert(0, ("was fitted where it was tracked", partial(fit, observer)))
        by = 0.0 if place is None else float(np.linalg.norm(place.offset, axis=1).mean())
        kept.append(compared(hand, repairs(hand, _in_doubt(one, place), others), aligned_by=by))
    chosen, remarks = zip(*kept, strict=True)
    said = [
        alignment_note(hand, place)
        for hand, place, repair in zip(hands, places, chosen, strict=True)
        if place is not None and repair.done == AS_FITTED
    ]
    sequence = sequence.replace(notes=(*sequence.notes, *filter(None, said)))
    sequence = sequence.replace(notes=(*sequence.notes, *chain(*remarks)))
    repaired = in_both_forms(sequence, hands, chosen, bindings)
    notes = check_result(repaired.model, hands, object)
    return Repaired(*(each.replace(notes=(*each.notes, *notes)) for each in repaired))


def _bound(sequence: Sequence, tracked: TrackedHand) -> Binding | None:
    """The tracker's points bound to the fitted skin if the input is points, else None."""
    if given_as(sequence.hands) != "points":
        return None
    assert sequence.hands.vertices is not None
    return bind(tracked.model, tracked.world, take(sequence.hands.vertices, tracked.hand), put(tracked.observed))


def _solve(
    tracked: TrackedHand,
    observation: FieldObservation | None,
    binding: Binding | None,
    object: ObjectModel,
    settings: FitSettings,
) -> Solved:
    """Fit one hand by itself, in its frame of reference."""
    surface, joints = (None, None) if observation is None else denoiser_terms(tracked, observation, settings)
    return solve_hand(tracked.model, tracked.track, object.grid, surface, joints, settings, binding)


def _fit(
    hands: list[TrackedHand],
    bindings: list[Binding | None],
    object: ObjectModel,
    settings: FitSettings,
    observer: Observer | None,
    progress: Progress = silent,
) -> list[Fitted]:
    """Fit the hands, a long clip in blocks."""

    def fit(block: list[TrackedHand]) -> list[Fitted]:
        observations = [None if observer is None else observer(each, object) for each in block]
        progress("fit")
        solved = [_solve(*each, object, settings) for each in zip(block, observations, bindings, strict=True)]
        return fit_together(solved, [hand.coarse for hand in block], [hand.frame for hand in block], settings)

    return in_blocks(hands, fit, settings, progress)


def _fit_alone(
    tracked: TrackedHand,
    binding: Binding | None,
    object: ObjectModel,
    settings: FitSettings,
    place: Alignment | None,
    observer: Observer | None,
) -> Fitted:
    """Fit one hand by itself, where it was tracked."""
    (fitted,) = _fit([tracked], [binding], object, settings, observer)
    return _in_doubt(fitted, place, stays=True)


def _in_doubt(fitted: Fitted, place: Alignment | None, stays: bool = False) -> Fitted:
    """The fitted hand with the standard deviation of its slow error; `stays`: it was not moved by the alignment."""
    if place is None:
        return fitted
    variance = place.sigma**2 + (np.mean(place.offset**2, axis=1) if stays else 0.0)
    sigma = np.sqrt(np.asarray(fitted.joint_sigma) ** 2 + variance[:, None])
    return fitted.replace(joint_sigma=put(sigma, np.float32))
