"""Check, from distances between joints and before any fit, that 21 joints are a hand's in OpenPose order."""

from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.joint_order import to_openpose
from toch_jax.hand.model import HandModel
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
