"""The most likely motion of a tracked object part, together with the hands that handle it.

Part and hands are rigid bodies here, with six unknowns each in every frame: position o and rotation R of the part's
middle, position h of the mean of a hand's joints and rotation H of its wrist. With p = R' (h - o) and Q = R' H the hand
as seen from the part, the sum of these squares is minimised:

- observations: (o - tracked o) / noise and Log(tracked R' R) / noise, with Student's t errors, and the same of each
  hand; nothing in frames where the part, or the hand, was lost;
- second differences of o and R, of p and Q times the hand's share s of being near (track/reference_frame.py), and of h
  and H times 1 - s, over acceleration_per_speed * speed / fps^2: what is slow accelerates little;
- first differences of o and R, and of p and Q times s, over (v0^2 + speed^2)^(1/2) / fps: what hardly moves rests.

The speed is that of the solution so far, and the squares are weighted anew in each of ROUNDS Gauss-Newton steps. A held
part so gets its motion from the hand too, and a part that no hand is near to moves smoothly by itself. Parts of a
hinged object are independent rigid bodies. The hands found here are not used: they are fitted later, by fit/fit.py.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from toch_jax.track.frame_equations import Equations, covariances, normal_equations, solution

ROUNDS = 8
"""Gauss-Newton steps with speeds from the step before; one with FIRST accelerations comes before them. By hand."""
DOF = 20.0
"""Degrees of freedom of Student's t for an observed pose's error; of 4 to 20 the best on noisy generated grasps."""
SPEED_TIME = 0.1
"""Standard deviation of the Gaussian that the speed is averaged with, seconds; 0.067 is as good."""
REST_STRENGTH = 0.1
"""Weight of a first difference; chosen on noisy generated grasps and MyoDM's clips, as all MotionPriors are."""
LEAST_FAR = 1e-3
"""Least weight of a hand's motion in the world; chosen by hand."""
DAMPING = 1.0
"""Precision of the change of each unknown in a step, 1/m2 or 1/rad2: what nothing is known of stays. By hand."""


class MotionPrior(NamedTuple):
    """What is assumed of a position's motion (metres) or a rotation's (radians); per coordinate."""

    acceleration_per_speed: float
    """Standard deviation of acceleration over speed, 1/s. Below the 20 to 26 of hands, as objects are heavier."""
    least_speed: float
    """Smallest speed that accelerations are derived from, m/s or rad/s."""
    first_acceleration: float
    """Standard deviation of acceleration before a speed is known, m/s2 or rad/s2 (FitSettings.acceleration)."""
    rest_speed: float
    """v0, m/s or rad/s: below it a speed counts as rest; infinite where nothing is known to rest."""


PART = MotionPrior(15.0, 0.004, 4.0, 0.003), MotionPrior(20.0, 0.02, 8.0, 0.015)
RELATIVE = MotionPrior(15.0, 0.02, 4.0, 0.02), MotionPrior(20.0, 0.1, 8.0, 0.1)
HAND = MotionPrior(15.0, 0.02, 4.0, math.inf), MotionPrior(20.0, 0.1, 8.0, math.inf)
"""Of position and rotation: of a part in the world, of a hand seen from a part, and of a hand in the world."""


class RigidTrack(NamedTuple):
    """Tracked poses of a rigid body in the world, and how exact they are."""

    position: Float[np.ndarray, "T 3"]
    """Metres."""
    rotation: Float[np.ndarray, "T 3 3"]
    observed: Bool[np.ndarray, "T"]
    """False where the tracker lost the body; the pose there is only where the search begins."""
    position_precision: Float[np.ndarray, "3 3"]
    """Inverse covariance of the position's error in the world, 1/m2."""
    rotation_precision: Float[np.ndarray, "3 3"]
    """Inverse covariance of the rotation vector of the error in the body's frame, 1/rad2."""


class NearHand(NamedTuple):
    """A hand that handles a part, and its share of being near the part in each frame, 0 to 1."""

    track: RigidTrack
    share: Float[np.ndarray, "T"]


class PartMotion(NamedTuple):
    """The motion that was found."""

    position: Float[np.ndarray, "T 3"]
    rotation: Float[np.ndarray, "T 3 3"]
    covariance: Float[np.ndarray, "T 6 6"]
    """Of the position's error in the world (m), then of the rotation vector of the error in the part's frame (rad)."""


def move_together(part: RigidTrack, hands: list[NearHand], fps: float) -> PartMotion:
    """The most likely motion of a part and the hands that handle it: the part's."""
    tracks = [part, *(hand.track for hand in hands)]
    shares = [hand.share for hand in hands]
    size = len(part.position), 6 * len(tracks)
    bodies = [(track.position, track.rotation) for track in tracks]
    for step in range(1 + ROUNDS):
        normal = normal_equations(_equations(tracks, bodies, shares, fps, step == 0), *size, DAMPING)
        change = solution(normal).reshape(size[0], -1, 2, 3)
        bodies = [
            (position + change[:, body, 0], rotation @ _exp(change[:, body, 1]))
            for body, (position, rotation) in enumerate(bodies)
        ]
    return PartMotion(*bodies[0], covariances(normal)[:, :6, :6])


Pose = tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 3 3"]]


def _equations(
    tracks: list[RigidTrack], bodies: list[Pose], shares: list[Float[np.ndarray, "T"]], fps: float, first: bool
) -> Iterator[Equations]:
    """All equations, linearised at `bodies`: R becomes R exp(w), and o becomes o + x."""
    n_frames = len(bodies[0][0])
    unit = np.broadcast_to(np.eye(6 * len(bodies)), (n_frames, 6 * len(bodies), 6 * len(bodies)))
    slopes = [(unit[:, 6 * body : 6 * body + 3], unit[:, 6 * body + 3 : 6 * body + 6]) for body in range(len(bodies))]
    for track, (position, rotation), (by_position, by_rotation) in zip(tracks, bodies, slopes, strict=True):
        yield _observed(position - track.position, by_position, track.position_precision, track.observed, first)
        off = _log(_back(track.rotation) @ rotation)
        yield _observed(off, _log_slope(off) @ by_rotation, track.rotation_precision, track.observed, first)
    (origin, frame), (by_position, by_rotation) = bodies[0], slopes[0]
    always = np.ones(n_frames)
    yield from _smooth(_position_steps(origin, by_position), PART[0], always, fps, first)
    yield from _smooth(_rotation_steps(frame, by_rotation), PART[1], always, fps, first)
    for share, (position, rotation), (hand_by_position, hand_by_rotation) in zip(
        shares, bodies[1:], slopes[1:], strict=True
    ):
        far = np.maximum(1 - share, LEAST_FAR)
        yield from _smooth(_position_steps(position, hand_by_position), HAND[0], far, fps, first)
        yield from _smooth(_rotation_steps(rotation, hand_by_rotation), HAND[1], far, fps, first)
        local = (_back(frame) @ (position - origin)[..., None])[..., 0]
        local_slope = _back(frame) @ (hand_by_position - by_position) + _cross(local) @ by_rotation
        yield from _smooth(_position_steps(local, local_slope), RELATIVE[0], share, fps, first)
        relative = _back(frame) @ rotation
        yield from _smooth(
            _rotation_steps(relative, hand_by_rotation - _back(relative) @ by_rotation), RELATIVE[1], share, fps, first
        )


def _observed(
    off: Float[np.ndarray, "T 3"],
    slope: Float[np.ndarray, "T 3 N"],
    precision: Float[np.ndarray, "3 3"],
    observed: Bool[np.ndarray, "T"],
    first: bool,
) -> Equations:
    """The equations that an error `off` is 0, with Student's t errors but for the first step, which starts at 0."""
    square = np.einsum("ta,ab,tb->t", off, precision, off) / 3
    robust_weight = observed * (1.0 if first else 1 / (1 + square / DOF))
    return Equations(off, (slope,), robust_weight[:, None, None] * precision)


class _Steps(NamedTuple):
    """The change of a quantity from each frame to the next, and its derivatives by the unknowns of both frames."""

    change: Float[np.ndarray, "S 3"]
    before: Float[np.ndarray, "S 3 N"]
    after: Float[np.ndarray, "S 3 N"]


def _position_steps(position: Float[np.ndarray, "T 3"], slope: Float[np.ndarray, "T 3 N"]) -> _Steps:
    """The steps of a position whose derivative by the unknowns is `slope`."""
    return _Steps(np.diff(position, axis=0), -slope[:-1], slope[1:])


def _rotation_steps(rotation: Float[np.ndarray, "T 3 3"], slope: Float[np.ndarray, "T 3 N"]) -> _Steps:
    """The steps of a rotation, as rotation vectors; `slope` is of its own rotation vector in its own frame."""
    change = _log(_back(rotation[:-1]) @ rotation[1:])
    return _Steps(change, -_log_slope(-change) @ slope[:-1], _log_slope(change) @ slope[1:])


def _smooth(
    steps: _Steps, prior: MotionPrior, share: Float[np.ndarray, "T"], fps: float, first: bool
) -> Iterator[Equations]:
    """The equations that a motion does not accelerate, and after the first step that it rests."""
    change, before, after = steps
    if len(change) == 0:
        return
    square = (change**2).mean(axis=1)
    square = np.concatenate([square[:1], (square[1:] + square[:-1]) / 2, square[-1:]])
    speed = np.sqrt(gaussian_filter1d(square, SPEED_TIME * fps, mode="nearest")) * fps
    allowed = np.full(len(speed), prior.first_acceleration)
    if not first:
        allowed = prior.acceleration_per_speed * np.maximum(speed, prior.least_speed)
        rest = REST_STRENGTH * fps**2 / (prior.rest_speed**2 + speed[1:] * speed[:-1]) * share[1:] * share[:-1]
        yield Equations(change, (before, after), rest[:, None, None] * np.eye(3))
    bend = ((fps**2 / allowed) ** 2 * share)[1:-1]
    # change[t + 1] - change[t]
    slopes = -before[:-1], before[1:] - after[:-1], after[1:]
    yield Equations(np.diff(change, axis=0), slopes, bend[:, None, None] * np.eye(3))


def _back(rotation: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "T 3 3"]:
    return np.swapaxes(rotation, 1, 2)


def _log(rotation: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "T 3"]:
    return Rotation.from_matrix(rotation).as_rotvec()


def _exp(vector: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    return Rotation.from_rotvec(vector).as_matrix()


def _cross(vector: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """The matrices of the cross products with the vectors."""
    return np.cross(vector[:, None], np.eye(3), axis=-1).swapaxes(1, 2)


def _log_slope(vector: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """The derivative of Log(Exp(vector) Exp(w)) by w at 0: the inverse of SO(3)'s right Jacobian."""
    angle = np.linalg.norm(vector, axis=1)
    near = np.clip(angle, 1e-2, 3.1)
    factor = np.where(angle < 1e-2, 1 / 12, 1 / near**2 - (1 + np.cos(near)) / (2 * near * np.sin(near)))
    cross = _cross(vector)
    return np.eye(3) + cross / 2 + factor[:, None, None] * (cross @ cross)
