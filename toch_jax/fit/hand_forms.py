"""The repaired hand in the form in which it came, and as the hand model's.

A tracker's own joints or points lie millimetres from those of the hand model that was fitted to them. They come back
moved with the model's bones and skin; the model's parameters stand beside them only where both are the same hand.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from toch_jax.base.arrays import put, stack, take
from toch_jax.hand.joint_binding import bind_joints, carry_joints
from toch_jax.hand.joint_order import from_openpose, to_openpose
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.hand.skin_binding import Binding, carry
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.residual import add_residual, framewise
from toch_jax.track.tracked_hand import TrackedHand

AGREEMENT = 0.001
"""Metres on the mean between two hands that one file may hold."""


class Repaired(NamedTuple):
    """A repaired sequence, in both forms of its hands."""

    given: Sequence
    """In the form in which they came: parameters, the tracker's own joints, or its own points. The model's parameters
    stand beside joints or points that it meets to AGREEMENT."""
    model: Sequence
    """As parameters, joints and vertices of the hand model."""
    tracked: Sequence
    """Before the repair, as parameters of the hand model."""


def given_as(hands: Hands) -> str:
    """What of the hands is read: "parameters", "joints" or "points"."""
    return "parameters" if hands.params is not None else "joints" if hands.joints is not None else "points"


def in_both_forms(
    sequence: Sequence,
    hands: list[TrackedHand],
    params: list[HandParams],
    sigma: list[Float[Array, "T 21"]],
    bindings: list[Binding | None],
) -> Repaired:
    """The sequence with its hands at `params` (world, (T, ...) axes), `sigma` being that of the model's joints (16 +
    tips), and `bindings` the tracker's points where it gave no more than points.
    """
    form = given_as(sequence.hands)
    posed = [skin_frames(hand.model, each) for hand, each in zip(hands, params, strict=True)]
    notes = (*sequence.notes, *(note for hand in hands for note in hand.notes))
    with_residual = [add_residual(each, hand.residual) for each, hand in zip(sigma, hands, strict=True)]
    as_model = sequence.replace(
        hand_model=sequence.hand_model or "open",
        hands=Hands(
            params=stack(params),
            joints=_in_openpose([joints for _, joints in posed], -2),
            vertices=stack([vertices for vertices, _ in posed]),
            vertex_order=hands[0].model.name,
        ),
        hand_joint_sigma=_in_openpose(with_residual, -1),
        notes=notes,
    )
    tracked = as_model.replace(
        hands=Hands(params=stack([framewise(h.world) for h in hands]), joints=None, vertices=None, vertex_order=None),
        hand_joint_sigma=None,
    )
    between = max(_between(hand) for hand in hands)
    if form == "parameters" or (form == "joints" and between <= AGREEMENT):
        return Repaired(as_model, as_model, tracked)
    if form == "points":
        own = as_model.hands.replace(
            vertices=stack(
                [carry(h.model, at, points) for h, at, points in zip(hands, params, bindings, strict=True) if points]
            ),
            vertex_order=sequence.hands.vertex_order,
        )
        if between <= AGREEMENT:
            return Repaired(as_model.replace(hands=own), as_model, tracked)
        own_sigma = with_residual
    else:
        joints = [_own_joints(sequence, hand, each) for hand, each in zip(hands, params, strict=True)]
        own = Hands(params=None, joints=_in_openpose(joints, -2), vertices=None, vertex_order=None)
        # what the model can't meet of the tracker's joints is no error of theirs
        own_sigma = sigma
    note = f"parameters are left out: the hand model's are {1e3 * between:.1f} mm from the {form}"
    in_own_form = as_model.replace(
        hand_model=sequence.hand_model,
        hands=own.replace(params=None),
        hand_joint_sigma=_in_openpose(own_sigma, -1),
        notes=(*notes, note),
    )
    return Repaired(in_own_form, as_model, tracked)


def _between(hand: TrackedHand) -> float:
    """How far the fitted model stays off what the tracker gave, metres; 0 where that is parameters."""
    return float(hand.residual.mean()) if hand.skin_gap is None else hand.skin_gap


def _own_joints(sequence: Sequence, hand: TrackedHand, params: HandParams) -> Float[Array, "T 21 3"]:
    """The tracker's joints (16 + tips), carried by the bones of the repaired hand."""
    given = put(from_openpose(np.asarray(take(sequence.hands.joints, hand.hand))))
    offset = bind_joints(hand.model, framewise(hand.world), given, hand.observed)
    return carry_joints(hand.model, params, offset)


def _in_openpose(hands: Iterable[Float[Array, "T ..."]], axis: int) -> Float[Array, "H T ..."]:
    """Hands in the model's joint order (16 + tips along `axis`) as the public types have them."""
    return stack([put(to_openpose(np.asarray(each), axis)) for each in hands])
