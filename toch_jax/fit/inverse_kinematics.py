"""Parameters of a hand model from what a tracker gives instead: 21 joints, or points of the skin.

Skin points of another hand are not the vertices of ours: each is drawn to the nearest point of the posed surface,
chosen anew in rounds. A few frames tell the hand's shape, and where on the skin each point is; all others follow from
those. A left hand is found as the right hand that its mirror image is: one compilation serves both.
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.errors import bad_input
from toch_jax.fit.place import (
    BRIDGED_ERROR,
    OWN_ERROR,
    PIECE,
    POINT_ERROR,
    draw_to_joints,
    draw_to_skin,
    pin_to_skin,
    take,
)
from toch_jax.fit.rough_pose import bridge_by_palm, follow, pose_from_joints, pose_from_mano, poses_from_cloud
from toch_jax.fit.skin_binding import nearest_on_skin, posed_skin, settled_places
from toch_jax.hand.mesh import farthest_points, mirror
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.sequence.mirror import OTHER_SIDE, mirror_params
from toch_jax.sequence.record import nearest_valid

N_POINTS = 128
"""Of a tracker's skin points, spread evenly, that the hand is drawn to."""
N_TRIES = 8
"""Rough poses of unordered points that are looked into."""
CLOUD_ROUNDS, ROUNDS, LAST_ROUNDS = 6, 5, 1
POOR_JOINTS, POOR_POINTS, CLEARLY = 0.002, 0.0014, 0.6
"""Metres of mean error from which the mirror image is tried, and the share of it that convinces."""
FLIP = np.array([-1, 1, 1], np.float32)


def params_from_joints(
    model: HandModel, joints: Float[Array, "T 21 3"], seen: Bool[Array, "T"], where: str = "sequence"
) -> HandParams:
    """Parameters whose joints (16 of the skeleton, then the tips) come nearest; one shape for the clip.

    Frames that are not `seen` take what their neighbours say. Raises InputError, which begins with `where`, for joints
    that are plainly of the other side's hand.
    """
    found = _from_joints(_right_hand(model), _right_points(model, joints), np.asarray(seen), model.side, where)
    return found if model.side == "right" else mirror_params(found)


def _from_joints(
    model: HandModel, joints: Float[np.ndarray, "T 21 3"], seen: Bool[np.ndarray, "T"], side: Side, where: str
) -> HandParams:
    """A right hand's parameters; `side` is what the user calls it."""
    few = _telling_frames(seen)
    missing = np.isnan(joints).any(axis=-1)
    absent = missing[seen].all(axis=0)
    error = np.where(missing, np.where(absent, np.inf, BRIDGED_ERROR), POINT_ERROR)
    joints = bridge_by_palm(model, joints)

    def find(joints: Float[np.ndarray, "T 21 3"]) -> tuple[HandParams, float]:
        start = pose_from_joints(model, joints)
        found = draw_to_joints(model, start, joints, seen[few], hold_shape=False, error=error[few])
        return found, _joint_error(model, found, joints, seen[few])

    found = _on_this_side(side, find, joints[few], POOR_JOINTS, where)
    if len(few) == len(seen):
        return found
    start = pose_from_joints(model, joints).replace(betas=found.betas)
    return draw_to_joints(model, start, joints, seen, hold_shape=True, error=error)


def _right_hand(model: HandModel) -> HandModel:
    return model if model.side == "right" else mirror(model)


def _right_points(model: HandModel, points: Float[Array, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    return np.asarray(points) if model.side == "right" else np.asarray(points) * FLIP


def _telling_frames(seen: Bool[np.ndarray, "T"]) -> Int[np.ndarray, "K"]:
    """The frames that tell the shape: all of a short clip, else some that are seen, spread over it."""
    if len(seen) <= PIECE:
        return np.arange(len(seen))
    known = np.flatnonzero(seen)
    return known[np.unique(np.linspace(0, len(known) - 1, PIECE).astype(int))]


def _joint_error(
    model: HandModel, params: HandParams, joints: Float[np.ndarray, "T 21 3"], seen: Bool[np.ndarray, "T"]
) -> float:
    """How far joints are off for good, seen from the wrist: a tracker's noise is not the hand's form."""
    betas = jnp.broadcast_to(params.betas, (len(joints), params.betas.shape[-1]))
    off = np.asarray(skin_frames(model, params.replace(betas=betas))[1]) - joints
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient)).as_matrix()
    return float(np.linalg.norm(np.einsum("tab,tja->tjb", wrist, off)[seen].mean(axis=0), axis=-1).mean())


def _on_this_side(
    side: Side,
    find: Callable[[Float[np.ndarray, "T K 3"]], tuple[HandParams, float]],
    points: Float[np.ndarray, "T K 3"],
    poor: float,
    where: str,
) -> HandParams:
    """What `find` finds, with its mean error, unless that is poor and the points' mirror image fits far better."""
    found, error = find(points)
    if error > poor:
        other = find(points * FLIP)[1]
        if other < CLEARLY * error:
            expected = f"{OTHER_SIDE[side]} (which fits to {1e3 * other:.1f} mm)"
            raise bad_input(where, "hand_side", expected, f"{side} (which fits to {1e3 * error:.1f} mm)")
    return found


def params_from_vertices(
    model: HandModel,
    vertices: Float[Array, "T K 3"],
    order: str | None,
    seen: Bool[Array, "T"],
    where: str = "sequence",
) -> HandParams:
    """Parameters from skin points, each the same point of the hand in every frame; one shape for the clip.

    In the model's own order every point has its vertex; in MANO's, tips and wrist ring tell where the hand lies;
    unordered points are tried from many sides. Frames that are not `seen` take what their neighbours say. Raises
    InputError, which begins with `where`, for points that are plainly of the other side's hand.
    """
    right, host, known = _right_hand(model), _right_points(model, vertices), np.asarray(seen)
    if host.shape[1] == model.v_template.shape[0] and order == model.name:
        found = _from_own_vertices(right, host, known, model.side, where)
        return found if model.side == "right" else mirror_params(found)
    few = _telling_frames(known)
    spread = farthest_points(host[int(np.argmax(known))], N_POINTS)
    rough = _start_from_mano if order == "mano" else _start_from_any_side

    def find(points: Float[np.ndarray, "T K 3"]) -> tuple[HandParams, float]:
        start = rough(right, points, spread, known[few])
        found = draw_to_skin(right, start, points[:, spread], known[few], ROUNDS, hold_shape=False)
        gap = nearest_on_skin(right, posed_skin(right, found), points[:, spread]).distance
        return found, float(gap[known[few]].mean())

    found = _on_this_side(model.side, find, host[few], POOR_POINTS, where)
    if len(few) < len(known):
        found = _spread_out(right, found, few, host[:, spread], known, hold_shape=True)
    return found if model.side == "right" else mirror_params(found)


def _from_own_vertices(
    model: HandModel, vertices: Float[np.ndarray, "T V 3"], seen: Bool[np.ndarray, "T"], side: Side, where: str
) -> HandParams:
    """A start from the joints that the vertices tell, roughly once a hand is bent; then vertices go to vertices."""
    regressed = np.einsum("jv,tvc->tjc", np.asarray(model.joint_regressor), vertices)
    joints = np.concatenate([regressed, vertices[:, np.asarray(model.tips)]], axis=1)
    found = _from_joints(model, joints, seen, side, where)
    spread = farthest_points(np.asarray(model.v_template), N_POINTS)
    rest = np.asarray(model.v_template)[spread]
    place = nearest_on_skin(model, np.asarray(model.v_template)[None], rest[None])
    pin = partial(pin_to_skin, model, face=place.face[0], barycentric=place.barycentric[0], error=OWN_ERROR)
    few = _telling_frames(seen)
    shaped = pin(take(found, few), points=vertices[few][:, spread], seen=seen[few], hold_shape=False)
    if len(few) == len(seen):
        return shaped
    return pin(found.replace(betas=shaped.betas), points=vertices[:, spread], seen=seen, hold_shape=True)


def _spread_out(
    model: HandModel,
    found: HandParams,
    few: Int[np.ndarray, "few"],
    points: Float[np.ndarray, "T K 3"],
    seen: Bool[np.ndarray, "T"],
    hold_shape: bool,
) -> HandParams:
    """From a few frames to all: each starts as the nearest of the few, moved as a whole, and is drawn by the same
    places of the skin as those; then by the nearest ones.
    """
    is_few = np.zeros(len(points), bool)
    is_few[few] = True
    near = nearest_valid(is_few)
    start = follow(model, take(found, np.searchsorted(few, near)), points[near], points)
    face, barycentric = settled_places(model, posed_skin(model, found), points[few])
    params = pin_to_skin(model, start, face, barycentric, points, seen, hold_shape)
    return draw_to_skin(model, params, points, seen, LAST_ROUNDS, hold_shape)


def _start_from_mano(
    model: HandModel, points: Float[np.ndarray, "T K 3"], spread: Int[np.ndarray, "M"], seen: Bool[np.ndarray, "T"]
) -> HandParams:
    """The wrist from MANO's wrist ring, the fingers from its tips."""
    start, joints = pose_from_mano(model, points)
    return draw_to_joints(model, start, joints, seen, hold_shape=False, n_points=len(spread))


def _start_from_any_side(
    model: HandModel, points: Float[np.ndarray, "T K 3"], spread: Int[np.ndarray, "M"], seen: Bool[np.ndarray, "T"]
) -> HandParams:
    """The best fit to the frame in which the hand is the most open, carried to the others."""
    points = points[:, spread]
    extent = np.var(points, axis=1).sum(axis=-1) * seen
    widest = int(np.argmax(extent))
    many = poses_from_cloud(model, points[widest], N_TRIES)
    clouds = np.broadcast_to(points[widest], (N_TRIES, *points.shape[1:]))
    found = draw_to_skin(model, many, clouds, np.ones(N_TRIES, bool), CLOUD_ROUNDS, hold_shape=True, link=False)
    gap = nearest_on_skin(model, posed_skin(model, found), clouds).distance.mean(axis=1)
    best = take(found, np.argmin(gap, keepdims=True))
    return _spread_out(model, best, np.array([widest]), points, seen, hold_shape=False)
