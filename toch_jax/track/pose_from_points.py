"""Rough pose of a hand from skin points: the start of inverse kinematics.

Points in MANO's order give the wrist and the tips by the indices of its 778 vertices; MANO's files are not needed. In
unknown order, a hand of wrong size or orientation is a local minimum that ICP does not leave. So hands of three sizes
are tried in many orientations, and the one is kept that is near all points while all of its skin has points nearby.
"""

from operator import itemgetter
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.binding import posed_skin
from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.track.icp import BARE, draw_to_skin, take
from toch_jax.track.initial_pose import mean_hand

N_VERTICES = 778
"""Vertices of MANO's mesh (Romero et al. 2017)."""
# Vertices of the wrist ring at the back of the hand, the palm, the thumb and the little finger.
RING_BACK, RING_PALM = (279, 239), (117, 119)
RING_THUMB, RING_PINKY = (92, 38), (78, 121)
RING = (108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120)
"""Vertices of the wrist ring, in order around the wrist: the open boundary of MANO's mesh."""
TIPS = (744, 320, 443, 554, 671)
"""Vertices of the tips, thumb to pinky: `VERTEX_IDS["mano"]` of smplx."""
LONGEST_RING = 9.0
"""Largest length of the ring over the hand's size (root mean square distance of all points from their mean), median
over frames. A real tracker's is 3.7 (2.7 to 3.8 as the hand bends), with 5 mm of noise on each coordinate 5.1, with 10
mm 7.9; the same points reversed, sorted by position, shuffled or shifted by one have 11.5 to 22."""


def check_mano_order(where: str | Path, points: Float[np.ndarray, "T K 3"]) -> None:
    """Raise InputError for points that are not in MANO's order: not 778, or with a wrist ring that is too long."""
    if points.shape[1] != N_VERTICES:
        raise bad_input(
            where, "hand_vertices", f'{N_VERTICES} points, which the order "mano" has', f"{points.shape[1]}"
        )
    ring = points[:, RING]
    length = np.linalg.norm(ring - np.roll(ring, 1, axis=1), axis=-1).sum(axis=1)
    size = np.sqrt(np.var(points, axis=1).sum(axis=-1))
    if np.median(length / size) > LONGEST_RING:
        found = f'a wrist ring that is {np.median(length):.2f} m long: give hand_vertex_order "unordered"'
        raise bad_input(where, "hand_vertices", "points in MANO's order", found)


def pose_from_mano(
    model: HandModel, points: Float[np.ndarray, "T 778 3"]
) -> tuple[HandParams, Float[np.ndarray, "T 21 3"]]:
    """Hand in the prior's mean pose at MANO's wrist ring, and joints from MANO's vertices (wrist, tips; else NaN)."""
    wrist = points[:, RING].mean(axis=1)
    back = points[:, RING_BACK].mean(axis=1) - points[:, RING_PALM].mean(axis=1)
    thumb = points[:, RING_THUMB].mean(axis=1) - points[:, RING_PINKY].mean(axis=1)
    turns = Rotation.concatenate(
        [Rotation.align_vectors(np.stack(pair), [[0, 1, 0], [0, 0, 1]])[0] for pair in zip(back, thumb, strict=True)]
    )
    joints = np.concatenate([wrist[:, None], np.full((len(points), 15, 3), np.nan), points[:, TIPS]], axis=1)
    return mean_hand(model, turns, wrist, np.asarray(model.prior.mean)), joints.astype(np.float32)


SIZES = (-2.0, 0.0, 2.0)
"""First shape coefficients that are tried: 0.87, 1 and 1.13 times the size of the mean hand."""
N_TRIES = 8
"""Rough poses of each size that are refined; chosen by hand."""
ROUNDS = 6
"""Rounds of ICP that refine a pose; chosen by hand."""
SPARSE = 6
"""One in this many vertices of the skin is used in rigid fits; chosen by hand, for speed."""


def hand_from_cloud(model: HandModel, cloud: Float[np.ndarray, "K 3"], some: Int[np.ndarray, "M"]) -> HandParams:
    """Hand of one frame, its size one of SIZES; `some` are the indices of the points that are fitted."""
    clouds = np.broadcast_to(cloud, (N_TRIES, *cloud.shape))
    observed = np.ones(N_TRIES, bool)
    found = []
    for size in SIZES:
        betas = jnp.zeros(model.shapedirs.shape[-1]).at[0].set(size)
        many = poses_from_cloud(model, betas, cloud[some], N_TRIES)
        drawn = draw_to_skin(model, many, clouds, some, observed, ROUNDS, hold_shape=True, link=False)
        distances = [two_way_distance(skin, cloud) for skin in posed_skin(model, drawn)]
        found.append((min(distances), take(drawn, np.argmin(distances, keepdims=True))))
    return min(found, key=itemgetter(0))[1]


def two_way_distance(skin: Float[np.ndarray, "V 3"], cloud: Float[np.ndarray, "K 3"]) -> float:
    """Mean distance of points from the nearest skin vertex plus that of skin vertices from the nearest point, metres.

    The first alone does not show that a hand is too large, or has a finger where there are no points. Each distance
    counts up to BARE.
    """
    both = cKDTree(skin).query(cloud)[0], cKDTree(cloud).query(skin)[0]
    return float(sum(np.minimum(each, BARE).mean() for each in both))


def poses_from_cloud(
    model: HandModel, betas: Float[Array, "S"], cloud: Float[np.ndarray, "K 3"], count: int
) -> HandParams:
    """The `count` best of many rigid fits of a hand of this shape to the points (ICP).

    Five degrees of finger flexion are tried, each with its principal axes on those of the points in all 24 rotations.
    """
    poses = _curls(model)
    zero = jnp.zeros((len(poses), 3))
    skins = posed_skin(model, HandParams(zero, jnp.asarray(poses), betas, zero))
    tries = [
        (*_rigid_fit(skin, cloud, way), pose)
        for pose, skin in zip(poses, skins[:, ::SPARSE], strict=True)
        for way in Rotation.create_group("O").as_matrix()
    ]
    best = sorted(tries, key=itemgetter(0))[:count]
    turn, shift, pose = (np.stack(each) for each in list(zip(*best, strict=True))[1:])
    wrist = np.asarray(rest_joints(model, betas)[0])
    return HandParams(
        global_orient=jnp.asarray(Rotation.from_matrix(turn).as_rotvec(), jnp.float32),
        pose=jnp.asarray(pose),
        betas=betas,
        transl=jnp.asarray(turn @ wrist + shift - wrist, jnp.float32),
    )


def _curls(model: HandModel) -> Float[np.ndarray, "5 45"]:
    """Five poses from stretched hand to fist, along the line that has three quarters of the variance of hand poses."""
    prior = model.prior
    variance, directions = np.linalg.eigh(np.asarray(prior.covariance))
    line = directions[:, -1] * np.sqrt(variance[-1])
    return np.clip(prior.mean + np.linspace(-1.2, 1.2, 5)[:, None] * line, prior.lower, prior.upper).astype(np.float32)


def _rigid_fit(
    skin: Float[np.ndarray, "V 3"], cloud: Float[np.ndarray, "K 3"], way: Float[np.ndarray, "3 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Two-way distance, rotation and translation of a rigid fit of the skin to the points (ICP).

    It starts with principal axes on principal axes; the rotation `way` permutes them.
    """
    tree = cKDTree(skin)
    turn = _principal_axes(cloud) @ way @ _principal_axes(skin).T
    shift = cloud.mean(axis=0) - turn @ skin.mean(axis=0)
    for _ in range(12):
        nearest = skin[tree.query((cloud - shift) @ turn)[1]]
        turn = Rotation.align_vectors(cloud - cloud.mean(axis=0), nearest - nearest.mean(axis=0))[0].as_matrix()
        shift = cloud.mean(axis=0) - turn @ nearest.mean(axis=0)
    return two_way_distance(skin, (cloud - shift) @ turn), turn, shift


def _principal_axes(points: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3 3"]:
    """Principal axes as the columns of a rotation."""
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2].T
    return axes * [1, 1, np.linalg.det(axes)]
