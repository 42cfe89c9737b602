"""Hand of one frame from skin points in unknown order: the start of inverse kinematics.

A hand of wrong size or orientation is a local minimum that ICP does not leave. So hands of three sizes are tried in
many orientations, and the one is kept that is near all points while all of its skin has points nearby.
"""

from operator import itemgetter

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.hand.skin_binding import posed_skin
from toch_jax.track.icp import BARE, draw_to_skin, take

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
