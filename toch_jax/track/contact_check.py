"""Checks, before and after the repair, that hand and object fit together: they detect a mesh of wrong scale, unit or
frame of reference.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from toch_jax.base.arrays import take
from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import to_openpose
from toch_jax.object.model import DistanceGrid, ObjectModel, ObjectMotion
from toch_jax.sequence.types import Sequence
from toch_jax.track.tracked_hand import TrackedHand

MOST_INSIDE = 0.3
"""Fraction of frames with half of the joints inside the object above which a note is given. Hands of MyoDM and of the
generated grasps have 0, with noise of 2 cm per coordinate at most 0.12."""
REFUSED_INSIDE, REFUSED_DEPTH = 0.8, 0.03
"""Fraction of such frames, and median joint depth in them (metres), above which the hand is refused. The depth is a
hand's thickness: the pose after the repair would depend on the penetration cost alone."""
FARTHEST_JOINT, SHORTEST_TOUCH = 0.03, 0.05
"""Distance of the nearest joint from the surface (metres), and fraction of frames with a joint that near below which a
note is given. The same clips have at least 0.66. A hand in another frame of reference may be near by chance."""
LARGEST_MOVE = 0.06
"""Mean displacement over joints and frames above which a note is given (m); 2 cm of noise a coordinate: 0.032."""


PIECE = 512
"""Frames whose distances are computed at once, to save memory; chosen by hand."""


def check_contact(sequence: Sequence, hands: list[TrackedHand], object: ObjectModel) -> tuple[str, ...]:
    """Notes: a line for each hand that is inside the object in many frames, and one if no hand comes near it.

    Raises InputError for a hand that is deep inside in nearly all frames.
    """
    notes, nearest = [], np.full(hands[0].n_frames, np.inf)
    for hand in hands:
        observed = hand.observed
        distance = signed_distance(object, sequence.object_motion, np.asarray(hand.joints))[observed]
        nearest[observed] = np.minimum(nearest[observed], distance.min(axis=1))
        middle = np.median(distance, axis=1)
        inside = middle < 0
        if inside.mean() <= MOST_INSIDE:
            continue
        found = f"{_inside(middle)}: is the mesh's scale right (--object-scale, in Python a factor of object_vertices)?"
        name = f"hand {hand.hand} ({hand.model.side})"
        if inside.mean() > REFUSED_INSIDE and np.median(middle[inside]) < -REFUSED_DEPTH:
            raise bad_input(sequence.source, name, "a hand outside of the object", f"it {found}")
        notes.append(f"{name}: {found}")
    near, observed = (nearest < FARTHEST_JOINT).sum(), np.isfinite(nearest).sum()
    if near < SHORTEST_TOUCH * observed:
        where = f"near it in {near} of {observed} frames"
        found = where if near else f"nearest joint {1e3 * nearest.min():.0f} mm off"
        question = "are the hand's side, the unit and the frame of reference right?"
        notes.append(f"no hand touches the object ({found}): {question}")
    return tuple(notes)


def check_result(repaired: Sequence, hands: list[TrackedHand], object: ObjectModel) -> tuple[str, ...]:
    """Notes: a line for each hand that moved far or is still inside the object. `repaired` has the model's joints."""
    notes = []
    for hand, joints in zip(hands, np.asarray(repaired.hands.joints), strict=True):
        observed, name = hand.observed, f"hand {hand.hand} ({hand.model.side})"
        tracked = to_openpose(np.asarray(hand.joints), -2)
        moved = float(np.linalg.norm(joints - tracked, axis=-1)[observed].mean())
        if moved > LARGEST_MOVE:
            notes.append(f"{name}: moved by {1e3 * moved:.0f} mm on the mean: do the hand and the object fit together?")
        middle = np.median(signed_distance(object, repaired.object_motion, joints)[observed], axis=1)
        if (middle < 0).mean() > MOST_INSIDE:
            notes.append(f"{name}: after the repair {_inside(middle)}")
    return tuple(notes)


def signed_distance(
    object: ObjectModel, motion: ObjectMotion, points: Float[np.ndarray, "T K 3"]
) -> Float[np.ndarray, "T K"]:
    """Signed distance (metres, negative inside) of world points to the nearest part: object/distance.py without JAX."""
    pieces = [np.s_[start : start + PIECE] for start in range(0, len(points), PIECE)]
    return np.concatenate([_distance(object, take(motion, np.s_[:, each]), points[each]) for each in pieces])


def _distance(
    object: ObjectModel, motion: ObjectMotion, points: Float[np.ndarray, "T K 3"]
) -> Float[np.ndarray, "T K"]:
    distances = []
    for part in range(object.n_parts):
        rotation, translation = (np.asarray(each[part], np.float64) for each in (motion.rotation, motion.translation))
        local = np.einsum("tba,tjb->tja", rotation, points - translation[:, None])
        distances.append(grid_distance(object.grid, part, local))
    return np.min(distances, axis=0)


def grid_distance(grid: DistanceGrid, part: int, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K"]:
    """Signed distance (metres, negative inside) of points in a part's frame: interpolated in the grid, and beyond it
    that of the nearest point of its box plus the distance from there.
    """
    distance, spacing = np.asarray(grid.distance[part]), np.asarray(grid.spacing[part])
    place = (points - np.asarray(grid.origin[part])) / spacing
    held = np.clip(place, 0, np.array(distance.shape) - 1)
    within = map_coordinates(distance, np.moveaxis(held, -1, 0), order=1)
    return within + np.linalg.norm((place - held) * spacing, axis=-1)


def _inside(middle: Float[np.ndarray, "T"]) -> str:
    """The words "is inside the object ..." for the median joint's signed distances (metres)."""
    count = f"{(middle < 0).sum()} of {len(middle)} frames"
    return f"is inside the object in {count} (half of its joints at least), up to {-1e3 * middle.min():.0f} mm deep"
