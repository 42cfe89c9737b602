"""Wrist and tips of a hand from the indices of MANO's 778 vertices: MANO's own files are not needed."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import HandModel, HandParams
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
