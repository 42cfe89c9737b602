"""Jumps of a tracked pose within its object's symmetry, in which nothing moves.

A tracker that sees shape only takes a box in one frame for the box half a turn on in the next. The object is where it
was, but a hand that is held in the object's frame would turn with it.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.object.symmetry import symmetries

SMALLEST_JUMP = 0.8
"""Rotation between two frames from which a jump is looked for, radians: less than all angles of `symmetries` but those
of a solid of revolution; as SMALLEST_ROTATION in sequence/object_faults.py."""
STEADY, STEADY_SHARE = 0.25, 0.9
"""The pose is changed only if this share of its steps are then below the first times the smallest angle of the
symmetry: with more noise than that, jumps and noise are not told apart. Chosen by hand."""


def without_flips(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    rotation: Float[np.ndarray, "T 3 3"],
    translation: Float[np.ndarray, "T 3"],
    observed: Bool[np.ndarray, "T"],
) -> tuple[Float[np.ndarray, "T 3 3"], Float[np.ndarray, "T 3"], Bool[np.ndarray, "T"]]:
    """A part's poses, each replaced by the one of its symmetry that is nearest to the frame before; and which changed.

    The part covers the same space before and after. Most frames keep their pose, and all do if no frame jumps, or if
    the part has no symmetry or too much noise. Frames that are not `observed` are not changed.
    """
    nothing = rotation, translation, np.zeros(len(rotation), bool)
    seen = rotation[observed]
    if not len(seen) or _angles(seen[:-1], seen[1:]).max(initial=0) < SMALLEST_JUMP:
        return nothing
    group, middle = symmetries(vertices, faces)
    if len(group) == 1:
        return nothing
    chosen = np.zeros(len(seen), int)
    for frame in range(1, len(seen)):
        before = seen[frame - 1] @ group[chosen[frame - 1]]
        chosen[frame] = _angles(before, seen[frame] @ group).argmin()
    # the same rotation for all frames changes no motion: most frames stay
    usual = group[np.bincount(chosen).argmax()].T
    turn = group[chosen] @ usual
    still = _angles(turn, np.eye(3)) < SMALLEST_JUMP / 2
    turn[still] = np.eye(3)
    smallest = _angles(group[1:], np.eye(3)).min()
    steps = _angles((seen @ turn)[:-1], (seen @ turn)[1:])
    if np.quantile(steps, STEADY_SHARE) > STEADY * smallest:
        return nothing
    rotation, translation, changed = rotation.copy(), translation.copy(), np.zeros(len(rotation), bool)
    frames = np.flatnonzero(observed)[~still]
    changed[frames] = True
    turned = rotation[frames] @ turn[~still]
    translation[frames] += (rotation[frames] - turned) @ middle
    rotation[frames] = turned
    return rotation, translation, changed


def _angles(one: Float[np.ndarray, "*#n 3 3"], other: Float[np.ndarray, "*#n 3 3"]) -> Float[np.ndarray, "n"]:
    """Angles between rotations, radians."""
    cosine = ((one * other).sum(axis=(-2, -1)) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1))
