"""One hand of a tracked sequence as parameters, in the frame of the object's part that it handles."""

from dataclasses import dataclass, replace
from functools import cache

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from toch_jax.base.arrays import put, repeat, take
from toch_jax.denoiser.window import OtherHand
from toch_jax.hand.decimate import decimate
from toch_jax.hand.files import load_hand
from toch_jax.hand.joint_order import from_openpose
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.object.model import ObjectMotion
from toch_jax.object.motion import relative_to, to_part
from toch_jax.sequence.checks import check_betas
from toch_jax.sequence.part_frame import hand_to_part, hold_lost, nearest_part, other_hand
from toch_jax.sequence.types import Sequence
from toch_jax.track.inverse_kinematics import Registered, params_from_joints, params_from_vertices

N_FIELD_FACES = 1500
"""Faces of the decimated hand for ray casting; its field differs from the full hand's by less than tracking errors
(0.6 mm at the 99th percentile, hand/decimate.py)."""


@dataclass(frozen=True)
class TrackedHand:
    """Input of the fit and of the denoiser for one hand over T frames."""

    model: HandModel
    surface: HandModel
    """The same hand model, closed, and decimated for ray casting."""
    hand: int
    """Index of the hand in the sequence."""
    part: int
    """Index of the object part that it handles."""
    world: HandParams
    """Tracked parameters in the world; axes (T, ...), betas (S,)."""
    joints: Float[Array, "T 21 3"]
    """Joints of `world`, in the hand model's order (16 + tips), metres."""
    params: HandParams
    """Parameters in the part's frame; lost frames have the values of the nearest observed frame."""
    observed: Bool[Array, "T"]
    fps: float
    motion: ObjectMotion
    """Motion of all parts relative to that part."""
    residual: Float[np.ndarray, "21"]
    """Distance of each joint of the fitted hand from the tracker's that remains in all frames, metres; 0 if the tracker
    gave parameters.
    """
    skin_gap: float | None
    """Mean distance of the tracker's points from the fitted skin, metres; None if it did not give points."""
    notes: tuple[str, ...]
    """Lines on what the hand was fitted to and how well."""
    other: OtherHand | None = None
    """The hand of the other side in the part's frame, axes (T, ...); None if there is none. Set by `tracked_hands`."""


def tracked_hands(sequence: Sequence) -> list[TrackedHand]:
    """All hands of the sequence, each with the hand of the other side."""
    hands = [tracked_hand(sequence, hand) for hand in range(len(sequence.hand_side))]

    def beside(hand: TrackedHand) -> OtherHand | None:
        index = other_hand(sequence.hand_side, hand.hand)
        if index is None:
            return None
        joints = _in_part(sequence.object_motion, hand.part, hands[index].joints)
        return OtherHand(joints=joints, observed=hands[index].observed)

    return [replace(hand, other=beside(hand)) for hand in hands]


def tracked_hand(sequence: Sequence, hand: int) -> TrackedHand:
    """One hand of the sequence, given as parameters, joints or points. Ground truth is not read."""
    model, registered = _registered(sequence, hand)
    world = registered.params
    observed = take(sequence.hand_valid, hand)
    framewise = world.replace(betas=repeat(world.betas, sequence.n_frames))
    joints = skin_frames(model, framewise)[1]
    part = nearest_part(sequence, joints, observed)
    held = hold_lost(hand_to_part(model, framewise, sequence, part), observed)
    return TrackedHand(
        model=model,
        surface=field_hand(sequence.hand_model or "open", model.side),
        hand=hand,
        part=part,
        world=world,
        joints=joints,
        params=held.replace(betas=world.betas),
        observed=observed,
        fps=sequence.fps,
        motion=relative_to(sequence.object_motion, part),
        residual=registered.residual,
        skin_gap=registered.skin_gap,
        notes=tuple(f"hand {hand} ({model.side}): {note}" for note in registered.notes),
    )


_in_part = jax.jit(to_part)


@cache
def field_hand(hand_model: str, side: Side) -> HandModel:
    """Decimated hand model for ray casting."""
    return decimate(load_hand(hand_model, side), N_FIELD_FACES)


def _registered(sequence: Sequence, hand: int) -> tuple[HandModel, Registered]:
    """The model of one hand, and its parameters in the world, fitted if the tracker gave none."""
    model = load_hand(sequence.hand_model or "open", sequence.hand_side[hand])
    given = sequence.hands
    params, joints, vertices, observed = take((given.params, given.joints, given.vertices, sequence.hand_valid), hand)
    check_betas(sequence, model)
    if params is not None:
        params = params.replace(betas=put(np.asarray(params.betas).mean(axis=0)))
        return model, Registered(params, np.zeros(21, np.float32), None, ())
    if joints is not None:
        return model, params_from_joints(model, put(from_openpose(np.asarray(joints))), observed, sequence.source)
    assert vertices is not None
    return model, params_from_vertices(model, vertices, given.vertex_order, observed, sequence.source)
