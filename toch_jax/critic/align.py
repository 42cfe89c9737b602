"""Alignment: where the critic says that a tracked hand truly is, as a slow error of its position with a covariance.

The smoothed hand is scored at a grid of places in some frames of the clip, coarsely over all that is likely, then
finely where the first round says. Ways to be wrong compete by the same evidence: not at all, by the same offset in all
frames, or by one that wanders. With a camera the grid's first axis is along its ray, and reaches farther.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toch_jax.base.arrays import put, take
from toch_jax.base.device import full_precision
from toch_jax.critic.features import SlopeGrid, distance_to_parts, hand_points, slope_grid
from toch_jax.critic.network import Critic
from toch_jax.critic.posterior import Nodes, Posterior, Process, grid_offsets, posterior
from toch_jax.critic.skin_points import skin_points
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, Side
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.camera import Camera
from toch_jax.track.contact_check import signed_distance
from toch_jax.track.noise_level import joint_noise
from toch_jax.track.tracked_hand import TrackedHand

FRAMES = 12
"""Frames that are scored at once: one compiled program serves clips of any length."""
SPACING = 0.2
"""Least time between two of them, seconds."""
SIDE = 11
"""Nodes of a grid along each axis."""
LONG, SHORT = 147, 3
"""Nodes along the camera's ray and along each axis across it, in the first round: about as many in all."""
REACH = 2.6
"""Half the side of the second round's grid, in standard deviations."""
LEAST_STEP = 0.001
"""Least distance between its nodes, metres; chosen by hand."""
NEAR = 0.05
"""How much farther (metres) than in a quarter of the frames a hand may be from the object in frames that are scored."""
UNLIKELY = 0.02
"""Probability below which a way to be wrong is left out; chosen by hand."""
STEADY = 0.008
"""Noise of the track's joints (metres per coordinate) at which the scores count half: what smoothing leaves of a
shaking hand is no place that a clean one has. Chosen by hand."""
SURE = 0.001
"""Standard deviation (metres) of the position of a hand that has no slow error."""
MOST_RIGHT = 0.3
"""Largest probability of having no slow error with which a hand is moved. Chosen on MyoDM's validation clips, where
hands that are moved whatever it is leave T, R and B up to a tenth worse."""


class Hypothesis(NamedTuple):
    """One way to be wrong, and how likely it is beforehand."""

    process: Process
    share: float


class Prior(NamedTuple):
    """All ways to be wrong, and the grid of the first round."""

    ways: tuple[Hypothesis, ...]
    half: tuple[float, float, float]
    """Half the sides of the grid, metres."""
    counts: tuple[int, int, int]
    """Its nodes along each axis."""


RIGHT_SHARE = 0.5
"""Probability beforehand that a tracked hand has no slow error; chosen by hand."""
ALIKE = Prior(
    (
        Hypothesis(Process((0.01,) * 3, np.inf), 0.27),
        Hypothesis(Process((0.02,) * 3, np.inf), 0.03),
        Hypothesis(Process((0.01,) * 3, 0.65), 0.2),
    ),
    (0.036,) * 3,
    (SIDE,) * 3,
)
"""Slow errors of which no direction is likelier than another; sizes chosen by hand."""
ALONG_RAY = Prior(
    (
        Hypothesis(Process((0.01, 0.005, 0.005), np.inf), 0.1),
        Hypothesis(Process((0.05, 0.005, 0.005), np.inf), 0.3),
        Hypothesis(Process((0.02, 0.005, 0.005), 0.65), 0.1),
    ),
    (0.146, 0.007, 0.007),
    (LONG, SHORT, SHORT),
)
"""Slow errors of a hand that a camera sees: the first axis is along its ray; sizes chosen by hand."""


@dataclass(frozen=True)
class Alignment:
    """Slow error of a hand's position over T frames, in the world, metres."""

    offset: Float[np.ndarray, "T 3"]
    """To be added to where the tracker has the hand; 0 where too little speaks for an error."""
    covariance: Float[np.ndarray, "T 3 3"]
    """Of the hand's position after that."""
    right: float
    """Probability that the tracked hand has no slow error."""

    @property
    def sigma(self) -> Float[np.ndarray, "T"]:
        """Standard deviation of a coordinate, root mean square over the three; metres."""
        return np.sqrt(np.trace(self.covariance, axis1=1, axis2=2) / 3)

    @property
    def moves(self) -> bool:
        return bool(self.offset.any())


def align(tracked: TrackedHand, object: ObjectModel, critic: Critic, camera: Camera | None = None) -> Alignment:
    """The slow error of a tracked hand of T frames, from where the critic says that it touches the object."""
    fps = float(tracked.track.fps)
    frames = _frames(tracked, object, fps)
    if camera is None:
        prior, axes = ALIKE, np.broadcast_to(np.eye(3), (tracked.n_frames, 3, 3))
    else:
        prior, axes = ALONG_RAY, _axes(tracked, camera)
    scores = _Scores(tracked, object, critic, frames, axes)
    gaps = np.diff(frames) / fps
    shaking = float(joint_noise(tracked.track.smoothed.noise)) / STEADY
    weight = critic.config.rate * np.sqrt(_seconds(frames, fps)) / len(frames) / (1 + shaking**2)

    values = weight * scores.at(nodes := _nodes(np.zeros(3), np.array(prior.half), prior.counts))
    found = [posterior(values, nodes, gaps, way.process) for way in prior.ways]
    here = tuple(count // 2 for count in prior.counts)
    evidence = [values[(slice(None), *here)].sum(), *(each.log_evidence for each in found)]
    right, *shares = _shares(np.array(evidence), np.array([RIGHT_SHARE, *(way.share for way in prior.ways)]))
    slow = _mixture(found, shares)
    if right < MOST_RIGHT:
        kept = [(way.process, share) for way, share in zip(prior.ways, shares, strict=True) if share > UNLIKELY]
        nodes = _nodes_around(slow)
        values = weight * scores.at(nodes)
        slow = _mixture([posterior(values, nodes, gaps, way) for way, _ in kept], [share for _, share in kept])
    still = Posterior(np.zeros_like(slow.mean), np.tile(SURE**2 * np.eye(3), (len(frames), 1, 1)), 0.0)
    total = _mixture([still, slow], [right, 1 - right])
    if right >= MOST_RIGHT:
        # what is not moved is off by the mean too
        second = total.covariance + total.mean[:, :, None] * total.mean[:, None]
        total = Posterior(np.zeros_like(total.mean), second, 0.0)
    return _in_all_frames(total, frames, axes, float(right))


def aligned(tracked: TrackedHand, alignment: Alignment) -> TrackedHand:
    """The tracked hand with its track moved by the alignment; its world parameters and joints stay as tracked."""
    if not alignment.moves:
        return tracked
    size = len(tracked.track.frame_mask)
    moved = np.einsum("tba,tb->ta", tracked.frame.rotation, alignment.offset)
    moved = np.pad(moved, ((0, size - len(moved)), (0, 0)), mode="edge")

    def shifted(params: HandParams) -> HandParams:
        return params.replace(transl=put(np.asarray(params.transl) + moved, np.float32))

    track = tracked.track
    smoothed = track.smoothed.replace(params=shifted(track.smoothed.params))
    return replace(tracked, track=track.replace(params=shifted(track.params), smoothed=smoothed))


def alignment_note(tracked: TrackedHand, alignment: Alignment) -> str | None:
    """A line on how far a hand was moved as a whole, and how surely; None if it was not."""
    if not alignment.moves:
        return None
    moved = 1e3 * float(np.linalg.norm(alignment.offset, axis=1).mean())
    sure = f"standard deviation then {1e3 * float(alignment.sigma.mean()):.0f} mm a coordinate"
    return f"hand {tracked.hand} ({tracked.model.side}): moved as a whole by {moved:.0f} mm, by touch ({sure})"


class _Scores:
    """Scores of a tracked hand in some frames; every call has arrays of the same shapes, so it compiles once."""

    def __init__(
        self,
        tracked: TrackedHand,
        object: ObjectModel,
        critic: Critic,
        frames: Int[np.ndarray, "F"],
        axes: Float[np.ndarray, "T 3 3"],
    ) -> None:
        self.critic, self.grid = critic, slope_grid(object.grid)
        self.model = _points_model(tracked.model)
        params = tracked.track.smoothed.params
        betas = np.broadcast_to(np.asarray(params.betas), (len(frames), len(params.betas)))
        self.params = take(params.replace(betas=params.transl), frames).replace(betas=put(betas))
        self.motion = take(tracked.track.motion, np.s_[:, frames])
        # from the axes to the frame of reference of the track
        self.turn = np.einsum("fba,fkb->fak", tracked.frame.rotation[frames], axes[frames])

    def at(self, nodes: Nodes) -> Float[np.ndarray, "F X Y Z"]:
        """Scores of each frame, moved to each node; positions along the axes."""
        places = grid_offsets(nodes)
        padded = np.pad(places, ((0, SIDE**3 - len(places)), (0, 0)), mode="edge")
        offsets = np.einsum("fak,ck->cfa", self.turn, padded).astype(np.float32)
        found = []
        for first in range(0, len(self.turn), FRAMES):
            some = slice(first, first + FRAMES)
            hand, motion = take(self.params, some), take(self.motion, np.s_[:, some])
            found.append(np.asarray(_scores(self.critic, self.model, hand, self.grid, motion, put(offsets[:, some]))))
        scores = np.concatenate(found, axis=1)[: len(places)]
        return scores.T.reshape(-1, *(len(axis) for axis in nodes)).astype(np.float64)


@jax.jit
@full_precision
def _scores(
    critic: Critic,
    model: HandModel,
    params: HandParams,
    grid: SlopeGrid,
    motion: ObjectMotion,
    offsets: Float[Array, "C F 3"],
) -> Float[Array, "C F"]:
    hand = hand_points(model, params)
    parts = jnp.arange(motion.rotation.shape[0])

    def some(offsets: Float[Array, "c F 3"]) -> Float[Array, "c F"]:
        points = hand.points + offsets[:, :, None]
        return critic(distance_to_parts(grid, parts, motion, points), hand.shape)

    return jax.lax.map(some, offsets.reshape(SIDE, -1, *offsets.shape[1:])).reshape(offsets.shape[:2])


@cache
def _points_of(name: str, side: Side) -> HandModel:
    return skin_points(load_hand(name, side))


def _points_model(model: HandModel) -> HandModel:
    """`skin_points` of the model, kept for the one that comes with the package."""
    return _points_of("open", model.side) if model.name == "open" else skin_points(model)


def _frames(tracked: TrackedHand, object: ObjectModel, fps: float) -> Int[np.ndarray, "F"]:
    """Frames to be scored, a multiple of FRAMES: evenly among those in which the hand was seen near the object."""
    near = _near(tracked, object)
    count = FRAMES * max(1, round(len(near) / (fps * SPACING * FRAMES)))
    return near[np.linspace(0, len(near) - 1, count).round().astype(int)]


def _near(tracked: TrackedHand, object: ObjectModel) -> Int[np.ndarray, "N"]:
    joints = np.asarray(tracked.joints)
    rotation, translation = tracked.frame
    local = np.einsum("tba,tjb->tja", rotation, joints - translation[:, None])
    motion = take(tracked.track.motion, np.s_[:, : tracked.n_frames])
    distance = signed_distance(object, motion, local).min(axis=1)
    limit = np.quantile(distance[tracked.observed], 0.25) + NEAR
    return np.flatnonzero(tracked.observed & (distance < limit))


def _seconds(frames: Int[np.ndarray, "F"], fps: float) -> float:
    """Time that the frames stand for; a short clip's are repeated."""
    each = np.unique(frames)
    return len(each) * max(1.0, np.ptp(each) / max(1, len(each) - 1)) / fps


def _axes(tracked: TrackedHand, camera: Camera) -> Float[np.ndarray, "T 3 3"]:
    """Rows: unit vectors along the camera's ray to the wrist and across it, in the world."""
    ray = camera.rays(np.asarray(tracked.joints)[:, 0])
    reference = np.eye(3)[np.abs(ray.mean(axis=0)).argmin()]
    side = np.cross(ray, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([ray, side, np.cross(ray, side)], axis=1)


def _nodes(middle: Float[np.ndarray, "3"], half: Float[np.ndarray, "3"], counts: tuple[int, int, int]) -> Nodes:
    x, y, z = (m + np.linspace(-h, h, n) for m, h, n in zip(middle, half, counts, strict=True))
    return x, y, z


def _nodes_around(rough: Posterior) -> Nodes:
    """The second round's grid: where the first round has the hand in any frame, and what is likely around it."""
    middle = (rough.mean.max(axis=0) + rough.mean.min(axis=0)) / 2
    spread = np.sqrt(np.diagonal(rough.covariance, axis1=1, axis2=2)).max(axis=0)
    half = REACH * spread + np.abs(rough.mean - middle).max(axis=0)
    return _nodes(middle, np.maximum(half, LEAST_STEP * (SIDE // 2)), (SIDE,) * 3)


def _shares(evidence: Float[np.ndarray, "H"], prior: Float[np.ndarray, "H"]) -> Float[np.ndarray, "H"]:
    share = prior * np.exp(evidence - evidence.max())
    return share / share.sum()


def _mixture(posteriors: list[Posterior], shares: list[float]) -> Posterior:
    """The mean and covariance of a mixture."""
    weight = np.array(shares) / np.sum(shares)
    means = np.stack([each.mean for each in posteriors])
    mean = np.einsum("h,hfa->fa", weight, means)
    second = np.stack([each.covariance for each in posteriors]) + means[..., :, None] * means[..., None, :]
    covariance = np.einsum("h,hfab->fab", weight, second) - mean[:, :, None] * mean[:, None]
    return Posterior(mean, covariance, 0.0)


def _in_all_frames(
    found: Posterior, frames: Int[np.ndarray, "F"], axes: Float[np.ndarray, "T 3 3"], right: float
) -> Alignment:
    """The posterior in the world, interpolated between the frames that were scored."""
    every = np.arange(len(axes))

    def between(values: Float[np.ndarray, "F *n"]) -> Float[np.ndarray, "T *n"]:
        flat = values.reshape(len(frames), -1)
        return np.stack([np.interp(every, frames, each) for each in flat.T], axis=1).reshape(-1, *values.shape[1:])

    offset = np.einsum("tka,tk->ta", axes, between(found.mean))
    covariance = np.einsum("tka,tkl,tlb->tab", axes, between(found.covariance), axes)
    return Alignment(offset, covariance, right)
