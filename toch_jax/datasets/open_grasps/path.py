"""Trajectories of clips: approach and departure paths of the hand, transitions between grasps, object motion."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from toch_jax.datasets.open_grasps.grasp import Grasp, ball_centres, pose_hand
from toch_jax.datasets.open_grasps.probe import N_SKIN, HandProbe
from toch_jax.object.model import DistanceGrid
from toch_jax.object.sdf import signed_distance

N_WAYS = 24
"""Number of random departure paths that are tried for each grasp."""
WAY_STEPS = 14
"""Number of poses at which a path is tested on the grid."""
MAX_GRID_DEPTH = 2.5e-3
"""Largest penetration of a path by the grid, metres."""
CARRIER_SPEED = 0.35
"""Typical speed of a carried object, m/s."""


@dataclass(frozen=True)
class Hand:
    """One hand over T frames (or n grasps) in the object's frame, as NumPy arrays; fields as in Grasp."""

    rotation: Float[np.ndarray, "T 3 3"]
    wrist: Float[np.ndarray, "T 3"]
    bend: Float[np.ndarray, "T 15 3"]

    def __getitem__(self, index: slice | np.ndarray) -> "Hand":
        return Hand(self.rotation[index], self.wrist[index], self.bend[index])


@dataclass(frozen=True)
class Way:
    """Departure path of a hand from a grasp, over u from 0 (grasp) to 1 (far away)."""

    shift: Float[np.ndarray, "3"]
    """Displacement of the wrist at u = 1, in the object's frame, metres."""
    bow: Float[np.ndarray, "3"]
    """Largest sideways displacement of the wrist on the path, in the object's frame, metres."""
    turn: Float[np.ndarray, "3"]
    """Rotation vector of the hand at u = 1, in its own frame, radians."""
    open_bend: Float[np.ndarray, "15 3"]
    """Joint angles of the opened hand, radians."""
    far_bend: Float[np.ndarray, "15 3"]
    """Joint angles of the relaxed hand at u = 1, radians."""
    opening: float
    """The u at which the hand is open."""
    lag: float
    """Exponent of u for the motion of the wrist; above 1, the fingers open first."""


def draw_way(
    grasp: Hand, open_bend: Float[np.ndarray, "15 3"], far_bend: Float[np.ndarray, "15 3"], rng: np.random.Generator
) -> Way:
    """A random departure path from the grasp (T = 1): 15 to 30 cm towards the elbow and the back of the hand."""
    direction = np.array([rng.uniform(0.3, 1.2), rng.uniform(-0.3, 1.0), rng.normal(scale=0.35)])
    direction /= np.linalg.norm(direction)
    bow = rng.normal(scale=0.02, size=3)
    wide = rng.uniform(0.5, 1.0)
    return Way(
        shift=grasp.rotation[0] @ direction * rng.uniform(0.15, 0.30),
        bow=grasp.rotation[0] @ (bow - direction * (bow @ direction)),
        turn=rng.normal(scale=0.25, size=3),
        open_bend=grasp.bend[0] + wide * (open_bend - grasp.bend[0]),
        far_bend=far_bend,
        opening=rng.uniform(0.3, 0.6),
        lag=rng.uniform(1.3, 2.0),
    )


def along_way(grasp: Hand, way: Way, u: Float[np.ndarray, "n"]) -> Hand:
    """The hand at each `u` of a departure path from the grasp (T = 1)."""
    moved = u**way.lag
    opened, relaxed = smooth(u / way.opening), smooth((u - 0.5 * way.opening) / (1 - 0.5 * way.opening))
    mixed = (1 - relaxed)[:, None, None] * way.open_bend + relaxed[:, None, None] * way.far_bend
    wrist = grasp.wrist + moved[:, None] * way.shift + np.sin(np.pi * moved)[:, None] * way.bow
    turn = Rotation.from_rotvec(moved[:, None] * way.turn).as_matrix()
    return Hand(
        rotation=grasp.rotation @ turn, wrist=wrist, bend=grasp.bend + opened[:, None, None] * (mixed - grasp.bend)
    )


Beside = Callable[[Hand], Float[np.ndarray, "n"]]
"""Function that gives the penetration depth (m) of each of n hands into obstacles other than the object."""


def clear_ways(
    probe: HandProbe,
    target: DistanceGrid,
    grasp: Hand,
    betas: Float[np.ndarray, "S"],
    ways: list[Way],
    beside: Beside | None = None,
) -> list[Way]:
    """The paths without collision with the object (by the grid) and with `beside`, least penetration first."""
    u = np.linspace(0.03, 0.8, WAY_STEPS)
    hands = [along_way(grasp, way, u) for way in ways]
    many = join(hands)
    each = np.asarray(grid_depth(probe, target, to_grasp(many, betas)))
    if beside is not None:
        each = np.maximum(each, beside(many))
    depth = each.reshape(len(ways), WAY_STEPS).max(axis=1)
    return [ways[i] for i in np.argsort(depth, kind="stable") if depth[i] < MAX_GRID_DEPTH]


@jax.jit
def grid_depth(probe: HandProbe, target: DistanceGrid, hands: Grasp) -> Float[Array, "n"]:
    """Penetration depth (m) of each hand by the grid: of its skin points, or of its soft-tissue balls less 1 mm."""
    points, joints = pose_hand(probe, hands)
    skin = signed_distance(target, 0, points[:, :N_SKIN])
    flesh = signed_distance(target, 0, ball_centres(probe, joints)) - probe.ball_radius
    return jnp.maximum(-jnp.min(skin, axis=1), -jnp.min(flesh, axis=1) - 1e-3)


def between(first: Hand, second: Hand, share: Float[np.ndarray, "n"]) -> Hand:
    """Interpolation between two hands (T = 1 each): linear, and along the shortest rotation."""
    turn = Rotation.from_matrix(first.rotation[0].T @ second.rotation[0]).as_rotvec()
    return Hand(
        rotation=first.rotation[0] @ Rotation.from_rotvec(share[:, None] * turn).as_matrix(),
        wrist=first.wrist + share[:, None] * (second.wrist - first.wrist),
        bend=first.bend + share[:, None, None] * (second.bend - first.bend),
    )


def object_path(
    frames: int, fps: float, start: Rotation, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3"]]:
    """Rotation and translation (m, z up) of a carried object: smooth, from rest to rest, with one to three segments."""
    stops = int(rng.integers(1, 4))
    seconds = frames / fps
    reach = np.clip(CARRIER_SPEED * seconds / stops, 0.04, 0.3)
    steps = rng.normal(size=(stops, 3)) * np.array([1, 1, 0.5]) + np.array([0, 0, 0.4])
    steps *= reach * rng.uniform(0.4, 1.1, size=(stops, 1)) / np.linalg.norm(steps, axis=1, keepdims=True)
    steps[:, 2] = np.where(np.cumsum(steps[:, 2]) < 0, np.abs(steps[:, 2]), steps[:, 2])
    places = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    axes = rng.normal(size=(stops, 3))
    angles = rng.uniform(0.1, 1.2, size=(stops, 1)) * min(1.0, seconds / stops)
    poses = [start]
    for axis, angle in zip(axes, angles, strict=True):
        poses.append(Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle) * poses[-1])
    knots = np.linspace(0, 1, stops + 1)
    knots[1:-1] += rng.uniform(-0.08, 0.08, size=stops - 1)
    # minimum-jerk phase along the path, so that both ends are at rest
    phase = smooth(np.linspace(0, 1, frames))
    translation = CubicSpline(knots, places, bc_type="natural")(phase)
    if stops == 1:
        rotation = between(_still(poses[0]), _still(poses[1]), phase).rotation
    else:
        rotation = RotationSpline(knots, Rotation.concatenate(poses))(phase).as_matrix()
    return rotation, translation


def smooth(u: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Minimum-jerk step from 0 to 1 (Flash and Hogan 1985)."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def join(hands: list[Hand]) -> Hand:
    """The hands concatenated in time."""
    return Hand(*(np.concatenate([getattr(hand, key) for hand in hands]) for key in ("rotation", "wrist", "bend")))


def to_grasp(hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Grasp:
    """The hand as a Grasp of JAX arrays. `betas`: one shape for all frames, or one per frame."""
    shapes = np.broadcast_to(betas, (len(hand.wrist), np.shape(betas)[-1]))
    arrays = (np.asarray(part, np.float32) for part in (hand.rotation, hand.wrist, hand.bend, shapes))
    return Grasp(*map(jnp.asarray, arrays))


def _still(rotation: Rotation) -> Hand:
    return Hand(rotation.as_matrix()[None], np.zeros((1, 3)), np.zeros((1, 15, 3)))
