"""The hand of one frame from points of its skin whose order is not known: the start of all other rounds.

A hand of the wrong size, or the wrong way round, is a valley of its own that no round leaves: so hands of three sizes
are tried from many sides, and the one is kept that lies on all points while all its skin has points nearby.
"""

from operator import itemgetter

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.hand.prior import pose_prior
from toch_jax.hand.skin_binding import posed_skin
from toch_jax.track.icp import BARE, draw_to_skin, take

SIZES = (-2.0, 0.0, 2.0)
"""First shape coefficients: 0.87, 1 and 1.13 times the mean hand."""
N_TRIES = 8
"""Rough poses of each size that are looked into."""
ROUNDS = 6
SPARSE = 6
"""Of the skin's vertices one in so many is enough to lay it on points."""


def hand_from_cloud(model: HandModel, cloud: Float[np.ndarray, "K 3"], some: Int[np.ndarray, "M"]) -> HandParams:
    """One frame's hand, its size one of SIZES; `some` of the points are those that it is drawn to."""
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
    """Mean distance of the points from the nearest skin plus that of the skin from the nearest point, metres.

    One way alone, a hand that is too large, or has a finger where there are no points, is as good as any. Each
    distance counts up to BARE.
    """
    both = cKDTree(skin).query(cloud)[0], cKDTree(cloud).query(skin)[0]
    return float(sum(np.minimum(each, BARE).mean() for each in both))


def poses_from_cloud(
    model: HandModel, betas: Float[Array, "S"], cloud: Float[np.ndarray, "K 3"], count: int
) -> HandParams:
    """The `count` best of many rigid fits of a hand of this shape to the points (ICP).

    The tries are five degrees of curl, each laid on the points' principal axes in the 24 ways that axes go onto axes.
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
    """From stretched to fist: three quarters of the variance of hands' poses are along one line."""
    prior = pose_prior(model.side)
    variance, directions = np.linalg.eigh(np.asarray(prior.covariance))
    line = directions[:, -1] * np.sqrt(variance[-1])
    return np.clip(prior.mean + np.linspace(-1.2, 1.2, 5)[:, None] * line, prior.lower, prior.upper).astype(np.float32)


def _rigid_fit(
    skin: Float[np.ndarray, "V 3"], cloud: Float[np.ndarray, "K 3"], way: Float[np.ndarray, "3 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """The two-way distance, and the turn and shift of the skin that bring it to the points."""
    tree = cKDTree(skin)
    turn = _principal_axes(cloud) @ way @ _principal_axes(skin).T
    shift = cloud.mean(axis=0) - turn @ skin.mean(axis=0)
    for _ in range(12):
        nearest = skin[tree.query((cloud - shift) @ turn)[1]]
        turn = Rotation.align_vectors(cloud - cloud.mean(axis=0), nearest - nearest.mean(axis=0))[0].as_matrix()
        shift = cloud.mean(axis=0) - turn @ nearest.mean(axis=0)
    return two_way_distance(skin, (cloud - shift) @ turn), turn, shift


def _principal_axes(points: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "3 3"]:
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2].T
    return axes * [1, 1, np.linalg.det(axes)]
