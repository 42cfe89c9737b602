"""Trajectories of clips: approach and departure paths of the hand, transitions between grasps, object motion."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from toch_jax.datasets.open_grasps.search.hands import (
    N_SKIN,
    Grasp,
    Hand,
    HandSamples,
    ball_centres,
    join,
    pose_hand,
    to_grasp,
)
from toch_jax.object.distance import signed_distance
from toch_jax.object.model import DistanceGrid

N_PATHS = 24
"""Number of random departure paths that are tried for each grasp."""
TESTED = np.linspace(0.03, 0.8, 14)
"""The u of a path at which it is tested on the grid: from just off the grasp to where nothing can be in the way."""
MAX_GRID_DEPTH = 2.5e-3
"""Largest penetration of a path by the grid, metres: less than the exact test allows (search.py), as the grid errs."""
DEPTHS_AT_ONCE = 48
"""Hands whose penetration is computed together: a CPU's cache holds no more."""
BALL_TOLERANCE = 1e-3
"""Penetration (m) of the soft-tissue balls that does not count."""

# Random departure paths, chosen by eye: (low, high) of uniform and standard deviations of normal distributions.
DIRECTION = ((0.3, 1.2), (-0.3, 1.0), 0.35)
"""Direction of departure in the hand's frame: towards the elbow, towards the back of the hand, sideways (normal)."""
DISTANCE_M = (0.15, 0.30)
BOW_M = 0.02
ROTATION = 0.25
"""Rotation on the path, radians about each axis."""
OPENING = (0.3, 0.6)
"""The u at which the hand is open."""
OPENED = (0.5, 1.0)
"""How far it opens: 0 as in the grasp, 1 as the kind's open posture."""
RELAXING = 0.5
"""The u, as a fraction of that at which the hand is open, from which on it relaxes."""
LAG = (1.3, 2.0)
"""Exponent of u for the motion of the wrist; above 1, the fingers open first."""

# The carried object, chosen by eye.
MAX_SEGMENTS = 3
CARRIER_SPEED = 0.35
"""Typical speed, m/s."""
REACH_M = (0.04, 0.3)
"""Least and largest length of a segment, before its random factor."""
REACH_FACTOR = (0.4, 1.1)
FLATNESS, RISE = np.array([1, 1, 0.5]), np.array([0, 0, 0.4])
"""Segments are more horizontal than not, and upwards rather than down."""
SEGMENT_ROTATION = (0.1, 1.2)
"""Rotation over a segment of a second or more, radians."""
KNOT_NOISE = 0.08
"""Largest shift of the moment between two segments, as a fraction of the motion."""


@dataclass(frozen=True)
class ApproachPath:
    """Path of a hand from a grasp, over u from 0 (grasp) to 1 (far away); backwards in time for an approach."""

    shift: Float[np.ndarray, "3"]
    """Displacement of the wrist at u = 1, in the object's frame, metres."""
    bow: Float[np.ndarray, "3"]
    """Largest sideways displacement of the wrist on the path, in the object's frame, metres."""
    rotation: Float[np.ndarray, "3"]
    """Rotation vector of the hand at u = 1, in its own frame, radians."""
    open_bend: Float[np.ndarray, "15 3"]
    """Joint angles of the opened hand, radians."""
    far_bend: Float[np.ndarray, "15 3"]
    """Joint angles of the relaxed hand at u = 1, radians."""
    opening: float
    """The u at which the hand is open."""
    lag: float
    """Exponent of u for the motion of the wrist."""


def draw_path(
    grasp: Hand, open_bend: Float[np.ndarray, "15 3"], far_bend: Float[np.ndarray, "15 3"], rng: np.random.Generator
) -> ApproachPath:
    """A random path from the grasp (T = 1): 15 to 30 cm towards the elbow and the back of the hand."""
    elbow, back, side = DIRECTION
    direction = np.array([rng.uniform(*elbow), rng.uniform(*back), rng.normal(scale=side)])
    direction /= np.linalg.norm(direction)
    bow = rng.normal(scale=BOW_M, size=3)
    opened = rng.uniform(*OPENED)
    return ApproachPath(
        shift=grasp.rotation[0] @ direction * rng.uniform(*DISTANCE_M),
        bow=grasp.rotation[0] @ (bow - direction * (bow @ direction)),
        rotation=rng.normal(scale=ROTATION, size=3),
        open_bend=grasp.bend[0] + opened * (open_bend - grasp.bend[0]),
        far_bend=far_bend,
        opening=rng.uniform(*OPENING),
        lag=rng.uniform(*LAG),
    )


def hand_along(grasp: Hand, path: ApproachPath, u: Float[np.ndarray, "n"]) -> Hand:
    """The hand at each `u` of a path from the grasp (T = 1)."""
    moved = u**path.lag
    opened, relaxed = smooth(u / path.opening), smooth((u - RELAXING * path.opening) / (1 - RELAXING * path.opening))
    mixed = (1 - relaxed)[:, None, None] * path.open_bend + relaxed[:, None, None] * path.far_bend
    return Hand(
        rotation=grasp.rotation @ Rotation.from_rotvec(moved[:, None] * path.rotation).as_matrix(),
        wrist=grasp.wrist + moved[:, None] * path.shift + np.sin(np.pi * moved)[:, None] * path.bow,
        bend=grasp.bend + opened[:, None, None] * (mixed - grasp.bend),
    )


ObstacleDepth = Callable[[Hand], Float[np.ndarray, "n"]]
"""Function that gives the penetration depth (m) of each of n hands into obstacles other than the object."""


def clear_paths(
    samples: HandSamples,
    grid: DistanceGrid,
    grasp: Hand,
    betas: Float[np.ndarray, "S"],
    paths: list[ApproachPath],
    obstacle_depth: ObstacleDepth | None = None,
) -> list[ApproachPath]:
    """The paths without collision with the object (by the grid) and with obstacles, least penetration first."""
    hands = join([hand_along(grasp, path, TESTED) for path in paths])
    each = np.asarray(grid_depth(samples, grid, to_grasp(hands, betas)))
    if obstacle_depth is not None:
        each = np.maximum(each, obstacle_depth(hands))
    depth = each.reshape(len(paths), len(TESTED)).max(axis=1)
    return [paths[i] for i in np.argsort(depth, kind="stable") if depth[i] < MAX_GRID_DEPTH]


@jax.jit
def grid_depth(samples: HandSamples, grid: DistanceGrid, hands: Grasp) -> Float[Array, "n"]:
    """Penetration depth (m) of each hand by the grid: of its skin points, or of its soft-tissue balls."""

    def depth(hand: Grasp) -> Float[Array, ""]:
        points, joints = pose_hand(samples, hand)
        skin = signed_distance(grid, 0, points[:N_SKIN])
        balls = signed_distance(grid, 0, ball_centres(samples, joints)) - samples.ball_radius
        return jnp.maximum(-jnp.min(skin), -jnp.min(balls) - BALL_TOLERANCE)

    return jax.lax.map(depth, hands, batch_size=DEPTHS_AT_ONCE)


def between(first: Hand, second: Hand, share: Float[np.ndarray, "n"]) -> Hand:
    """Interpolation between two hands (T = 1 each): linear, and along the shortest rotation."""
    rotation = Rotation.from_matrix(first.rotation[0].T @ second.rotation[0]).as_rotvec()
    return Hand(
        rotation=first.rotation[0] @ Rotation.from_rotvec(share[:, None] * rotation).as_matrix(),
        wrist=first.wrist + share[:, None] * (second.wrist - first.wrist),
        bend=first.bend + share[:, None, None] * (second.bend - first.bend),
    )


def object_path(
    frames: int, fps: float, start: Rotation, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3"]]:
    """Rotation and translation (m, z up) of a carried object: smooth, from rest to rest, in one to three segments."""
    segments = int(rng.integers(1, MAX_SEGMENTS + 1))
    seconds = frames / fps
    reach = np.clip(CARRIER_SPEED * seconds / segments, *REACH_M)
    steps = rng.normal(size=(segments, 3)) * FLATNESS + RISE
    steps *= reach * rng.uniform(*REACH_FACTOR, size=(segments, 1)) / np.linalg.norm(steps, axis=1, keepdims=True)
    # never below where it began
    steps[:, 2] = np.where(np.cumsum(steps[:, 2]) < 0, np.abs(steps[:, 2]), steps[:, 2])
    positions = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    axes = rng.normal(size=(segments, 3))
    angles = rng.uniform(*SEGMENT_ROTATION, size=(segments, 1)) * min(1.0, seconds / segments)
    rotations = [start]
    for axis, angle in zip(axes, angles, strict=True):
        rotations.append(Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle) * rotations[-1])
    knots = np.linspace(0, 1, segments + 1)
    knots[1:-1] += rng.uniform(-KNOT_NOISE, KNOT_NOISE, size=segments - 1)
    # minimum-jerk phase along the path, so that both ends are at rest
    phase = smooth(np.linspace(0, 1, frames))
    translation = CubicSpline(knots, positions, bc_type="natural")(phase)
    if segments == 1:
        rotation = between(_at_origin(rotations[0]), _at_origin(rotations[1]), phase).rotation
    else:
        rotation = RotationSpline(knots, Rotation.concatenate(rotations))(phase).as_matrix()
    return rotation, translation


def smooth(u: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Minimum-jerk step from 0 to 1 (Flash and Hogan 1985)."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def _at_origin(rotation: Rotation) -> Hand:
    return Hand(rotation.as_matrix()[None], np.zeros((1, 3)), np.zeros((1, 15, 3)))
