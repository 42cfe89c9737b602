"""Random, anatomically possible poses of a flat right hand in MANO's frame, for make_open_hand.py.

The frame: fingers along -x, back of the hand +y, thumb side +z.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.hand.prior import RANGES

CLOSURE = 0.6
"""Share of each joint's flexion that is common to the whole hand in `sample_poses`; chosen by hand."""


def bend_axes(bones: np.ndarray, thumb_flexion: np.ndarray) -> np.ndarray:
    """Flexion, spread and twist axes (15, 3, 3) of the 15 finger joints of a flat hand.

    `bones` (15, 3) are unit directions of the bones; `thumb_flexion` (3,) is the flexion axis of the thumb.
    """
    flexion = np.cross([0.0, 1.0, 0.0], bones)
    flexion[12:] = thumb_flexion - bones[12:] * (bones[12:] @ thumb_flexion)[:, None]
    flexion /= np.linalg.norm(flexion, axis=-1, keepdims=True)
    return np.stack([flexion, np.cross(bones, flexion), bones], axis=1)


def _to_axis_angle(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(n, 15, 3) flexion, spread, twist in radians to (n, 45) axis-angle: twist first, then flexion, then spread."""
    flexion, spread, twist = (
        Rotation.from_rotvec((axes[:, k] * angles[..., k, None]).reshape(-1, 3)) for k in range(3)
    )
    return (spread * flexion * twist).as_rotvec().reshape(len(angles), 45)


def sample_poses(axes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Random poses (n, 45), axis-angle, radians.

    The flexion of a joint is a sum of three parts: common to the hand, common to the finger, and its own.
    """
    low, high = (np.deg2rad([[pair[side] for pair in vars(r).values()] for r in RANGES]) for side in (0, 1))
    closure = rng.uniform(0, 1, (n, 1))
    finger = np.repeat(rng.uniform(0, 1, (n, 5)), 3, axis=1)
    amount = rng.beta(2, 2, (n, 15, 3))
    amount[..., 0] = CLOSURE * closure + (1 - CLOSURE) * (0.7 * finger + 0.3 * rng.uniform(0, 1, (n, 15)))
    angles = low + (high - low) * amount
    # the flexion of the end joint is coupled to the middle joint's by a tendon; a flexed knuckle hardly spreads
    angles[:, 2:12:3, 0] = 0.5 * angles[:, 2:12:3, 0] + 0.5 * 0.67 * angles[:, 1:12:3, 0]
    angles[:, 0:12:3, 1] *= 1 - 0.8 * np.clip(angles[:, 0:12:3, 0] / np.deg2rad(90), 0, 1)
    return _to_axis_angle(axes, angles)


def pose_limits(axes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Limits (2, 45) of each axis-angle component, radians, over n random poses in the full ranges of the joints."""
    low, high = (np.deg2rad([[pair[side] for pair in vars(r).values()] for r in RANGES]) for side in (0, 1))
    poses = _to_axis_angle(axes, low + (high - low) * rng.uniform(0, 1, (n, 15, 3)))
    return np.stack([poses.min(axis=0), poses.max(axis=0)])
