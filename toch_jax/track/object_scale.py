"""The scale of an object's mesh, from the hands that hold it.

Meshes that were reconstructed from images have no scale of their own, or one that is off by a tenth. Fingers on
opposite sides of an object say how thick it is: at the true scale, the distances of many digits from the surface are
nearly 0 together. For each scale s of a grid, the posterior is

    log p(s) = n mean_t max_o [sum_d log(q N(m_td; rest, spread) + flat(m_td)) - 0.5 |o / error|^2]
               - 0.5 (log s / prior)^2

m_td is the signed distance of digit d in frame t to the object scaled by s about its middle, after the hand's offset o
in that frame (Laplace's approximation of the integral over o); flat allows digits outside that do not touch.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.hand.model import skin_frames
from toch_jax.object.model import DistanceGrid, part_middles
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.types import Sequence
from toch_jax.track.contact_check import grid_distance
from toch_jax.track.noise_level import joint_noise
from toch_jax.track.object_with_hands import with_repaired_object
from toch_jax.track.reference_frame import part_pose
from toch_jax.track.registered_hand import registered_hands
from toch_jax.track.tracked_hand import TrackedHand, cut_frames, in_world, tracked_hands

SCALES = np.exp(np.linspace(np.log(0.7), np.log(1.4), 36))
PRIOR = 0.15
"""Standard deviation of the logarithm of the scale; chosen by hand."""
REST, SPREAD = -0.0002, 0.0012
"""Signed distance of the nearest skin of a digit that touches, and its standard deviation, metres: the peak of the
distances in MyoDM's training clips is at -0.5 mm, 1 mm wide, with more outside than inside."""
PEAK = 3.0
"""Density of a digit that touches, at REST, over that of one at a distance; of 3, 4 and 6, 3 has no bias there."""
LEAST_ERROR, REMAINING = 0.001, 0.5
"""Standard deviation of the hand's offset in a frame, metres per coordinate: the root of the sum of squares of the
first and of the second times the track's noise, as smoothing leaves about half of it."""
FRAMES = 6.0
"""How many independent frames a clip counts as: grasps last. Chosen on noisy training clips of MyoDM by the share of
errors within the posterior."""
NEAR = 0.02
"""Distance of the nearest skin, metres, up to which a frame counts (plus the hand's offset)."""
LEAST_FRAMES = 5
"""Fewest frames near the object from which a hand counts; chosen by hand."""
WELL_KNOWN = 0.025
"""Standard deviation of the logarithm of the scale above which it is not used. On MyoDM's training clips (true hands)
15 of 24 are below it, with errors of at most 0.017, and on test clips 6 of 13, at most 0.022."""
STEPS = (4.0, 2.0, 1.0), 6
"""Factors on SPREAD, one after the other, and Gauss-Newton steps with each, in the search for a frame's offset."""


class Scale(NamedTuple):
    """Scale of an object's mesh: what its vertices are to be multiplied with, about the middle of its box."""

    factor: float
    sigma: float
    """Standard deviation of its logarithm."""

    @property
    def is_known(self) -> bool:
        return self.sigma <= WELL_KNOWN


def with_scale_from_contact(sequence: Sequence) -> Sequence:
    """The sequence with its object's mesh scaled as the hands' contacts say, if they do, and a note on it.

    Raises InputError for an object of several parts: their scales cannot be told from their distances.
    """
    middles = part_middles(np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part))
    if len(middles) > 1:
        raise bad_input(sequence.source, "scale", "a rigid object", f"one of {len(middles)} parts")
    registered = registered_hands(sequence)
    steady = with_repaired_object(sequence, registered)
    hands = tracked_hands(steady, registered=registered)
    scale = scale_from_contact(steady, hands, sequence_object(sequence).grid, middles[0])
    if not scale.is_known:
        note = "object: its scale is unknown, as touch does not show it: the mesh was not scaled"
        return sequence.replace(notes=(*sequence.notes, note))
    middle = put(middles[0], np.float32)
    vertices = middle + np.float32(scale.factor) * (sequence.object_vertices - middle)
    note = f"object: its mesh was scaled by {scale.factor:.3f}, as the hands' contacts say (to {scale.sigma:.1%})"
    return sequence.replace(object_vertices=vertices, notes=(*sequence.notes, note))


def scale_from_contact(
    sequence: Sequence, hands: list[TrackedHand], grid: DistanceGrid, middle: Float[np.ndarray, "3"]
) -> Scale:
    """Scale of a rigid object about `middle` (metres, in its frame), whose signed distances are in `grid`."""
    log_scale = np.log(SCALES)
    log_posterior = -0.5 * (log_scale / PRIOR) ** 2
    for hand in hands:
        digits = _digits(sequence, hand)
        error = float(np.hypot(LEAST_ERROR, REMAINING * joint_noise(hand.track.smoothed.noise)))
        nearest = np.min([grid_distance(grid, 0, skin).min(axis=1) for skin in digits], axis=0)
        near = hand.observed & (nearest < NEAR + error)
        if near.sum() < LEAST_FRAMES:
            continue
        touches = (_touch(grid, [skin[near] for skin in digits], scale, middle) for scale in SCALES)
        log_posterior += FRAMES * np.array([_evidence(*touch, error).mean() for touch in touches])
    share = np.exp(log_posterior - log_posterior.max())
    share /= share.sum()
    mean = share @ log_scale
    return Scale(float(np.exp(mean)), float(np.sqrt(share @ (log_scale - mean) ** 2)))


def _digits(sequence: Sequence, hand: TrackedHand) -> list[Float[np.ndarray, "T _ 3"]]:
    """Skin of the smoothed hand's five digits and of its palm, in the object's frame, metres."""
    smooth = in_world(hand, cut_frames(hand.track.smoothed.params, hand.n_frames))
    skin = np.asarray(skin_frames(hand.coarse, smooth)[0], np.float64)
    pose = part_pose(sequence, hand.part)
    local = np.einsum("tba,tkb->tka", pose.rotation, skin - pose.translation[:, None])
    bone: Int[np.ndarray, "V"] = np.asarray(hand.coarse.weights).argmax(axis=1)
    # the wrist, then three joints of each finger
    return [local[:, (bone + 2) // 3 == digit] for digit in range(6)]


def _touch(
    grid: DistanceGrid, digits: list[Float[np.ndarray, "T _ 3"]], scale: float, middle: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "T D 3"]]:
    """Signed distance of each digit's nearest point to the scaled object (metres), and its gradient."""
    distances, gradients = [], []
    for skin in digits:
        points = middle + (skin - middle) / scale
        distance = grid_distance(grid, 0, points)
        nearest = points[np.arange(len(points)), distance.argmin(axis=1)]
        ahead, behind = (grid_distance(grid, 0, nearest[:, None] + by * np.eye(3)) for by in (1e-3, -1e-3))
        distances.append(scale * distance.min(axis=1))
        gradients.append((ahead - behind) / 2e-3)
    return np.stack(distances, axis=1), np.stack(gradients, axis=1)


def _evidence(
    distance: Float[np.ndarray, "T D"], gradient: Float[np.ndarray, "T D 3"], error: float
) -> Float[np.ndarray, "T"]:
    """Logarithm of each frame's evidence, up to a constant, for digits at these distances (metres).

    `gradient` is that of the distances; `error` is the standard deviation of the hand's offset, metres per coordinate.
    """
    offset = np.zeros((len(distance), 3))
    factors, steps = STEPS
    for spread in np.repeat(SPREAD * np.array(factors), steps):
        moved = distance + np.einsum("tda,ta->td", gradient, offset)
        touching = np.log(PEAK) - 0.5 * ((moved - REST) / spread) ** 2
        beyond = -0.5 * (np.minimum(moved, 0) / spread) ** 2
        total = np.logaddexp(touching, beyond)
        share = np.exp(touching - total)
        inside = (1 - share) * (moved < 0)
        slope = (share * (moved - REST) + inside * moved) / spread**2
        normal = np.einsum("td,tda,tdb->tab", (share + inside) / spread**2, gradient, gradient) + np.eye(3) / error**2
        fit = total.sum(axis=1) - 0.5 * (offset**2).sum(axis=1) / error**2
        downhill = np.einsum("td,tda->ta", slope, gradient) + offset / error**2
        offset = offset - np.linalg.solve(normal, downhill[..., None])[..., 0]
    return fit - 0.5 * np.log(np.linalg.det(normal * error**2))
