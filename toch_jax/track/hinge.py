"""The hinge of an object of two parts, and poses that keep it.

The parts are repaired one by one, and the hinge between them opens by what their errors are. Where they move like parts
on a hinge, with an axis that does not move in either, the pose of each says where the other is but for one angle.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.track.reference_frame import Pose, relative_pose

LEAST_TURN = 0.2
"""Standard deviation of the angle, radians, from which the axis is sought: parts that hardly turn do not show it."""
LARGEST_OPENING = 3.0
"""Root mean square of what remains off the hinge, over the parts' noise, above which the parts are not on a hinge."""
ROUNDS = 5
"""Steps to the mean rotation, from which the rotation vectors sum to 0; chosen by hand."""


class Hinge(NamedTuple):
    """A hinge between part 0 and part 1."""

    middle: Float[np.ndarray, "3 3"]
    """Rotation of part 1 in part 0 at angle 0."""
    axis: Float[np.ndarray, "3"]
    """Unit vector along the hinge, in part 1's frame."""
    points: tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]
    """A point of the hinge in part 0's frame and in part 1's, metres."""


def find_hinge(parts: tuple[Pose, Pose], observed: Bool[np.ndarray, "T"], noise: tuple[float, float]) -> Hinge | None:
    """The hinge between two parts with these poses in the world; None if they do not move like parts on a hinge.

    `noise` is that of both parts' poses: metres and radians per coordinate.
    """
    rotation, position = (np.asarray(each, np.float64)[observed] for each in relative_pose(parts[1], parts[0]))
    if len(rotation) < 3:
        return None
    middle = Rotation.from_matrix(rotation).mean().as_matrix()
    for _ in range(ROUNDS):
        turn = Rotation.from_matrix(middle.T @ rotation).as_rotvec()
        middle = middle @ Rotation.from_rotvec(turn.mean(axis=0)).as_matrix()
    turn = Rotation.from_matrix(middle.T @ rotation).as_rotvec()
    spread, directions = np.linalg.eigh(turn.T @ turn / len(turn))
    axis = directions[:, 2]
    # position + rotation @ second = first, the shortest solution: any point of the axis will do
    equations = np.concatenate([np.broadcast_to(np.eye(3), rotation.shape), -rotation], axis=2).reshape(-1, 6)
    points = np.linalg.lstsq(equations, position.reshape(-1), rcond=1e-6)[0]
    opening = (equations @ points - position.reshape(-1)).reshape(-1, 3)
    lever = max(np.linalg.norm(points[:3]), np.linalg.norm(points[3:]))
    on_axis = np.sqrt(spread[:2].mean()) < LARGEST_OPENING * noise[1]
    on_point = np.sqrt((opening**2).mean()) < LARGEST_OPENING * (noise[0] + lever * noise[1])
    if np.sqrt(spread[2]) < LEAST_TURN or not (on_axis and on_point):
        return None
    return Hinge(middle, axis, (points[:3], points[3:]))


def on_hinge(parts: tuple[Pose, Pose], hinge: Hinge) -> tuple[Pose, Pose]:
    """Poses of both parts with the hinge closed: the mean of what each part says of the first, and the angle between.

    The errors of both parts are taken to be alike.
    """
    first, second = (Pose(*(np.asarray(each, np.float64) for each in part)) for part in parts)
    turn = Rotation.from_matrix(hinge.middle.T @ np.swapaxes(first.rotation, 1, 2) @ second.rotation).as_rotvec()
    swing = hinge.middle @ Rotation.from_rotvec((turn @ hinge.axis)[:, None] * hinge.axis).as_matrix()
    as_second_says = second.rotation @ np.swapaxes(swing, 1, 2)
    half = Rotation.from_matrix(np.swapaxes(first.rotation, 1, 2) @ as_second_says).as_rotvec() / 2
    rotation = first.rotation @ Rotation.from_rotvec(half).as_matrix()
    # where each part has the hinge
    there = [
        part.rotation @ point + part.translation for part, point in zip((first, second), hinge.points, strict=True)
    ]
    point = (there[0] + there[1]) / 2
    return (
        Pose(rotation, point - rotation @ hinge.points[0]),
        Pose(rotation @ swing, point - rotation @ swing @ hinge.points[1]),
    )
