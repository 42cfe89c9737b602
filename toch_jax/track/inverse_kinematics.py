"""Inverse kinematics: parameters of a hand model from a tracker's 21 joints or skin points.

Skin points of another hand model are not the vertices of ours: each is drawn to the nearest point of the posed surface,
chosen again in each round. A few frames determine the hand's shape, and where on the skin each point is; the other
frames are fitted with these. A left hand is mirrored and fitted as a right one: one compilation serves both. The
remaining error is measured: a small one is due to another hand's form, a large one to a wrong order.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.hand.binding import nearest_on_skin, posed_skin, settled_places
from toch_jax.hand.mesh import farthest_points, mirror
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.sequence.mirror import OTHER_SIDE, mirror_params
from toch_jax.sequence.record import nearest_observed
from toch_jax.track.icp import (
    BRIDGED_ERROR,
    OWN_ERROR,
    PIECE,
    POINT_ERROR,
    draw_to_joints,
    draw_to_skin,
    pin_to_skin,
    take,
)
from toch_jax.track.initial_pose import bridge_by_palm, follow, pose_from_joints
from toch_jax.track.pose_from_points import check_mano_order, hand_from_cloud, pose_from_mano
from toch_jax.track.registration_checks import (
    bone_change,
    check_order,
    framewise,
    is_within_people,
    joint_residual,
    scale_between,
    size_note,
    spread_note,
    steady,
    within_people,
)

N_POINTS = 128
"""Number of a tracker's skin points, spread evenly, that are fitted; chosen by hand, for speed."""
ROUNDS, LAST_ROUNDS = 5, 1
"""Rounds of ICP in the frames that determine the shape, and in all frames after that; chosen by hand."""
POOR_JOINTS, POOR_POINTS, CLEARLY = 0.002, 0.0014, 0.6
"""Mean errors (metres) above which the mirror image is tried. The side is refused if the mirror image's error is less
than CLEARLY times the other. Chosen by hand, below what other hand models leave (WRONG_JOINTS)."""
WRONG_JOINTS, WRONG_POINTS = 0.01, 0.008
"""Mean errors (metres) above which joints or points are refused. Measured on joints: the open hand's own 0.1 mm, a real
tracker's MANO hand 3.1 (2.7 to 4.1 with up to 20 mm of noise, or 0.7 to 1.2 times as large), joints in other orders 12
to 37, shuffled 53. On points: a real tracker's MANO hand 2.6 mm (5.5 when 1.3 times as large), shuffled or reversed 18
to 26."""
FEW, FEW_ROUNDS = 8, 2
"""Frames that are fitted at once, and rounds, where a hand is followed while it is tracked. Chosen by hand."""
FLIP = np.array([-1, 1, 1], np.float32)
"""Factors of the coordinates that mirror a hand."""


class Registered(NamedTuple):
    """Hand fitted to joints or points."""

    params: HandParams
    """Axes (T, ...), betas (S,)."""
    residual: Float[np.ndarray, "21"]
    """Distance of each joint from the tracker's that remains in all frames, metres (track/registration_checks.py)."""
    skin_gap: float | None
    """Mean distance of the given points from the hand's skin, metres; None where joints were given."""
    notes: tuple[str, ...]


class _Found(NamedTuple):
    """Hand fitted to a few frames, and its errors."""

    params: HandParams
    residual: Float[np.ndarray, "21"]
    error: float
    """Mean error over joints or points, less the part due to noise, metres."""
    gap: float | None
    """Mean distance of points from the skin, noise included, metres; None for joints."""
    scale: float
    """Size of the tracker's hand over that of the fitted one."""


def params_from_joints(
    model: HandModel, joints: Float[Array, "T 21 3"], observed: Bool[Array, "T"], where: str | Path = "sequence"
) -> Registered:
    """Parameters that fit the joints (16 of the skeleton, then the tips; metres) best; one shape for the clip.

    Frames that are not `observed` follow from their neighbours. In observed frames joints may be NaN as far as
    sequence/hand_faults.py allows. Raises InputError, which begins with `where`, for joints that are clearly of the
    other side's hand, in another order, or not of a hand.
    """
    known, given = np.asarray(observed), _right_points(model, joints)
    check_order(where, model, given[known])
    right = _right_hand(model)
    found, params = _from_joints(right, given, known, model.side, where)
    size = size_note(right, found.params, found.scale)
    if found.error > WRONG_JOINTS:
        expected = "the 21 joints of a person's hand in OpenPose order, root to tip, in metres"
        wrong = f"joints {_mm(found.error)} from any hand on the mean"
        # shuffled joints give a small hand, never a large one
        raise bad_input(where, "hand_joints", expected, ": ".join((wrong, *(size if found.scale > 1 else ()))))
    left_over = f"fitted to 21 joints with {_mm(found.error)} left over"
    bones = f"bone lengths change by {100 * bone_change(given[known]):.1f} %"
    notes = (f"{left_over}, {bones}", *size)
    return Registered(_on_side(model, params), found.residual, None, notes)


def _from_joints(
    model: HandModel,
    joints: Float[np.ndarray, "T 21 3"],
    observed: Bool[np.ndarray, "T"],
    side: Side,
    where: str | Path,
) -> tuple[_Found, HandParams]:
    """Right hand fitted to a few frames, and its parameters in all; `side` is the user's, for error messages."""
    few = _telling_frames(observed)
    missing = np.isnan(joints).any(axis=-1)
    error = np.where(missing, np.where(missing[observed].all(axis=0), np.inf, BRIDGED_ERROR), POINT_ERROR)
    whole = bridge_by_palm(model, joints)

    def find(flip: Float[np.ndarray, "3"]) -> _Found:
        draw = partial(draw_to_joints, model, joints=whole[few] * flip, observed=observed[few], error=error[few])
        params = draw(pose_from_joints(model, whole[few] * flip), hold_shape=False)
        if not is_within_people(params):
            params = draw(within_people(params), hold_shape=True)
        residual = joint_residual(model, params, joints[few] * flip, observed[few])
        fitted = np.asarray(skin_frames(model, framewise(params))[1])
        scale = scale_between(fitted, joints[few] * flip, observed[few])
        return _Found(params, residual, float(residual.mean()), None, scale)

    found = _on_this_side(side, find, POOR_JOINTS, where)
    if len(few) == len(observed):
        return found, found.params
    start = pose_from_joints(model, whole).replace(betas=found.params.betas)
    return found, draw_to_joints(model, start, whole, observed, hold_shape=True, error=error)


def params_of_shape(
    model: HandModel, joints: Float[Array, "T 21 3"], observed: Bool[Array, "T"], betas: Float[Array, "S"]
) -> HandParams:
    """As `params_from_joints`, of a hand whose shape `betas` is known, for FEW frames at most; nothing is checked."""
    given, right = _right_points(model, joints), _right_hand(model)
    missing = np.isnan(given).any(axis=-1)
    start = pose_from_joints(right, whole := bridge_by_palm(right, given)).replace(betas=betas)
    error = np.where(missing, BRIDGED_ERROR, POINT_ERROR)
    seen = np.asarray(observed)
    params = draw_to_joints(right, start, whole, seen, hold_shape=True, error=error, rounds=FEW_ROUNDS, piece=FEW)
    return _on_side(model, params)


def _right_hand(model: HandModel) -> HandModel:
    return model if model.side == "right" else mirror(model)


def _right_points(model: HandModel, points: Float[Array, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    return np.asarray(points) if model.side == "right" else np.asarray(points) * FLIP


def _on_side(model: HandModel, params: HandParams) -> HandParams:
    """A right hand's parameters for the side of the model, with the shape clipped to LARGEST_BETA."""
    params = within_people(params)
    return params if model.side == "right" else mirror_params(params)


def _telling_frames(observed: Bool[np.ndarray, "T"]) -> Int[np.ndarray, "K"]:
    """Frames that determine the shape: all of a short clip, else up to PIECE observed ones, spread over it."""
    if len(observed) <= PIECE:
        return np.arange(len(observed))
    known = np.flatnonzero(observed)
    return known[np.unique(np.linspace(0, len(known) - 1, PIECE).astype(int))]


def _on_this_side(
    side: Side, find: Callable[[Float[np.ndarray, "3"]], _Found], poor: float, where: str | Path
) -> _Found:
    """Result of `find`, whose argument multiplies the given points.

    Raises InputError if the fit is poor and the mirror image fits far better.
    """
    found = find(np.ones(3, np.float32))
    if found.error > poor:
        other = find(FLIP).error
        if other < CLEARLY * found.error:
            expected = f"{OTHER_SIDE[side]} (which fits to {_mm(other)})"
            raise bad_input(where, "hand_side", expected, f"{side} (which fits to {_mm(found.error)})")
    return found


def params_from_vertices(
    model: HandModel,
    vertices: Float[Array, "T K 3"],
    order: str | None,
    observed: Bool[Array, "T"],
    where: str | Path = "sequence",
) -> Registered:
    """Parameters that fit skin points (metres), each the same point of the hand in every frame; one shape for the clip.

    In the model's own order each point is fitted by its vertex; in MANO's order tips and wrist ring give the start;
    for unordered points many starts are tried. Frames that are not `observed` follow from their neighbours. Raises
    InputError, which begins with `where`, for points that are clearly of the other side's hand, not in the given
    order, or not of a hand.
    """
    right, given, known = _right_hand(model), _right_points(model, vertices), np.asarray(observed)
    n_points, n_own = given.shape[1], model.v_template.shape[0]
    if order == model.name and n_points != n_own:
        raise bad_input(where, "hand_vertices", f'{n_own} points, which the order "{order}" has', f"{n_points}")
    if order == "mano":
        check_mano_order(where, given[known])
    few = _telling_frames(known)
    if order == model.name:
        found, params = _from_own_vertices(right, given, few, known, model.side, where)
    else:
        start = _start_from_mano if order == "mano" else _start_from_any_side
        found, params = _from_points(right, given, start, few, known, model.side, where)
    assert found.gap is not None
    spread = spread_note(given[known][:, farthest_points(given[int(np.argmax(known))], N_POINTS)])
    if found.error > WRONG_POINTS:
        expected = "points on the skin of a person's hand, in metres"
        ordered = () if order == "unordered" else (f'is hand_vertex_order "{order}" right, or is it "unordered"?',)
        wrong = f"points {_mm(found.error)} from it on the mean"
        raise bad_input(where, "hand_vertices", expected, ": ".join((wrong, *(spread or ordered))))
    size = size_note(right, found.params, found.scale) or spread
    notes = (f"fitted to {n_points} points, {_mm(found.gap)} from its skin on the mean", *size)
    return Registered(_on_side(model, params), found.residual, found.gap, notes)


def _from_points(
    model: HandModel,
    points: Float[np.ndarray, "T K 3"],
    rough: Callable[..., HandParams],
    few: Int[np.ndarray, "few"],
    observed: Bool[np.ndarray, "T"],
    side: Side,
    where: str | Path,
) -> tuple[_Found, HandParams]:
    """Right hand fitted to a few frames, and its parameters in all; `rough` gives the start."""
    some = farthest_points(points[int(np.argmax(observed))], N_POINTS)

    def find(flip: Float[np.ndarray, "3"]) -> _Found:
        here = points[few] * flip
        start = rough(model, here, some, observed[few])
        draw = partial(draw_to_skin, model, points=here, some=some, observed=observed[few])
        params = draw(start, rounds=ROUNDS, hold_shape=False)
        if not is_within_people(params):
            params = draw(within_people(params), rounds=ROUNDS, hold_shape=True)
        place = nearest_on_skin(model, posed_skin(model, params), here[:, some])
        gap = float(place.distance[observed[few]].mean())
        outside = np.sign(((here[:, some] - place.point) * place.normal).sum(axis=-1))
        error = float(steady((outside * place.distance)[observed[few], :, None]).mean())
        # the error is known along the normal only: in the two directions across it, it may be as large
        residual = np.full(21, np.sqrt(3) * error, np.float32)
        return _Found(params, residual, error, gap, scale_between(place.point, here[:, some], observed[few]))

    found = _on_this_side(side, find, POOR_POINTS, where)
    if len(few) == len(observed):
        return found, found.params
    return found, _spread_out(model, found.params, few, points, some, observed)


def _from_own_vertices(
    model: HandModel,
    vertices: Float[np.ndarray, "T V 3"],
    few: Int[np.ndarray, "few"],
    observed: Bool[np.ndarray, "T"],
    side: Side,
    where: str | Path,
) -> tuple[_Found, HandParams]:
    """Right hand fitted to the model's own vertices in a few frames, and its parameters in all.

    It starts from joints regressed from the vertices, which are rough for a bent hand; then vertices fit vertices.
    """
    regressed = np.einsum("jv,tvc->tjc", np.asarray(model.joint_regressor), vertices)
    joints = np.concatenate([regressed, vertices[:, np.asarray(model.tips)]], axis=1)
    rough, params = _from_joints(model, joints, observed, side, where)
    spread = farthest_points(np.asarray(model.v_template), N_POINTS)
    rest = np.asarray(model.v_template)[spread]
    place = nearest_on_skin(model, np.asarray(model.v_template)[None], rest[None])
    pin = partial(pin_to_skin, model, face=place.face[0], barycentric=place.barycentric[0], error=OWN_ERROR)
    shaped = pin(rough.params, points=vertices[few][:, spread], observed=observed[few], hold_shape=False)
    if not is_within_people(shaped):
        held = within_people(shaped)
        shaped = pin(held, points=vertices[few][:, spread], observed=observed[few], hold_shape=True)
    if len(few) < len(observed):
        params = pin(params.replace(betas=shaped.betas), points=vertices[:, spread], observed=observed, hold_shape=True)
    else:
        params = shaped
    fitted = posed_skin(model, shaped)
    error = float(np.linalg.norm(fitted - vertices[few], axis=-1)[observed[few]].mean())
    residual, scale = np.full(21, error, np.float32), scale_between(fitted, vertices[few], observed[few])
    return _Found(shaped, residual, error, error, scale), params


def _spread_out(
    model: HandModel,
    found: HandParams,
    few: Int[np.ndarray, "few"],
    points: Float[np.ndarray, "T K 3"],
    some: Int[np.ndarray, "M"],
    observed: Bool[np.ndarray, "T"],
) -> HandParams:
    """Parameters in all frames from a hand that was fitted to a few, with the same shape.

    Each frame starts from the nearest of the few, moved rigidly. Points are fitted first by the skin positions that
    they have in the few frames, then by the nearest ones.
    """
    is_few = np.zeros(len(points), bool)
    is_few[few] = True
    near, chosen = nearest_observed(is_few), points[:, some]
    start = follow(model, take(found, np.searchsorted(few, near)), chosen[near], chosen)
    face, barycentric = settled_places(model, posed_skin(model, found), chosen[few])
    params = pin_to_skin(model, start, face, barycentric, chosen, observed, hold_shape=True)
    return draw_to_skin(model, params, points, some, observed, LAST_ROUNDS, hold_shape=True)


def _start_from_mano(
    model: HandModel, points: Float[np.ndarray, "T K 3"], some: Int[np.ndarray, "M"], observed: Bool[np.ndarray, "T"]
) -> HandParams:
    """Start with the wrist from MANO's wrist ring and the fingers from its tips."""
    start, joints = pose_from_mano(model, points)
    return draw_to_joints(model, start, joints, observed, hold_shape=False)


def _start_from_any_side(
    model: HandModel, points: Float[np.ndarray, "T K 3"], some: Int[np.ndarray, "M"], observed: Bool[np.ndarray, "T"]
) -> HandParams:
    """Start from the best fit to the frame in which the hand is most open, extended to the other frames."""
    extent = np.var(points[:, some], axis=1).sum(axis=-1) * observed
    widest = int(np.argmax(extent))
    best = hand_from_cloud(model, points[widest], some)
    return _spread_out(model, best, np.array([widest]), points, some, observed)


def _mm(metres: float) -> str:
    return f"{1e3 * metres:.1f} mm"
