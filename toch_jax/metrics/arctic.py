"""ARCTIC's metrics of hands and a hinged object (Fan et al. 2023; constants from zc-alexfan/arctic: src/utils).

Contact is taken from the ground truth, between vertices: each hand vertex and its nearest object vertex.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from toch_jax.metrics.contact import Part
from toch_jax.metrics.metric import Metric
from toch_jax.object.model import ObjectMotion

CONTACT_M = 0.003
"""Largest distance (metres) between a hand vertex and an object vertex that are in contact."""
WINDOW = 15
"""Least number of frames of a contact that counts in MDev: half a second in ARCTIC."""
SUCCESS = 0.05
"""Largest error of a correctly placed object vertex, as a share of the object's diameter."""
_MM = 1e3
"""Millimetres per metre."""
_PAIR = f"{CONTACT_M * 1e3:g} mm"

METRICS: dict[str, Metric] = {}


@dataclass(frozen=True)
class Pairs:
    """Contact of the true hand: for each frame and hand vertex the nearest object vertex."""

    distance: Float[np.ndarray, "T V"]
    """Metres; inf beyond CONTACT_M."""
    part: Int[np.ndarray, "T V"]
    vertex: Int[np.ndarray, "T V"]
    """Index of the object vertex within its part; 0 where no vertex is within CONTACT_M."""


@dataclass(frozen=True)
class StaticContact:
    """A static contact of one hand vertex with one object vertex in frames `start` to `stop` - 1."""

    start: int
    stop: int
    hand_vertex: int
    part: int
    vertex: int


def touching_pairs(skin_in_parts: list[Float[np.ndarray, "T V 3"]], parts: list[Part]) -> Pairs:
    """The contact pairs of a true hand, whose skin (metres) is given once in the frame of each part."""
    found = [
        cKDTree(part.vertices).query(skin, distance_upper_bound=CONTACT_M)
        for skin, part in zip(skin_in_parts, parts, strict=True)
    ]
    distances, vertices = (np.stack(each) for each in zip(*found, strict=True))
    part = distances.argmin(axis=0)
    distance, vertex = (np.take_along_axis(each, part[None], axis=0)[0] for each in (distances, vertices))
    return Pairs(distance, part, np.where(np.isfinite(distance), vertex, 0))


def static_contacts(pairs: Pairs, parts: list[Part], motion: ObjectMotion) -> list[StaticContact]:
    """Static contacts: runs of WINDOW frames or more in which a hand vertex is in contact and does not slide.

    A run slides if the object vertices that it touches are more than CONTACT_M apart, as a mean over pairs of its
    frames, with the object posed as in the clip's first frame. The object vertex of the contact is the one touched in
    most frames. Unlike in ARCTIC's code, runs that begin or end with the clip count, and each pair of frames enters
    the mean once.
    """
    first = [posed_points(part.vertices, motion, number)[0] for number, part in enumerate(parts)]
    found = []
    touching = pairs.distance < CONTACT_M
    for hand_vertex in np.flatnonzero(touching.sum(axis=0) >= WINDOW).tolist():
        edges = np.flatnonzero(np.diff(touching[:, hand_vertex].astype(int), prepend=0, append=0))
        for start, stop in edges.reshape(-1, 2).tolist():
            if stop - start < WINDOW:
                continue
            touched = list(
                zip(*(each[start:stop, hand_vertex].tolist() for each in (pairs.part, pairs.vertex)), strict=True)
            )
            if pdist(np.stack([first[part][vertex] for part, vertex in touched])).mean() > CONTACT_M:
                continue
            part, vertex = max(sorted(set(touched)), key=touched.count)
            found.append(StaticContact(start, stop, hand_vertex, part, vertex))
    return found


def posed_points(points: Float[np.ndarray, "K 3"], motion: ObjectMotion, part: int) -> Float[np.ndarray, "T K 3"]:
    """World positions of points given in the frame of a part; metres."""
    rotation, translation = (np.asarray(leaf, np.float64)[part] for leaf in (motion.rotation, motion.translation))
    return np.einsum("tab,kb->tka", rotation, points) + translation[:, None]


def cdev_mm(skin: Float[np.ndarray, "T V 3"], pairs: Pairs, parts: list[Part], motion: ObjectMotion) -> float:
    """CDev (mm): mean distance of the pairs in contact in the ground truth, over a frame's pairs, then over frames.

    nan if there are no pairs. `skin` is in the world, metres.
    """
    touching = pairs.distance <= CONTACT_M
    frame, hand_vertex = np.nonzero(touching)
    if not len(frame):
        return float("nan")
    apart = np.zeros(touching.shape)
    part, vertex = pairs.part[touching], pairs.vertex[touching]
    rotation, translation = (np.asarray(leaf, np.float64) for leaf in (motion.rotation, motion.translation))
    for number, piece in enumerate(parts):
        own = part == number
        at = frame[own], hand_vertex[own]
        point = np.einsum("nab,nb->na", rotation[number, at[0]], piece.vertices[vertex[own]])
        apart[at] = np.linalg.norm(skin[at] - point - translation[number, at[0]], axis=-1)
    count = touching.sum(axis=1)
    return float((apart.sum(axis=1)[count > 0] / count[count > 0]).mean() * _MM)


METRICS["arctic_cdev"] = Metric(
    "mm",
    f"ARCTIC's contact deviation: distance between each hand vertex and object vertex that are within {_PAIR} in "
    "truth, mean over a frame's pairs, then over frames",
)


def mdev_mm(
    skin: Float[np.ndarray, "T V 3"], held: list[StaticContact], parts: list[Part], motion: ObjectMotion
) -> float:
    """MDev (mm): motion of a hand vertex relative to its object vertex in one frame, mean over a hold, then over holds.

    nan if `held` is empty. `skin` is in the world, metres.
    """
    deviations = []
    for hold in held:
        point = posed_points(parts[hold.part].vertices[hold.vertex][None], motion, hold.part)[:, 0]
        apart = (skin[:, hold.hand_vertex] - point)[hold.start : hold.stop]
        deviations.append(np.linalg.norm(np.diff(apart, axis=0), axis=-1).mean())
    return float(np.mean(deviations) * _MM) if deviations else float("nan")


METRICS["arctic_mdev"] = Metric(
    "mm",
    "ARCTIC's motion deviation: how far a hand vertex moves in a frame beyond the object's vertex that it holds in "
    f"truth ({_PAIR}, {WINDOW} frames or more, no sliding: pairs of the vertices met {_PAIR} apart on the mean)",
)
# `acceleration_error_m_s2` of the skin
METRICS["arctic_acc"] = Metric("m/s2", "ARCTIC's ACC: acceleration_error of the skin's vertices relative to the wrist")


def mrrpe_mm(
    first: Float[np.ndarray, "T 3"],
    second: Float[np.ndarray, "T 3"],
    true_first: Float[np.ndarray, "T 3"],
    true_second: Float[np.ndarray, "T 3"],
) -> float:
    """MRRPE (mm): mean error of the vector from the first root to the second; roots in the world, metres."""
    return float(np.linalg.norm((second - first) - (true_second - true_first), axis=-1).mean() * _MM)


METRICS["mrrpe_rl"] = Metric("mm", "ARCTIC's MRRPE: error of the way from right to left wrist, with both hands only")
METRICS["mrrpe_ro"] = Metric(
    "mm", "ARCTIC's MRRPE: error of the way from right wrist to the mean vertex of the first part"
)


def object_root(parts: list[Part], motion: ObjectMotion) -> Float[np.ndarray, "T 3"]:
    """Mean vertex of the object's first part (in ARCTIC the bottom), in the world, metres."""
    return posed_points(parts[0].vertices.mean(axis=0)[None], motion, 0)[:, 0]


def aae_deg(motion: ObjectMotion, truth: ObjectMotion) -> float:
    """AAE (degrees): mean error of the other parts' rotations relative to the first part; nan for a rigid object."""
    predicted, true = (
        np.einsum("tba,ptbc->ptac", rotation[0], rotation[1:])
        for rotation in (np.asarray(each.rotation, np.float64) for each in (motion, truth))
    )
    if not predicted.size:
        return float("nan")
    # |A - B| = 2 sqrt(2) sin(angle / 2): accurate for small angles too
    chord = np.linalg.norm(predicted - true, axis=(-2, -1)) / np.sqrt(8)
    return float(np.degrees(2 * np.arcsin(np.clip(chord, 0, 1))).mean())


METRICS["aae"] = Metric("deg", "ARCTIC's articulation error; only of methods that estimate a hinged object's motion")


def success_rate(parts: list[Part], motion: ObjectMotion, truth: ObjectMotion) -> float:
    """Share of the object's vertices within SUCCESS diameters of their true positions, with the roots aligned."""
    diameter = float(pdist(_corners(np.concatenate([part.vertices for part in parts]))).max())
    shift = object_root(parts, truth) - object_root(parts, motion)
    near = [
        np.linalg.norm(
            posed_points(part.vertices, motion, number) + shift[:, None] - posed_points(part.vertices, truth, number),
            axis=-1,
        )
        < SUCCESS * diameter
        for number, part in enumerate(parts)
    ]
    return float(np.concatenate(near, axis=1).mean())


METRICS["success_rate"] = Metric(
    "%",
    f"ARCTIC's: object vertices within {SUCCESS * 100:g} % of its diameter of the truth, first parts aligned; only "
    "of methods that estimate the object's motion",
)


def _corners(points: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "C 3"]:
    """The points farthest out in each of many directions: enough to find the diameter to within 0.1 %."""
    steps = np.linspace(-1, 1, 13)
    directions = np.array([d for d in itertools.product(steps, repeat=3) if max(map(abs, d)) == 1])
    return points[np.unique((points @ directions.T).argmax(axis=0))]
