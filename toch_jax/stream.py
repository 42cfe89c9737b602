"""Repair of a sequence while it is tracked: each frame as soon as its look-ahead is there, with constant memory.

The latest frames are repaired again and again with the stages of `refine` (pipeline.py): registration, the object's
pose, smoothing, contact field, denoiser, fit. All that `refine` estimates from a whole clip is estimated from these
frames, and the fit begins where the last one ended.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Bool

from toch_jax.base.arrays import put, take
from toch_jax.base.device import full_precision, keep_compiled
from toch_jax.base.errors import bad_input
from toch_jax.denoiser.checkpoints import as_denoiser
from toch_jax.denoiser.window import Denoiser
from toch_jax.fit.correspondences import denoiser_terms
from toch_jax.fit.fit import Solved, fit_together, follow_hand
from toch_jax.fit.guard import AS_FITTED, Repair
from toch_jax.fit.hand_forms import given_as, in_both_forms
from toch_jax.hand.conventions import from_openpose
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.observe import observe
from toch_jax.pipeline import HandForm
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.track.inverse_kinematics import params_of_shape
from toch_jax.track.object_with_hands import with_repaired_object
from toch_jax.track.part_frame import move_hand_back
from toch_jax.track.registered_hand import RegisteredHand, registered_hand
from toch_jax.track.registration_checks import framewise
from toch_jax.track.tracked_hand import TrackedHand, cut_frames, in_world, tracked_hands

WINDOW = 32
"""Latest frames that are read: the denoiser's window."""
FITTED, FITTED_AHEAD = 16, 32
"""Latest frames that are fitted, with a look-ahead below and from LONG_AHEAD on. Chosen by hand: ten frames before one
and its look-ahead are enough."""
LONG_AHEAD, MOST_AHEAD = 6, 15
STEPS = 3
"""Gauss-Newton steps each time; chosen by hand, for speed."""
SHAPE_FRAMES = 1, 2, 4, 8, 16, 32
"""Numbers of observed frames at which the shape of a hand that is given as joints is estimated (again)."""
HELD_SHAPE = 0.001
"""`tracked_shape` of the fit: the shape is that of the track."""
CORRESPONDENCES = 64
"""`correspondences` of the fit; chosen by hand, for speed."""
LOST_SIGMA = 0.1
"""Standard deviation (metres) of joints of a hand that was lost for WINDOW frames and is held where it was."""


def refine_stream(
    frames: Iterable[Sequence],
    denoiser: Denoiser | str | Path | None = "default",
    *,
    look_ahead: int = 5,
    settings: FitSettings | None = None,
    object: ObjectModel | None = None,
    hand: HandForm = "given",
) -> Iterator[Sequence]:
    """Repair a sequence while it arrives; yields each of its frames, repaired, in order.

    No result depends on frames more than `look_ahead` after it: a frame is yielded when at most so many later ones have
    been taken from `frames`, or at the end. Memory and time for a frame do not depend on how many came before.

    Less is done than by `refine`: the result is not compared with the input, hands are not aligned by a critic, and a
    hand that is lost for more than WINDOW frames is held where it was, with a standard deviation of LOST_SIGMA.

    Args:
        frames: Sequences of one frame or more (`sequence_from_arrays`, `Sequence.frames`) that follow one another: the
            same hands, given as parameters or joints, the same object and frame rate. `hand_valid` may be false.
        denoiser: As in `refine`.
        look_ahead: 0 to 15 frames. More is more accurate (docs/streaming.md), and later.
        settings: As in `refine`, but for the number of steps.
        object: The sequence's object, if it has been built before (`sequence_object`).
        hand: As in `refine`.
    """
    if not 0 <= look_ahead <= MOST_AHEAD:
        raise bad_input("refine_stream", "look_ahead", f"0 to {MOST_AHEAD} frames", str(look_ahead))
    keep_compiled()
    return _followed(frames, as_denoiser(denoiser), look_ahead, settings or DEFAULT, object, hand)


def _followed(
    frames: Iterable[Sequence],
    denoiser: Denoiser | None,
    look_ahead: int,
    settings: FitSettings,
    object: ObjectModel | None,
    hand: HandForm,
) -> Iterator[Sequence]:
    follower: _Follower | None = None
    for chunk in frames:
        for index in range(chunk.n_frames):
            frame = chunk.frames(index, index + 1).replace(truth=None, camera=None)
            if follower is None:
                if given_as(frame.hands) == "points":
                    raise bad_input(
                        frame.source, "hands", "parameters or joints", "points, which take too long to follow"
                    )
                built = (sequence_object(frame) if object is None else object).without_mesh()
                follower = _Follower(denoiser, look_ahead, settings, built, hand)
            yield from follower.add(frame)
    if follower is not None:
        yield from follower.rest()


def stride(look_ahead: int) -> int:
    """Frames from one repair of the window to the next."""
    return look_ahead // 2 + 1


class _Follower:
    """The latest frames of a sequence, and what is known of its hands."""

    def __init__(
        self,
        denoiser: Denoiser | None,
        look_ahead: int,
        settings: FitSettings,
        object: ObjectModel,
        hand: HandForm,
    ) -> None:
        self.denoiser, self.look_ahead, self.object, self.hand = denoiser, look_ahead, object, hand
        self.settings = settings.replace(tracked_shape=HELD_SHAPE, correspondences=CORRESPONDENCES)
        self.fitted_frames = FITTED if look_ahead < LONG_AHEAD else FITTED_AHEAD
        self.frames: deque[Sequence] = deque(maxlen=WINDOW)
        self.new = self.waiting = 0
        self.hands: list[_Hand] = []
        self.last: Sequence | None = None
        """The frame that was yielded last."""
        self.clean: Sequence
        """The frames that were repaired last."""

    def add(self, frame: Sequence) -> Iterator[Sequence]:
        """The frames that are repaired now that this one is there."""
        self.frames.append(frame)
        self.new += 1
        self.waiting += 1
        if self.new == stride(self.look_ahead):
            least = self.look_ahead + 1 - self.new
            self.clean = self._repaired()
            yield from self._emitted(self.clean, least)

    def rest(self) -> Iterator[Sequence]:
        """The frames that still wait, at the end of the sequence."""
        if self.waiting:
            yield from self._emitted(self._repaired() if self.new else self.clean, 0)

    def _emitted(self, clean: Sequence, least: int) -> Iterator[Sequence]:
        """Those that wait and lie at least so many frames behind the newest."""
        end = clean.n_frames
        for index in range(end - self.waiting, end - least):
            self.waiting -= 1
            self.last = clean.frames(index, index + 1)
            yield self.last

    @full_precision
    def _repaired(self) -> Sequence:
        """The frames of the window that are fitted, repaired."""
        window, new = _window(self.frames), self.new
        self.new = 0
        if not self.hands:
            self.hands = [_Hand(index) for index in range(len(window.hand_side))]
        late = WINDOW - self.fitted_frames
        if not np.asarray(window.hand_valid).any(axis=1).all():
            return self._held(window.frames(late, WINDOW))
        registered = [hand.registered(window, new) for hand in self.hands]
        mended = with_repaired_object(window, registered)
        tracked = tracked_hands(mended, self.settings, registered)
        latest = [each.frames(late, WINDOW, self.fitted_frames) for each in tracked]
        solved = [self._solved(*each, late, new) for each in zip(self.hands, tracked, latest, strict=True)]
        fitted = fit_together(solved, [each.coarse for each in latest], [each.frame for each in latest], self.settings)
        repairs = [
            Repair(AS_FITTED, in_world(each, found.params), found.joint_sigma)
            for each, found in zip(latest, fitted, strict=True)
        ]
        for hand, repair in zip(self.hands, repairs, strict=True):
            hand.fitted = repair.params
        both = in_both_forms(mended.frames(late, WINDOW), latest, repairs, [None] * len(latest))
        return (both.given if self.hand == "given" else both.model).replace(notes=())

    def _solved(self, hand: "_Hand", tracked: TrackedHand, latest: TrackedHand, late: int, new: int) -> Solved:
        surface, joints = None, None
        if self.denoiser is not None:
            seen = observe(tracked, self.object, self.denoiser)
            cut = take((seen.estimate, seen.points, seen.normals), np.s_[late:])
            surface, joints = denoiser_terms(
                latest, seen._replace(estimate=cut[0], points=cut[1], normals=cut[2]), self.settings
            )
        start = hand.start(latest, new)
        return follow_hand(latest.model, latest.track, self.object.grid, start, surface, joints, self.settings, STEPS)

    def _held(self, frames: Sequence) -> Sequence:
        """Frames of a hand that has been lost for long: where it was last, or as given if it was never seen."""
        for hand in self.hands:
            hand.fitted = None
        if self.last is None:
            return frames
        hands = take(self.last.hands, np.s_[:, np.zeros(frames.n_frames, int)])
        sigma = np.full((len(frames.hand_side), frames.n_frames, 21), LOST_SIGMA, np.float32)
        return frames.replace(hands=hands, hand_model=self.last.hand_model, hand_joint_sigma=put(sigma))


class _Hand:
    """What is known of one hand from the frames before."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.known: RegisteredHand | None = None
        """In the last window, if the hand is given as joints."""
        self.counted = 0
        """Observed frames, up to the largest of SHAPE_FRAMES."""
        self.fitted: HandParams | None = None
        """In the world, in the last frames that were fitted; betas (T, S)."""

    def registered(self, window: Sequence, new: int) -> RegisteredHand:
        """The hand in the window, whose last `new` frames are new."""
        if given_as(window.hands) != "joints":
            return registered_hand(window, self.index)
        observed = np.asarray(window.hand_valid)[self.index]
        before, self.counted = self.counted, min(self.counted + int(observed[-new:].sum()), SHAPE_FRAMES[-1])
        if self.known is None or any(before < count <= self.counted for count in SHAPE_FRAMES):
            self.known = registered_hand(window, self.index)
        else:
            self.known = _with_new(self.known, window, self.index, observed, new)
        return self.known

    def start(self, latest: TrackedHand, new: int) -> HandParams:
        """Where the fit begins: where the last one ended, and at the smoothed track in new frames."""
        smooth = latest.track.smoothed.params
        if self.fitted is None:
            return smooth
        before = take(self.fitted, np.s_[new:]).replace(betas=smooth.betas)
        turned = (put(each[: latest.n_frames - new], np.float32) for each in latest.frame)
        held = move_hand_back(latest.model, before, *turned)
        return _joined(held, cut_frames(smooth, latest.n_frames, latest.n_frames - new))


def _with_new(
    known: RegisteredHand, window: Sequence, index: int, observed: Bool[np.ndarray, "T"], new: int
) -> RegisteredHand:
    """The hand in the window, of the same shape as before, with its last `new` frames registered to their joints."""
    joints = put(from_openpose(np.asarray(take(window.hands.joints, index))[-new:]))
    last = params_of_shape(known.model, joints, put(observed[-new:]), known.world.betas)
    params = _joined(cut_frames(known.world, len(observed), new), last)
    return RegisteredHand(
        known.model, known.registered._replace(params=params), skin_frames(known.model, framewise(params))[1], observed
    )


def _joined(first: HandParams, last: HandParams) -> HandParams:
    """The frames of both, in turn; betas (S,) of the first."""
    names = ("global_orient", "pose", "transl")
    both = {name: put(np.concatenate([np.asarray(getattr(each, name)) for each in (first, last)])) for name in names}
    return first.replace(**both)


def _window(frames: Iterable[Sequence]) -> Sequence:
    """The frames as one sequence of WINDOW frames: before the first, it is repeated as lost."""
    given = list(frames)
    missing = WINDOW - len(given)
    given = [given[0]] * missing + given
    seen = np.arange(WINDOW) >= missing
    timed = [(each.hands, each.hand_valid, each.object_motion, each.object_observed) for each in given]
    hands, valid, motion, tracked = jax.tree.map(lambda *each: put(np.concatenate(each, axis=1)), *timed)
    return given[0].replace(
        hands=hands,
        hand_valid=put(np.asarray(valid) & seen),
        object_motion=motion,
        object_valid=put(np.asarray(tracked) & seen),
    )
