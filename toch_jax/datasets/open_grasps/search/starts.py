"""Initial hands of the grasp search: kinds of grasp, placed at pairs of opposite points on the object."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toch_jax.datasets.open_grasps.search.energy import GraspGoal, energy
from toch_jax.datasets.open_grasps.search.hands import Grasp, HandSamples, pose_hand, shape_hand
from toch_jax.hand.prior import RANGES
from toch_jax.object.model import DistanceGrid, ObjectModel

LIMITS = np.deg2rad([[pair[side] for pair in (r.flexion, r.spread, r.twist)] for side in (0, 1) for r in RANGES])
LIMITS = LIMITS.reshape(2, 15, 3)
"""Lower and upper limits of flexion, spread and twist of each joint, radians."""


@dataclass(frozen=True)
class Kind:
    """A kind of grasp: joint angles (degrees) of the open and the closed hand, and which digits touch."""

    open_finger: tuple[int, int, int]
    """Flexion of knuckle, middle and end joint."""
    closed_finger: tuple[int, int, int]
    open_thumb: tuple[int, int, int, int]
    """Flexion and spread of the root, flexion of the middle and end joint."""
    closed_thumb: tuple[int, int, int, int]
    digits: tuple[int, int, int, int, int]
    """Whether each digit, thumb to pinky, touches: 0 or 1."""
    palm: float
    """Weight of palm contact (see `GraspGoal`)."""
    depth: float
    """Distance of the object from the fingertips towards the palm, metres."""
    idle_curl: float
    """Flexion of the fingers that do not touch, as a multiple of that of the others."""


KINDS = {
    "tripod": Kind((20, 25, 12), (55, 55, 30), (-5, 30, 5, 5), (12, 38, 25, 25), (1, 1, 1, 0, 0), 0.0, 0.0, 1.35),
    "pinch": Kind((20, 20, 10), (60, 45, 20), (-5, 32, 5, 5), (15, 38, 20, 20), (1, 1, 1, 1, 0), 0.0, 0.0, 1.2),
    "five": Kind((15, 20, 10), (60, 50, 25), (-8, 32, 5, 5), (12, 38, 20, 20), (1, 1, 1, 1, 1), 0.15, 0.006, 1.0),
    "wrap": Kind((25, 35, 20), (65, 80, 50), (-5, 32, 5, 10), (15, 36, 30, 35), (1, 1, 1, 1, 1), 1.0, 0.02, 1.0),
    "hook": Kind((20, 40, 25), (50, 85, 55), (-10, 25, 5, 10), (10, 30, 20, 25), (1, 1, 1, 1, 0), 0.6, 0.015, 1.0),
}
THUMB_TWIST = np.deg2rad(8)
"""Twist of the thumb's root, radians: its pad then faces the fingers'."""
CENTRE = np.zeros(3)
"""Centre of a rigid object in its own frame."""

# Pairs of opposite points.
MIN_WIDTH, MAX_WIDTH = 0.003, 0.095
"""Smallest and largest width (m) of the object between thumb and fingers; a hand opens to about 10 cm."""
OPPOSITE = 0.85
"""Least cosine between the pair's direction and each normal (32 degrees): skin that presses there does not slip."""
PAIR_SAMPLES = 700
"""Number of the object's samples of which all pairs are considered; a limit of memory."""
N_WIDTHS = 7
"""Edges of the bins of width that get equal weight."""
FOCUS, FOCUS_FLOOR = 0.08, 0.2
"""Pairs count by exp(-(d / FOCUS)^2) + FOCUS_FLOOR at the distance d (m) from the preferred point."""

# Starts.
ALONG_FINGERS = np.array([-1.0, -0.2, 0.0])
"""Direction in the hand's frame from which its roll is counted: along the fingers, a little to the palm."""
OVERSAMPLING = 16
"""Random starts for each one that is kept."""
COSTS_AT_ONCE = 43
"""Starts whose cost is computed together: a CPU's cache holds no more."""
MAX_BETA = 2.2
"""Shape coefficients are standard normal, clipped here: few people are beyond."""
CLEARANCE = 0.008
"""How much (m) wider than the object the pads are apart at the start."""
N_CLOSURES = 9
"""Number of postures from open to closed of which the one with the right distance of the pads is taken."""
BEND_NOISE = 0.06
"""Standard deviation (rad) of the random change of flexion and spread."""


def template(kind: Kind, closure: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 15 3"]:
    """Postures from open (`closure` 0) to closed (1), radians; in MANO's order (index, middle, pinky, ring, thumb)."""

    def between(low: tuple[int, ...], high: tuple[int, ...]) -> Float[np.ndarray, "n k"]:
        return np.deg2rad(np.array(low) + closure[:, None] * (np.array(high) - np.array(low)))

    bend = np.zeros((len(closure), 15, 3))
    finger, thumb = between(kind.open_finger, kind.closed_finger), between(kind.open_thumb, kind.closed_thumb)
    for first, digit in ((0, 1), (3, 2), (6, 4), (9, 3)):
        bend[:, first : first + 3, 0] = finger * (1.0 if kind.digits[digit] else kind.idle_curl)
    bend[:, 12, :2] = thumb[:, :2]
    bend[:, 12, 2] = THUMB_TWIST
    bend[:, 13:, 0] = thumb[:, 2:]
    return np.clip(bend, *LIMITS)


def opposite_points(
    obj: ObjectModel, count: int, rng: np.random.Generator, near: Float[np.ndarray, "3"] = CENTRE
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Pairs of surface points (m) with opposite normals, which two digits can press, of all widths up to MAX_WIDTH.

    Pairs near the point `near` are more probable.
    """
    some = rng.permutation(obj.samples.points.shape[0])[:PAIR_SAMPLES]
    points, normals = np.asarray(obj.samples.points)[some], np.asarray(obj.samples.normals)[some]
    between = points[:, None] - points
    width = np.linalg.norm(between, axis=-1) + 1e-9
    along = between / width[..., None]
    first = np.einsum("ijc,ic->ij", along, normals)
    second = -np.einsum("ijc,jc->ij", along, normals)
    one, two = np.nonzero((first > OPPOSITE) & (second > OPPOSITE) & (width < MAX_WIDTH) & (width > MIN_WIDTH))
    if len(one) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    # half of the weight is uniform over widths, so that a thin rim with many pairs does not dominate a broad body
    bins = np.digitize(width[one, two], np.linspace(0, MAX_WIDTH, N_WIDTHS))
    weight = 1.0 / np.bincount(bins)[bins] + 1.0 / len(bins)
    centre = (points[one] + points[two]) / 2
    weight *= np.exp(-np.sum((centre - near) ** 2, axis=1) / FOCUS**2) + FOCUS_FLOOR
    pick = rng.choice(len(one), count, p=weight / weight.sum())
    return points[one[pick]], points[two[pick]]


def make_starts(
    samples: HandSamples,
    obj: ObjectModel,
    count: int,
    rng: np.random.Generator,
    near: Float[np.ndarray, "3"] = CENTRE,
    choice: Mapping[str, Kind] = KINDS,
) -> tuple[Grasp, GraspGoal, list[str]] | None:
    """The `count` best of many random starts, equally many of each kind; None if the object cannot be grasped.

    Starts near the point `near` are more probable. The kinds are those of `choice`.
    """
    names = [name for name in choice for _ in range(OVERSAMPLING * count // len(choice) + 1)]
    thumb_side, finger_side = opposite_points(obj, len(names), rng, near)
    if len(thumb_side) == 0:
        return None
    kinds = [choice[name] for name in names]
    goal = GraspGoal(
        digits=jnp.asarray([kind.digits for kind in kinds], jnp.float32),
        palm=jnp.asarray([kind.palm for kind in kinds], jnp.float32),
        bend=jnp.zeros((len(names), 15, 3)),
        stiffness=jnp.ones(len(names)),
    )
    betas = np.clip(rng.normal(size=(len(names), samples.shapedirs.shape[-1])), -MAX_BETA, MAX_BETA)

    # closure of each kind at which the distance of the pads is the object's width plus CLEARANCE
    width = np.linalg.norm(thumb_side - finger_side, axis=1)
    closures = np.linspace(0, 1, N_CLOSURES)
    postures = {name: template(choice[name], closures) for name in choice}
    spans = {name: _span(samples, choice[name], postures[name]) for name in choice}
    thumb, finger = (np.stack([spans[name][side] for name in names]) for side in (0, 1))
    best = np.abs(np.linalg.norm(thumb - finger, axis=-1) - width[:, None] - CLEARANCE).argmin(axis=1)
    every = np.arange(len(names))
    thumb, finger = thumb[every, best], finger[every, best]
    bend = np.stack([postures[name][index] for name, index in zip(names, best, strict=True)])
    bend = bend + rng.normal(scale=BEND_NOISE, size=bend.shape) * (np.arange(3) < 2)

    # rotate the hand such that finger -> thumb is parallel to the pair, with a random roll about it
    hand_frame = _frame(thumb - finger, np.tile(ALONG_FINGERS, (len(names), 1)))
    roll = rng.normal(size=(len(names), 3))
    object_frame = _frame(thumb_side - finger_side, roll)
    rotation = object_frame @ hand_frame.transpose(0, 2, 1)
    depth = np.array([kind.depth for kind in kinds])
    held = (thumb + finger) / 2 + depth[:, None] * np.array([1.0, 0.0, 0.0])
    wrist = (thumb_side + finger_side) / 2 - np.einsum("nab,nb->na", rotation, held)
    start = Grasp(
        rotation=jnp.asarray(rotation, jnp.float32),
        wrist=jnp.asarray(wrist, jnp.float32),
        bend=jnp.asarray(np.clip(bend, *LIMITS), jnp.float32),
        betas=jnp.asarray(betas, jnp.float32),
    )
    goal = goal.replace(bend=start.bend)
    cost = np.asarray(_costs(samples, obj.grid, start, goal))
    quota = -(-count // len(choice))
    of_kind = np.stack([np.flatnonzero([n == name for n in names]) for name in choice])
    best_of_kind = np.stack([row[np.argsort(cost[row], kind="stable")[:quota]] for row in of_kind])
    chosen = best_of_kind.T.ravel()[:count]
    start, goal = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[chosen]), (start, goal))
    return start, goal, [names[i] for i in chosen]


def _span(
    samples: HandSamples, kind: Kind, bend: Float[np.ndarray, "n 15 3"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Centre of the thumb's pad and mean centre of the touching fingers' pads (m), for a mean hand at the origin."""
    pads = np.asarray(_pads(samples, jnp.asarray(bend, jnp.float32)))
    fingers = np.array(kind.digits[1:]) / sum(kind.digits[1:])
    return pads[:, 0], np.einsum("ndc,d->nc", pads[:, 1:], fingers)


@jax.jit
def _pads(samples: HandSamples, bend: Float[Array, "n 15 3"]) -> Float[Array, "n 5 3"]:
    """Centre of each digit's pad for a mean hand with the wrist joint at the origin, metres."""
    count = bend.shape[0]
    betas = jnp.zeros((count, samples.shapedirs.shape[-1]))
    hand = Grasp(rotation=jnp.tile(jnp.eye(3), (count, 1, 1)), wrist=jnp.zeros((count, 3)), bend=bend, betas=betas)
    return jnp.mean(pose_hand(samples, hand)[0][:, samples.pads], axis=2)


@jax.jit
def _costs(samples: HandSamples, grid: DistanceGrid, start: Grasp, goal: GraspGoal) -> Float[Array, "n"]:
    def cost(each: tuple[Grasp, GraspGoal]) -> Float[Array, ""]:
        return energy(samples, grid, shape_hand(samples, each[0].betas), *each)

    return jax.lax.map(cost, (start, goal), batch_size=COSTS_AT_ONCE)


def _frame(along: Float[np.ndarray, "n 3"], towards: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotations whose first column is parallel to `along` and whose second is as near as possible to `towards`."""
    first = along / np.linalg.norm(along, axis=1, keepdims=True)
    second = towards - first * np.einsum("nc,nc->n", first, towards)[:, None]
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)
