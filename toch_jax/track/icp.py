"""Fit of a hand model to joints, or to a tracker's skin points by ICP, in rounds of the fit's solver."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.spatial import cKDTree

from toch_jax.base.programs import program
from toch_jax.hand.binding import nearest_on_skin, posed_places, posed_skin
from toch_jax.hand.mesh import farthest_points
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.solver.costs.motion import GAUSSIAN, SmoothTerm, tracked_term
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.costs.prior import prior_term
from toch_jax.solver.kinematics import params_from_state, state_from_params
from toch_jax.solver.levenberg_marquardt import solve_trajectory
from toch_jax.solver.problem import Problem
from toch_jax.solver.settings import DEFAULT, Levels

PIECE = 32
"""Frames solved at once, so that one compilation serves clips of any length; chosen by hand."""
STEPS = 3
"""Gauss-Newton steps of a round; chosen by hand."""
JOINT_ROUNDS, PIN_ROUNDS = 4, 1
"""Rounds of `draw_to_joints` and `pin_to_skin`; chosen by hand."""
POINT_ERROR = 0.003
"""Standard deviation of a tracker's joints or skin points from those of another hand model, metres; a real tracker's
MANO hand is 2.6 to 3.1 mm off on the mean (WRONG_JOINTS in inverse_kinematics.py)."""
BRIDGED_ERROR = 0.01
"""Standard deviation of a joint that is missing in this frame and interpolated from others, metres; chosen by hand."""
OWN_ERROR = 0.0003
"""Standard deviation of the model's own vertices, metres; chosen by hand."""
GROSS = 0.02
"""Metres: a tracker's points farther than this from the skin are ignored (a forearm, the other hand).
Chosen by hand."""
N_SKIN = 64
"""Number of skin positions that are drawn to their nearest points. Without them a hand may stay too long: no point acts
on the skin beyond the points. Chosen by hand."""
BARE = 0.015
"""Metres: skin positions farther than this from all points are ignored (points may cover one side of a hand).
Chosen by hand."""


@program()
def _solve(
    model: HandModel,
    start: HandParams,
    valid: Bool[Array, "T"],
    surface: SurfaceTerm | None,
    joints: JointTerm | None,
    link: Float[Array, ""],
    hold: Float[Array, ""],
) -> HandParams:
    """Fit to points: the start is an observation with a sigma of only 1 m and 1 rad, `link` weighs a loose motion term.

    `hold` is the weight of the start's shape.
    """
    n_frames = valid.shape[0]
    state = state_from_params(model, start)
    loose = Levels(wrist=1.0, orient=1.0, fingers=1.0)
    linked = 1 / Levels(wrist=0.02, orient=0.2, fingers=0.2).by_group() ** 2
    prior = prior_term(model, DEFAULT)
    problem = Problem(
        surface=surface,
        joints=joints,
        tracked=tracked_term(state, valid, loose, DEFAULT, robust=False).replace(shape_weight=hold),
        smooth=SmoothTerm(jnp.zeros(17), link * linked, jnp.full(n_frames, GAUSSIAN)),
        # Another hand's proportions differ in the same way in every frame: the shape prior must count once per frame.
        prior=prior.replace(shape_weight=prior.shape_weight * valid.sum()),
        contact=None,
        frame_mask=valid,
    )
    return params_from_state(model, solve_trajectory(model, problem, state, STEPS).state)


def place_hand(
    model: HandModel,
    start: HandParams,
    surface: SurfaceTerm | None,
    joints: JointTerm | None,
    link: bool,
    hold_shape: bool,
    piece: int = PIECE,
) -> HandParams:
    """One round, in pieces of `piece` frames; with several pieces the shape must be held, as they share it."""
    n_frames = len(start.pose)
    assert hold_shape or n_frames <= piece
    weights = jnp.asarray(float(link)), jnp.asarray(1e6 * hold_shape)
    placed = []
    for first in range(0, n_frames, piece):
        frames = first + np.arange(piece)
        valid = frames < n_frames
        frames = np.minimum(frames, n_frames - 1)
        drawn, held = (jax.tree.map(partial(_pick, frames), term) for term in (surface, joints))
        placed.append(_solve(model, take(start, frames), jnp.asarray(valid), drawn, held, *weights))
    whole = jax.tree.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)[:n_frames]), *placed)
    return whole.replace(betas=placed[0].betas)


def _pick(frames: Int[np.ndarray, "K"], values: Float[Array, "T *rest"] | Int[Array, "T *rest"]) -> Array:
    """Values of some frames; on the host, so that no clip length needs a compilation."""
    return jnp.asarray(np.asarray(values)[frames])


def take(params: HandParams, frames: Int[np.ndarray, "K"]) -> HandParams:
    """Parameters of some frames; betas (S,) are shared by all."""
    return jax.tree.map(partial(_pick, frames), params.replace(betas=params.transl)).replace(betas=params.betas)


class Pulls(NamedTuple):
    """Skin positions and their targets (metres); a frame's M positions together have the weight of 21 joints."""

    face: Int[np.ndarray, "T M"]
    barycentric: Float[np.ndarray, "T M 3"]
    target: Float[np.ndarray, "T M 3"]
    normal: Float[np.ndarray, "T M 3"]
    counts: Bool[np.ndarray, "T M"]
    """Whether the position is used in the frame."""


def skin_term(pulls: Pulls, back: Pulls | None, n_back: int, across: float, error: float = POINT_ERROR) -> SurfaceTerm:
    """Surface term that draws the skin to points.

    `back` draws `n_back` skin positions to their nearest points; if None they have weight 0. `across` is the ratio of
    the weight across the normal to that along it; `error` is the targets' standard deviation, metres.
    """
    n_frames = len(pulls.face)
    vectors = np.zeros((n_frames, n_back, 3), np.float32)
    silent = Pulls(np.zeros((n_frames, n_back), np.int32), vectors, vectors, vectors, vectors[..., 0] > 0)
    parts = (pulls, silent if back is None else back)
    weights = [part.counts * 21 / max(part.counts.shape[1], 1) / error**2 for part in parts]
    weight = jnp.asarray(np.concatenate(weights, axis=1), jnp.float32)
    whole = Pulls(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))
    return SurfaceTerm(
        face=jnp.asarray(whole.face),
        barycentric=jnp.asarray(whole.barycentric),
        target=jnp.asarray(whole.target),
        normal=jnp.asarray(whole.normal),
        weight_along=weight,
        weight_across=across * weight,
    )


def draw_to_skin(
    model: HandModel,
    start: HandParams,
    points: Float[np.ndarray, "T K 3"],
    some: Int[np.ndarray, "M"],
    observed: Bool[np.ndarray, "T"],
    rounds: int,
    hold_shape: bool,
    link: bool = True,
) -> HandParams:
    """Rounds of ICP in both directions: `some` of the points to the skin, and skin positions to the nearest points."""
    params, chosen = start, points[:, some]
    own = skin_places(model)
    for _ in range(rounds):
        skin = posed_skin(model, params)
        place = nearest_on_skin(model, skin, chosen)
        counts = (place.distance < GROSS) & observed[:, None]
        pulls = Pulls(place.face, place.barycentric, chosen, place.normal, counts)
        term = skin_term(pulls, _pulls_of_skin(model, skin, own, points, observed), N_SKIN, across=0.05)
        params = place_hand(model, params, term, None, link, hold_shape)
    return params


def skin_places(model: HandModel) -> tuple[Int[np.ndarray, "M"], Float[np.ndarray, "M 3"]]:
    """Faces and barycentric coordinates of N_SKIN positions spread evenly over the skin."""
    template = np.asarray(model.v_template)
    place = nearest_on_skin(model, template[None], template[farthest_points(template, N_SKIN)][None])
    return place.face[0], place.barycentric[0]


def _pulls_of_skin(
    model: HandModel,
    skin: Float[np.ndarray, "T V 3"],
    own: tuple[Int[np.ndarray, "M"], Float[np.ndarray, "M 3"]],
    points: Float[np.ndarray, "T K 3"],
    observed: Bool[np.ndarray, "T"],
) -> Pulls:
    """Skin positions `own` (faces, barycentric coordinates), drawn to their nearest points."""
    face, barycentric = own
    at, axes = posed_places(model, skin, face, barycentric)
    found = [cKDTree(cloud).query(places) for cloud, places in zip(points, at, strict=True)]
    distance = np.stack([each for each, _ in found])
    nearest = np.stack([cloud[index] for cloud, (_, index) in zip(points, found, strict=True)])
    counts = (distance < BARE) & observed[:, None]
    where = np.broadcast_to(face, counts.shape), np.broadcast_to(barycentric, nearest.shape)
    normal = np.asarray(axes[..., 2], np.float32)
    return Pulls(*where, nearest.astype(np.float32), normal, counts)


def pin_to_skin(
    model: HandModel,
    start: HandParams,
    face: Int[np.ndarray, "K"],
    barycentric: Float[np.ndarray, "K 3"],
    points: Float[np.ndarray, "T K 3"],
    observed: Bool[np.ndarray, "T"],
    hold_shape: bool,
    error: float = POINT_ERROR,
) -> HandParams:
    """Rounds of the solver on points whose positions on the skin are known."""
    at = np.broadcast_to(face, points.shape[:2]), np.broadcast_to(barycentric, points.shape)
    counts = np.broadcast_to(observed[:, None], points.shape[:2])
    pulls = Pulls(*at, points, np.zeros(points.shape, np.float32), counts)
    term = skin_term(pulls, None, N_SKIN, across=1.0, error=error)
    params = start
    for _ in range(PIN_ROUNDS):
        params = place_hand(model, params, term, None, len(points) <= PIECE, hold_shape)
    return params


def draw_to_joints(
    model: HandModel,
    start: HandParams,
    joints: Float[np.ndarray, "T 21 3"],
    observed: Bool[np.ndarray, "T"],
    hold_shape: bool,
    error: Float[np.ndarray, "T 21"] | float = POINT_ERROR,
    rounds: int = JOINT_ROUNDS,
    piece: int = PIECE,
) -> HandParams:
    """Rounds of the solver on joints. Joints that are NaN, or whose `error` (metres) is infinite, are ignored."""
    known = np.isfinite(joints).all(axis=-1) & observed[:, None]
    weight = known / np.broadcast_to(error, known.shape) ** 2
    term = JointTerm(jnp.asarray(np.where(known[..., None], joints, 0)), jnp.asarray(weight, jnp.float32))
    params = start
    for _ in range(rounds):
        params = place_hand(model, params, None, term, link=len(joints) <= PIECE, hold_shape=hold_shape, piece=piece)
    return params
