"""The hands of a tracked sequence as parameters, each padded, smoothed and in its own frame of reference."""

from dataclasses import dataclass, replace
from functools import cache, partial

import jax
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import pad_last, put, repeat, take
from toch_jax.base.programs import program
from toch_jax.denoiser.window import OtherHand
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel, HandParams, Side
from toch_jax.object.model import ObjectMotion, relative_to, to_part
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.track.part_frame import hand_to_part, hold_lost, move_hand, move_hand_back, nearest_part, other_hand
from toch_jax.track.reference_frame import Pose, fit_frame, parts_in_frame
from toch_jax.track.registered_hand import RegisteredHand, registered_hand, registered_hands
from toch_jax.track.smoothing import Smoothed, smooth_track


def bucket(n_frames: int) -> int:
    """Padded number of frames, so that clips of many lengths share compiled code: 16, 32, 64, then multiples of 64."""
    return next((size for size in (16, 32, 64) if n_frames <= size), -(-n_frames // 64) * 64)


def pad_params(params: HandParams, size: int) -> HandParams:
    """Parameters padded to `size` frames by repeating the last; betas (S,) are shared by all frames."""
    frames = params.replace(betas=params.transl)
    return jax.tree.map(partial(pad_last, size=size), frames).replace(betas=params.betas)


def pad_motion(motion: ObjectMotion, size: int) -> ObjectMotion:
    """Motion padded to `size` frames by repeating the last."""
    return jax.tree.map(partial(pad_last, size=size, axis=1), motion)


def pad_observed(observed: Bool[Array | np.ndarray, "T"], size: int) -> Bool[Array, "T2"]:
    """`observed` padded to `size` frames with false."""
    return put(np.pad(np.asarray(observed), (0, size - len(observed))))


def cut_frames(params: HandParams, stop: int, start: int = 0) -> HandParams:
    """The frames from `start` up to, not including, `stop`; betas (S,) are shared by all frames."""
    frames = params.replace(betas=params.transl)
    return take(frames, np.s_[start:stop]).replace(betas=params.betas)


N_FIELD_FACES = 1500
"""Faces of the coarse hand for ray casting; its field differs from the full hand's by less than tracking errors
(0.6 mm at the 99th percentile, hand/mesh.py)."""


class Track(struct.PyTreeNode):
    """A hand's trajectory, the object's motion, and what is estimated from them.

    All in one frame of reference, padded to B frames so that clips of similar length share compiled code.
    """

    params: HandParams
    """Axes (B, ...), betas (S,). Lost frames have the values of the nearest observed frame, as seen from the part."""
    observed: Bool[Array, "B"]
    """False where the tracker lost the hand, and in padding."""
    frame_mask: Bool[Array, "B"]
    """False in padding."""
    motion: ObjectMotion
    """Poses of all parts, (P, B, ...)."""
    fps: float | Float[Array, ""]
    smoothed: Smoothed

    def frames(self, start: int, stop: int, size: int) -> "Track":
        """The frames from `start` to `stop`, padded to `size`, with what was estimated from all frames."""
        smoothed = self.smoothed.replace(
            params=pad_params(cut_frames(self.smoothed.params, stop, start), size),
            speed=pad_last(take(self.smoothed.speed, np.s_[start:stop]), size),
        )
        return self.replace(
            params=pad_params(cut_frames(self.params, stop, start), size),
            observed=pad_observed(np.asarray(self.observed)[start:stop], size),
            frame_mask=pad_observed(np.asarray(self.frame_mask)[start:stop], size),
            motion=pad_motion(take(self.motion, np.s_[:, start:stop]), size),
            smoothed=smoothed,
        )


@program()
def in_part_frame(model: HandModel, track: Track, part: int | Int[Array, ""]) -> Track:
    """The track as seen from a part of the object, which is then at rest."""
    pose = track.motion.rotation[part], track.motion.translation[part]
    smoothed = track.smoothed.replace(params=move_hand_back(model, track.smoothed.params, *pose))
    params = move_hand_back(model, track.params, *pose)
    return track.replace(params=params, motion=relative_to(track.motion, part), smoothed=smoothed)


@dataclass(frozen=True)
class TrackedHand:
    """One hand of a sequence of T frames: the input of the denoiser and of the fit."""

    model: HandModel
    coarse: HandModel
    """The same hand with a closed, decimated mesh, for ray casting."""
    hand: int
    """Index of the hand in the sequence."""
    part: int
    """Index of the object part that it handles."""
    world: HandParams
    """Tracked parameters in the world; axes (T, ...), betas (S,)."""
    joints: Float[Array, "T 21 3"]
    """Joints of `world`, in the hand model's order (16 + tips), metres."""
    observed: Bool[np.ndarray, "T"]
    frame: Pose
    """Pose in the world of the frame of reference in which the hand's motion is smooth (track/reference_frame.py)."""
    track: Track
    """The hand in that frame of reference."""
    residual: Float[np.ndarray, "21"]
    """Distance of each joint of the fitted hand from the tracker's that remains in all frames, metres; 0 if the tracker
    gave parameters.
    """
    skin_gap: float | None
    """Mean distance of the tracker's points from the fitted skin, metres; None if it did not give points."""
    notes: tuple[str, ...]
    """Lines on what the hand was fitted to and how well."""
    other: OtherHand | None = None
    """The hand of the other side in the part's frame, axes (B, ...); None if there is none. Set by `tracked_hands`."""
    first: int = 0
    """The frame of the clip at which these begin, if they are a part of it (`frames`)."""

    @property
    def n_frames(self) -> int:
        return len(self.observed)

    def frames(self, start: int, stop: int, size: int) -> "TrackedHand":
        """The frames from `start` to `stop`, padded to `size`, with what was estimated from the whole clip."""
        cut, other = np.s_[start:stop], self.other
        if other is not None:
            seen = pad_observed(np.asarray(other.observed)[cut], size)
            other = OtherHand(pad_last(take(other.joints, cut), size), seen)
        return replace(
            self,
            world=cut_frames(self.world, stop, start),
            joints=take(self.joints, cut),
            observed=self.observed[cut],
            frame=Pose(*(each[cut] for each in self.frame)),
            track=self.track.frames(start, stop, size),
            other=other,
            first=self.first + start,
        )


def tracked_hands(
    sequence: Sequence, settings: FitSettings = DEFAULT, registered: list[RegisteredHand] | None = None
) -> list[TrackedHand]:
    """All hands of the sequence, each with the hand of the other side; `registered`, if it is known already."""
    registered = registered_hands(sequence) if registered is None else registered
    hands = [tracked_hand(sequence, hand, settings, each) for hand, each in enumerate(registered)]
    return [replace(hand, other=_beside(sequence, hand, hands)) for hand in hands]


def tracked_hand(
    sequence: Sequence, hand: int, settings: FitSettings = DEFAULT, registered: RegisteredHand | None = None
) -> TrackedHand:
    """One hand of the sequence, given as parameters, joints or points. Ground truth is not read."""
    found = registered_hand(sequence, hand) if registered is None else registered
    model, world, joints, observed = found.model, found.world, found.joints, found.observed
    framewise = world.replace(betas=repeat(world.betas, sequence.n_frames))
    part = nearest_part(sequence, joints, observed)
    frame = fit_frame(sequence, part, joints, observed)
    motion = parts_in_frame(sequence, frame)
    held = hold_lost(hand_to_part(model, framewise, sequence, part), observed)
    params = move_hand(model, held, motion.rotation[part], motion.translation[part])
    return TrackedHand(
        model=model,
        coarse=coarse_hand(sequence.hand_model or "open", model.side),
        hand=hand,
        part=part,
        world=world,
        joints=joints,
        observed=observed,
        frame=frame,
        track=make_track(model, params.replace(betas=world.betas), observed, motion, sequence.fps, settings),
        residual=found.registered.residual,
        skin_gap=found.registered.skin_gap,
        notes=tuple(f"hand {hand} ({model.side}): {note}" for note in found.registered.notes),
    )


def in_world(hand: TrackedHand, params: HandParams) -> HandParams:
    """Parameters (T, ...) in the world, betas (T, S), from parameters in the hand's frame of reference, betas (S,)."""
    world = move_hand(hand.model, params, *(put(each, np.float32) for each in hand.frame))
    return world.replace(betas=repeat(world.betas, hand.n_frames))


def make_track(
    model: HandModel,
    params: HandParams,
    observed: Bool[Array | np.ndarray, "T"],
    motion: ObjectMotion,
    fps: float,
    settings: FitSettings = DEFAULT,
) -> Track:
    """Pad a trajectory (axes (T, ...), betas (S,)) and the parts' motion (P, T, ...), smooth it, estimate its noise."""
    n_frames = len(params.pose)
    size = bucket(n_frames)
    padded, seen, mask = pad_params(params, size), pad_observed(observed, size), put(np.arange(size) < n_frames)
    smoothed = smooth_track(model, padded, seen, mask, fps, settings)
    return Track(padded, seen, mask, pad_motion(motion, size), fps, smoothed)


def _beside(sequence: Sequence, hand: TrackedHand, hands: list[TrackedHand]) -> OtherHand | None:
    """The hand of the other side, padded, in the frame of the part that `hand` handles."""
    index = other_hand(sequence.hand_side, hand.hand)
    if index is None:
        return None
    joints = _in_part(sequence.object_motion, hand.part, hands[index].joints)
    return OtherHand(pad_last(joints, bucket(sequence.n_frames)), hands[index].track.observed)


_in_part = program()(to_part)


@cache
def coarse_hand(hand_model: str, side: Side) -> HandModel:
    """Closed and decimated hand model for ray casting."""
    return decimate(load_hand(hand_model, side), N_FIELD_FACES)
