"""Comparison of each repaired hand with its input: where the repair has made it worse, a weaker repair takes its place.

Whatever the input, no hand leaves shaking more, deeper in the object or farther from it than it came: a mesh of wrong
scale, an object whose track is wrong or a network that was trained on other data would do so.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toch_jax.base.arrays import put
from toch_jax.fit.fit import Fitted
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.metrics.contact import CONTACT_DISTANCE_M
from toch_jax.metrics.motion import acceleration_m_s2
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.track.contact_check import signed_distance
from toch_jax.track.noise_level import joint_noise
from toch_jax.track.registration_checks import framewise
from toch_jax.track.tracked_hand import TrackedHand, cut_frames, in_world

ACCELERATION = 1.15, 0.1
"""A repair may have this factor of the input's mean acceleration, and this more (m/s2). Clean clips of motion capture
leave with at most 1.02 of theirs; true hands beside an object whose motion is wrong, with 1.2 to 6 times theirs."""
DEPTH = 0.0005
"""A repair may be this much deeper in the object on the mean, metres: the fit's `margin`."""
CONTACT, LEAST_CONTACT = 0.5, 0.1
"""A repair must keep this share of the frames in contact, if the input touches in at least the second share of its
frames. Chosen by hand."""
MOVED = 4.0, 0.06
"""A repair may move the joints on the mean by this factor of the tracked joints' noise (per coordinate, so that noise
itself is 1.6 of it) and this more (metres). Slow errors of trackers are some centimetres; chosen by hand."""

AS_FITTED = "was fitted"
"""What `Repair.done` says of the strongest repair."""


class Repair(NamedTuple):
    """One hand, repaired."""

    done: str
    """What was done to it: "was fitted"."""
    params: HandParams
    """In the world; axes (T, ...), betas (T, S)."""
    joint_sigma: Float[Array, "T 21"]
    """Standard deviation of each joint's coordinates (16 + tips), metres."""


class Quality(NamedTuple):
    """Joints of one version of a hand, and what a repair must not make worse: means over the observed frames."""

    joints: Float[np.ndarray, "T 21 3"]
    """In the world, metres."""
    acceleration: float
    """Of the joints in the world, m/s2; nan for a clip without three observed frames in a row."""
    depth: float
    """Of the deepest vertex in the object, metres; 0 for a hand outside it."""
    contact: float
    """Share of the frames with a vertex within 5 mm of the object or inside it."""


def repairs(
    hand: TrackedHand, fitted: Fitted, others: Iterable[tuple[str, Callable[[], Fitted]]] = ()
) -> Iterator[Repair]:
    """Repairs of a hand, from the strongest to none; each is computed when it is reached.

    `others` are weaker fits, each with what it is, such as "was fitted without the denoiser".
    """
    yield Repair(AS_FITTED, in_world(hand, fitted.params), fitted.joint_sigma)
    for done, fit in others:
        found = fit()
        yield Repair(done, in_world(hand, found.params), found.joint_sigma)
    # what is less certain than the fit, and than the track
    sigma = put(np.maximum(np.asarray(fitted.joint_sigma), float(joint_noise(hand.track.smoothed.noise))))
    smooth = in_world(hand, cut_frames(hand.track.smoothed.params, hand.n_frames))
    yield Repair("was smoothed only", smooth, sigma)
    given = framewise(hand.world)
    as_tracked = jax.tree.map(partial(jnp.where, put(hand.observed)[:, None]), given, smooth)
    yield Repair("was left as tracked", as_tracked, sigma)


def no_worse(
    hand: TrackedHand,
    repairs: Iterable[Repair],
    object: ObjectModel,
    before: ObjectMotion,
    after: ObjectMotion,
    aligned_by: float = 0.0,
) -> tuple[Repair, tuple[str, ...]]:
    """The first of the `repairs` that does not make the hand worse, else the last; and a note if it is not the first.

    `before` and `after` are the object's motion in the world, as tracked and as repaired. `aligned_by`: how far the
    hand was moved as a whole before the fit, metres.
    """
    fps = float(hand.track.fps)
    given = quality(hand, framewise(hand.world), object, before, fps)
    faults: list[str] = []
    for repair in repairs:
        fault = _fault(hand, given, quality(hand, repair.params, object, after, fps), aligned_by)
        if fault is None:
            break
        faults.append(fault)
    if not faults:
        return repair, ()
    name = f"hand {hand.hand} ({hand.model.side})"
    return repair, (f"{name}: the repair would have {faults[0]}; it {repair.done} instead",)


def quality(hand: TrackedHand, params: HandParams, object: ObjectModel, motion: ObjectMotion, fps: float) -> Quality:
    """Quality of one version of a hand (`params` in the world) beside the object with poses `motion`."""
    skin, joints = (np.asarray(each) for each in skin_frames(hand.coarse, params))
    nearest = signed_distance(object, motion, skin)[hand.observed].min(axis=1)
    return Quality(
        joints=joints,
        acceleration=acceleration_m_s2(joints, fps, hand.observed),
        depth=float(np.maximum(-nearest, 0).mean()),
        contact=float((nearest < CONTACT_DISTANCE_M).mean()),
    )


def _fault(hand: TrackedHand, before: Quality, after: Quality, aligned_by: float) -> str | None:
    """What is worse after a repair than before, or None."""
    factor, more = ACCELERATION
    if after.acceleration > factor * before.acceleration + more:
        return f"raised its acceleration from {before.acceleration:.1f} to {after.acceleration:.1f} m/s2"
    if after.depth > before.depth + DEPTH:
        return f"put it deeper into the object, {1e3 * after.depth:.1f} instead of {1e3 * before.depth:.1f} mm"
    if before.contact >= LEAST_CONTACT and after.contact < CONTACT * before.contact:
        return f"left it in contact in {after.contact:.0%} of the frames instead of {before.contact:.0%}"
    factor, more = MOVED
    moved = float(np.linalg.norm(after.joints - before.joints, axis=-1)[hand.observed].mean())
    noise = float(joint_noise(hand.track.smoothed.noise))
    if moved > factor * noise + more + aligned_by:
        return f"moved it by {1e3 * moved:.0f} mm, where its track shakes by {1e3 * noise:.1f} mm a coordinate"
    return None
