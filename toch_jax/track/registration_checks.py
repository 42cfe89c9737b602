"""Checks of the joints or points that a hand is fitted to, and of the distance that remains between both.

Before the fit: are 21 joints a hand's in OpenPose order, by the distances between them? After it: how far are the given
joints or points from the fitted hand because its form differs, and is its size a person's?
"""

from itertools import chain, pairwise
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames
from toch_jax.track.initial_pose import flat_joints

_THUMB, _INDEX, _MIDDLE, _RING, _PINKY = ([1 + 4 * finger + joint for joint in range(4)] for finger in range(5))
_FINGERS = (_THUMB, _INDEX, _MIDDLE, _RING, _PINKY)
_BY_MANO = (_INDEX, _MIDDLE, _PINKY, _RING, _THUMB)
_MANO_16 = [0, *(joint for finger in _BY_MANO for joint in finger[:3])]

OTHER_ORDERS: dict[str, list[int]] = {
    "MANO's 16 joints, then the tips thumb to pinky": [*_MANO_16, *(finger[3] for finger in _FINGERS)],
    "MANO's 16 joints, then the tips in MANO's order": [*_MANO_16, *(finger[3] for finger in _BY_MANO)],
    "MANO's fingers, each with its tip": [0, *chain(*_BY_MANO)],
    "the wrist and all fingers without their tips, then the tips": [
        *(0, *chain(*(finger[:3] for finger in _FINGERS))),
        *(finger[3] for finger in _FINGERS),
    ],
    "OpenPose order but for ring and pinky, which are swapped": [0, *_THUMB, *_INDEX, *_MIDDLE, *_PINKY, *_RING],
    "wrist, index to pinky, thumb": [0, *_INDEX, *_MIDDLE, *_RING, *_PINKY, *_THUMB],
    "wrist, pinky to thumb": [0, *_PINKY, *_RING, *_MIDDLE, *_INDEX, *_THUMB],
    "wrist, then each finger from tip to root": [0, *chain(*(finger[::-1] for finger in _FINGERS))],
    "fingers from tip to root, wrist last": [*chain(*(finger[::-1] for finger in _FINGERS)), 0],
    "wrist, the fingers' first joints, then the rest of each": [
        *(0, *(finger[0] for finger in _FINGERS)),
        *chain(*(finger[1:] for finger in _FINGERS)),
    ],
}
"""For each position of an array in that order, the index of the OpenPose joint that it holds."""

_BONES = [pair for finger in _FINGERS for pair in pairwise(finger)]
_PALM = [0, *(finger[0] for finger in _FINGERS[1:])]
_PAIRS = np.array([*_BONES, *((a, b) for i, a in enumerate(_PALM) for b in _PALM[i + 1 :]), (0, 1), (1, 5)])
"""Pairs of joints whose distance changes little or not at all when a hand bends."""

WRONG_ORDER, CLEARLY = 0.18, 0.6
"""Spread of the lengths' logarithms (`_spread`) from which other orders are tried. The given one is refused if another
has less than CLEARLY times its spread. Measured, with up to 5 mm of noise on each coordinate: open hands in many poses
and a real tracker's MANO hand at most 0.14, in each of OTHER_ORDERS 0.21 to 0.72. The best other order has at most 0.55
of the spread if the given order is wrong, at least 1.9 of it if that is right (0.7 with 20 mm of noise)."""


def check_order(where: str | Path, model: HandModel, joints: Float[np.ndarray, "T 21 3"]) -> None:
    """Raise InputError for joints whose distances are those of a hand in another order.

    `joints` are in the model's order; NaN is ignored.
    """
    given, reference = to_openpose(joints), _lengths(to_openpose(flat_joints(model)))
    found = _spread(given, reference)
    if found < WRONG_ORDER:
        return
    spreads = {name: _spread(given[:, np.argsort(order)], reference) for name, order in OTHER_ORDERS.items()}
    best = min(spreads, key=lambda name: spreads[name])
    if spreads[best] < CLEARLY * found:
        mend = np.argsort(OTHER_ORDERS[best]).tolist()
        expected = "OpenPose order (wrist, then thumb to pinky from root to tip)"
        raise bad_input(where, "hand_joints", expected, f"{best}: take joints[..., {mend}, :]")


def bone_change(joints: Float[np.ndarray, "T 21 3"]) -> float:
    """Change of the finger bones' lengths over time: robust standard deviation over median length, mean over bones.

    `joints` are in the model's order; NaN is ignored.
    """
    pairs = np.array(_BONES)
    points = to_openpose(joints)
    lengths = np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=-1)
    lengths = lengths[:, np.isfinite(lengths).any(axis=0)]
    middle = np.nanmedian(lengths, axis=0)
    # median absolute deviation, scaled to the standard deviation of normal noise
    return float(np.mean(1.4826 * np.nanmedian(np.abs(lengths - middle), axis=0) / middle))


def _lengths(joints: Float[np.ndarray, "*batch 21 3"]) -> Float[np.ndarray, "*batch pairs"]:
    return np.linalg.norm(joints[..., _PAIRS[:, 0], :] - joints[..., _PAIRS[:, 1], :], axis=-1)


def _spread(joints: Float[np.ndarray, "T 21 3"], reference: Float[np.ndarray, "pairs"]) -> float:
    """Standard deviation over pairs of joints of log(distance / reference distance), whatever the hand's size."""
    lengths = _lengths(joints)
    there = np.isfinite(lengths).any(axis=0)
    ratio = np.log(np.maximum(np.nanmedian(lengths[:, there], axis=0), 1e-6) / reference[there])
    return float(np.sqrt(np.mean((ratio - np.median(ratio)) ** 2)))


NEVER_SEEN = 0.01
"""Residual (metres) of a joint missing in all frames: a fingertip's, if its last joint is off by 0.4 rad."""
LARGEST_BETA = 3.0
"""Largest shape coefficient, in standard deviations over people: one person in 370 is beyond it in a direction."""

SPREAD = (0.033, 0.075)
"""Metres, root mean square distance from their mean of points spread evenly over a hand's skin: 0.0335 to 0.0743 for
the open hand in 400 poses drawn from its prior, the first shape coefficient -LARGEST_BETA to LARGEST_BETA."""


def framewise(params: HandParams) -> HandParams:
    """Parameters with the clip's one shape repeated for each frame: betas (T, S)."""
    betas = jnp.broadcast_to(params.betas, (len(params.pose), params.betas.shape[-1]))
    return params.replace(betas=betas)


def joint_residual(
    model: HandModel, params: HandParams, joints: Float[np.ndarray, "T 21 3"], observed: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "21"]:
    """Distance between given and fitted joints that is constant in the wrist's frame, metres.

    Joints that are NaN are ignored; one that is NaN in all frames gets NEVER_SEEN.
    """
    off = joints - np.asarray(skin_frames(model, framewise(params))[1])
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient)).as_matrix()
    local = np.einsum("tab,tja->tjb", wrist, off)[observed]
    absent = np.isnan(local).any(axis=-1).all(axis=0)
    return np.where(absent, NEVER_SEEN, steady(local)).astype(np.float32)


def steady(offset: Float[np.ndarray, "T K C"]) -> Float[np.ndarray, "K"]:
    """Length of the mean offset over frames, less the part due to noise that is independent in time; NaN is ignored."""
    known = np.isfinite(offset).all(axis=-1)[..., None]
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, offset, 0).sum(axis=0) / count
    noise = (np.where(known, offset - mean, 0) ** 2).sum(axis=0) / np.maximum(count - 1, 1) / count
    return np.sqrt(np.maximum((mean**2 - noise).sum(axis=-1), 0))


def add_residual(sigma: Float[Array, "T 21"], residual: Float[np.ndarray, "21"]) -> Float[Array, "T 21"]:
    """Standard deviation of joints' coordinates, metres: a third of `residual` squared is added to each variance."""
    return put(np.sqrt(np.asarray(sigma) ** 2 + residual**2 / 3), np.float32)


def within_people(params: HandParams) -> HandParams:
    """Parameters with the shape coefficients clipped to LARGEST_BETA."""
    return params.replace(betas=jnp.clip(params.betas, -LARGEST_BETA, LARGEST_BETA))


def is_within_people(params: HandParams) -> bool:
    """Whether no shape coefficient is beyond LARGEST_BETA."""
    return bool((np.abs(np.asarray(params.betas)) <= LARGEST_BETA).all())


def scale_between(
    fitted: Float[np.ndarray, "T K 3"], given: Float[np.ndarray, "T K 3"], observed: Bool[np.ndarray, "T"]
) -> float:
    """Size of the given points over that of the fitted ones, each frame about its mean; NaN is ignored."""
    known = (np.isfinite(given).all(axis=-1) & observed[:, None])[..., None]
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)

    def centred(points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
        there = np.where(known, points, 0)
        return np.where(known, there - there.sum(axis=1, keepdims=True) / count, 0)

    mine = centred(fitted)
    return float((mine * centred(given)).sum() / (mine**2).sum())


def size_note(model: HandModel, params: HandParams, scale: float) -> tuple[str, ...]:
    """A note if the tracker's hand is larger or smaller than people's; `scale` is its size over the fitted hand's."""
    size = scale * _length(model, np.asarray(params.betas))
    first = np.eye(len(params.betas))[0]
    low, high = sorted(_length(model, end * first) for end in (-LARGEST_BETA, LARGEST_BETA))
    if low <= size <= high:
        return ()
    return (f"{size:.2f} times as large as the mean adult's hand (people: {low:.2f} to {high:.2f}): is it in metres?",)


def spread_note(points: Float[np.ndarray, "T K 3"]) -> tuple[str, ...]:
    """A note if points, spread evenly over the skin, are closer together or farther apart than on any person's hand in
    any pose. It does not depend on the order of the points.
    """
    spread = float(np.median(np.sqrt(np.var(points, axis=1).sum(axis=-1))))
    low, high = SPREAD
    if low <= spread <= high:
        return ()
    people = f"people's hands: {1e3 * low:.0f} to {1e3 * high:.0f}"
    return (f"a spread of {1e3 * spread:.3g} mm about the middle ({people}): is it all of one hand, in metres?",)


def _length(model: HandModel, betas: Float[np.ndarray, "S"]) -> float:
    """Length from the wrist to the middle finger's last joint, relative to the mean hand."""
    chain = np.array([0, 4, 5, 6])

    def length(joints: Float[np.ndarray, "J 3"]) -> float:
        return float(np.linalg.norm(np.diff(joints[chain], axis=0), axis=-1).sum())

    return length(np.asarray(rest_joints(model, jnp.asarray(betas, jnp.float32)))) / length(flat_joints(model))
