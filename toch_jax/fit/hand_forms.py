"""The repaired hand in the form of the input (parameters, joints or points), and as the hand model.

A tracker's own joints or points are millimetres from those of the hand model that was fitted to them. They are returned
moved with the model's bones and skin; the model's parameters are returned with them only if both agree.
"""

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from toch_jax.base.arrays import put, stack, take
from toch_jax.fit.guard import Repair
from toch_jax.hand.binding import Binding, bind_joints, carry, carry_joints
from toch_jax.hand.conventions import from_openpose, to_openpose
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.registration_checks import add_residual, framewise
from toch_jax.track.tracked_hand import TrackedHand

AGREEMENT = 0.001
"""Mean distance (metres) up to which the model's parameters are returned with the tracker's joints or points.
Chosen by hand: other hand models leave 2.6 mm and more (WRONG_JOINTS in track/inverse_kinematics.py)."""


class Repaired(NamedTuple):
    """Repaired sequence, in both forms of its hands."""

    given: Sequence
    """Hands in the form of the input: parameters, the tracker's own joints, or its own points. The model's parameters
    are included if the model agrees with the joints or points to AGREEMENT."""
    model: Sequence
    """Hands as parameters, joints and vertices of the hand model."""
    tracked: Sequence
    """The sequence before the repair, with hands as parameters of the hand model."""


def given_as(hands: Hands) -> str:
    """The form of the hands that is read: "parameters", "joints" or "points"."""
    return "parameters" if hands.params is not None else "joints" if hands.joints is not None else "points"


def in_both_forms(
    sequence: Sequence,
    hands: list[TrackedHand],
    repairs: SequenceOf[Repair],
    bindings: list[Binding | None],
) -> Repaired:
    """The sequence with repaired hands, in both forms.

    `bindings` are the tracker's points where the input is points.
    """
    params, sigma = [each.params for each in repairs], [each.joint_sigma for each in repairs]
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
        # The model's residual from the tracker's joints is not an error of these joints.
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
    """Mean distance of the fitted model from the tracker's joints or points, metres; 0 if it gave parameters."""
    return float(hand.residual.mean()) if hand.skin_gap is None else hand.skin_gap


def _own_joints(sequence: Sequence, hand: TrackedHand, params: HandParams) -> Float[Array, "T 21 3"]:
    """The tracker's joints (16 + tips), moved with the bones of the repaired hand."""
    given = put(from_openpose(np.asarray(take(sequence.hands.joints, hand.hand))))
    offset = bind_joints(hand.model, framewise(hand.world), given, put(hand.observed))
    return carry_joints(hand.model, params, offset)


def _in_openpose(hands: Iterable[Float[Array, "T ..."]], axis: int) -> Float[Array, "H T ..."]:
    """Hands stacked, the model's joints (16 + tips, along `axis`) put in OpenPose order."""
    return stack([put(to_openpose(np.asarray(each), axis)) for each in hands])
