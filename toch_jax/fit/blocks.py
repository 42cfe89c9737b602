"""Long clips in overlapping blocks of frames, whose memory does not grow with the clip.

What is estimated from the whole clip beforehand (reference frame, smoothed track, noise) holds for all blocks. A frame
is influenced by those around it only, so that blocks agree where they overlap, but for the hand's shape, which all
frames share: the shape that suits all blocks is found from their normal equations, and every block's frames follow by a
Gauss-Newton step, which is what the shape's change does in the normal equations of the whole clip.
"""

from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.base.programs import program
from toch_jax.base.progress import Progress
from toch_jax.denoiser.window import DenoiserConfig, frame_step
from toch_jax.fit.fit import Fitted
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.solver.kinematics import N_UNKNOWNS, HandState, params_from_state, step_state
from toch_jax.solver.levenberg_marquardt import DAMPING_FLOOR, Solution, damped
from toch_jax.solver.normal_equations import factor
from toch_jax.solver.settings import FitSettings
from toch_jax.track.tracked_hand import TrackedHand, cut_frames

BLOCK = 512
"""Frames of a block: clips up to this length are fitted as a whole. Chosen by hand: half a gigabyte."""
MARGIN = 16
"""Frames at either end of a block that are not used, beyond those in which the denoiser's windows are not all there;
the motion term reaches some ten frames. Chosen by hand."""


class _Piece(NamedTuple):
    """One hand fitted in one block."""

    start: int
    fitted: Fitted
    """Without its solution."""
    state: HandState
    """Over the padded frames."""
    response: Float[np.ndarray, "B 51 S"]
    """Change of a frame's unknowns per unit of the shape's."""
    information: Float[np.ndarray, "S S"]
    """Inverse covariance of the shape, from the block alone."""

    @property
    def n_frames(self) -> int:
        return len(self.fitted.joint_sigma)


def spans(n_frames: int, step: int) -> list[tuple[int, int]]:
    """First frame and end of each block; `step` is that between frames of the denoiser's windows (`frame_step`).

    Blocks begin where windows of the whole clip do, so that the denoiser reads the same windows.
    """
    if n_frames <= BLOCK:
        return [(0, n_frames)]
    stride = DenoiserConfig.stride * step
    hop = max((BLOCK - 2 * (stride + MARGIN)) // stride * stride, BLOCK // 4)
    starts = range(0, n_frames - (BLOCK - hop), hop)
    return [(start, min(start + BLOCK, n_frames)) for start in starts]


def in_blocks(
    hands: list[TrackedHand],
    fit: Callable[[list[TrackedHand]], list[Fitted]],
    settings: FitSettings,
    progress: Progress,
) -> list[Fitted]:
    """The hands of a clip, fitted by `fit`: as a whole up to BLOCK frames, else block by block and joined."""
    n_frames = hands[0].n_frames
    parts = spans(n_frames, frame_step(float(hands[0].track.fps), DenoiserConfig.frame_rate))
    if len(parts) == 1:
        return fit(hands)
    pieces: list[list[_Piece]] = [[] for _ in hands]
    for start, stop in parts:
        progress(f"frames {start} to {stop - 1} of {n_frames}")
        for own, fitted in zip(pieces, fit([hand.frames(start, stop, BLOCK) for hand in hands]), strict=True):
            own.append(_piece(start, fitted))
    return [_joined(hand, own, settings) for hand, own in zip(hands, pieces, strict=True)]


def _piece(start: int, fitted: Fitted) -> _Piece:
    solution, place = fitted.solution, fitted.place
    assert solution is not None
    state = solution.state[place] if isinstance(solution.state, tuple) else solution.state
    shared, information = (np.asarray(each, np.float64) for each in _of_shape(solution))
    shape = np.s_[place * len(state.betas) : (place + 1) * len(state.betas)]
    if len(information) > len(state.betas):
        # of this hand's shape, whatever the other's is
        information = np.linalg.inv(np.linalg.inv(information)[shape, shape])
    response = -shared[:, place * N_UNKNOWNS : (place + 1) * N_UNKNOWNS, shape]
    return _Piece(start, fitted.replace(solution=None), state, response, information)


@program()
def _of_shape(solution: Solution[Any]) -> tuple[Float[Array, "B n S"], Float[Array, "S S"]]:
    """What the frames' step loses per unit of the shape's, and the shape's inverse covariance."""
    factors = factor(damped(solution.linear, jnp.asarray(DAMPING_FLOOR)).system)
    return factors.shared, factors.corner_lower @ factors.corner_lower.T


def _joined(hand: TrackedHand, pieces: SequenceOf[_Piece], settings: FitSettings) -> Fitted:
    """The whole trajectory: one shape, and a smooth change from each block to the next in the middle of both."""
    counted = hand.n_frames / sum(piece.n_frames for piece in pieces)
    shape = common_shape(
        [np.asarray(piece.state.betas, np.float64) for piece in pieces],
        [piece.information for piece in pieces],
        np.asarray(hand.track.params.betas, np.float64),
        counted,
        settings,
    )
    rotation, wrist = np.zeros((hand.n_frames, 16, 3)), np.zeros((hand.n_frames, 3))
    sigma = np.zeros((hand.n_frames, 21))
    stop = 0
    for piece in pieces:
        params = _with_shape(hand.model, piece, shape)
        turns = np.concatenate(
            [np.asarray(params.global_orient)[:, None], np.asarray(params.pose).reshape(-1, 15, 3)], 1
        )
        rise = share(piece.n_frames, stop - piece.start)
        stop = piece.start + piece.n_frames
        here = np.s_[piece.start : stop]
        rotation[here] = _between(rotation[here], turns, rise)
        wrist[here] += rise[:, None] * (np.asarray(params.transl) - wrist[here])
        sigma[here] += rise[:, None] * (np.asarray(piece.fitted.joint_sigma) - sigma[here])
    whole = HandParams(
        *(put(each, np.float32) for each in (rotation[:, 0], rotation[:, 1:].reshape(-1, 45), shape, wrist))
    )
    costs = np.concatenate([np.asarray(piece.fitted.costs) for piece in pieces])
    return Fitted(whole, put(sigma, np.float32), put(costs), pieces[0].fitted.noise)


def common_shape(
    betas: SequenceOf[Float[np.ndarray, "S"]],
    information: SequenceOf[Float[np.ndarray, "S S"]],
    tracked: Float[np.ndarray, "S"],
    counted: float,
    settings: FitSettings,
) -> Float[np.ndarray, "S"]:
    """The shape that minimises the sum of the blocks' costs, each as its normal equations have it.

    `betas` and `information`: each block's shape and its inverse covariance. The terms that do not belong to frames, of
    the tracked shape and of people's shapes, count once; the data of a block count `counted` times.
    """
    by_track, by_people = 1 / float(settings.tracked_shape) ** 2, 1 / float(settings.shape) ** 2
    once = (by_track + by_people) * np.eye(len(tracked))
    matrix, right = once, by_track * tracked
    for own, certain in zip(betas, information, strict=True):
        matrix = matrix + counted * (certain - once)
        right = right + counted * (certain @ own - by_track * tracked)
    return np.linalg.solve(matrix, right)


def _with_shape(model: HandModel, piece: _Piece, shape: Float[np.ndarray, "S"]) -> HandParams:
    """The block's hand after the Gauss-Newton step to this shape, without padding."""
    change = shape - np.asarray(piece.state.betas)
    state = _stepped(piece.state, put(piece.response @ change, np.float32), put(change, np.float32))
    return cut_frames(params_from_state(model, state), piece.n_frames)


_stepped = program()(step_state)


def share(n_frames: int, overlap: int) -> Float[np.ndarray, "T"]:
    """Weight of a block in each of its frames, of which the first `overlap` are in the block before too: it rises
    smoothly from 0 to 1 over the middle half of those."""
    if overlap == 0:
        return np.ones(n_frames)
    rise = np.clip((np.arange(n_frames) + 0.5 - overlap / 4) / (overlap / 2), 0, 1)
    return rise**2 * (3 - 2 * rise)


def _between(
    first: Float[np.ndarray, "T 16 3"], last: Float[np.ndarray, "T 16 3"], share: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T 16 3"]:
    """Rotation vectors on the way from `first` to `last`."""
    start = Rotation.from_rotvec(first.reshape(-1, 3))
    onward = (start.inv() * Rotation.from_rotvec(last.reshape(-1, 3))).as_rotvec()
    return (start * Rotation.from_rotvec(np.repeat(share, 16)[:, None] * onward)).as_rotvec().reshape(first.shape)
