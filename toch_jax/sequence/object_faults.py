"""Faults of a tracked object: frames in which its pose is lost, all zero or a short outlier. Metres, radians, world."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.hand_faults import FASTEST, SHORTEST_STEP, TYPICAL_STEPS, frame_ranges, jumps, local_median

SMALLEST_ROTATION, FASTEST_ROTATION = 0.8, 45.0
"""Limits on the rotation between two frames, as SHORTEST_STEP and FASTEST are on positions: radians; radians per second
(objects in MyoDM reach 36). Chosen by hand above that."""


def mend_object(
    motion: ObjectMotion, given: Bool[np.ndarray, "P T"], middles: Float[np.ndarray, "P 3"], fps: float
) -> tuple[ObjectMotion, Bool[np.ndarray, "P T"], tuple[str, ...]]:
    """The motion with lost frames and outliers interpolated, which frames are neither, and a line on each kind found.

    Poses that are not `given` are not read; each part must have one. A part's pose is an outlier where it jumps away
    and back, or is the identity and far from the frames around it. Other jumps are reported but not changed. All other
    poses stay bit for bit. `middles` are the centres of the parts, each in its part's frame.
    """
    observed = given.copy()
    rotations, translations, notes = np.array(motion.rotation), np.array(motion.translation), []
    for part, middle in enumerate(middles):
        # The part's centre, because its origin may be far from it and would move in every rotation.
        rotation, translation = rotations[part].astype(np.float64), translations[part].astype(np.float64)
        centre = rotation @ middle + translation
        if not given[part].all():
            centre, rotation = _filled(centre, rotation, given[part])
        blank = _blank(rotation, translation, centre, fps) & given[part]
        found = jumps(centre[:, None], given[part] & ~blank, fps)
        observed[part] &= ~blank & ~found.wrong
        lost = ~observed[part]
        if lost.any():
            centre, rotation = _filled(centre, rotation, observed[part])
            rotations[part, lost] = rotation[lost]
            translations[part, lost] = (centre - rotation @ middle)[lost]
        name = f"object{f', part {part}' if len(middles) > 1 else ''}"
        rotating, largest = _rotation_jumps(rotation, fps)
        for which, what in (
            (~given[part], "lost: filled in"),
            (blank, "without a pose (all zero): filled in"),
            (found.wrong, f"up to {found.away:.2f} m off the path of the frames around: filled in"),
            (found.steps, f"up to {found.longest:.2f} m off the frame before, and it stays there: is that right?"),
            (rotating, f"up to {np.degrees(largest):.0f} degrees off the frame before: is that right?"),
        ):
            if which.any():
                notes.append(f"{name}: {frame_ranges(which)} {what}")
    return ObjectMotion(rotation=put(rotations), translation=put(translations)), observed, tuple(notes)


def _blank(
    rotation: Float[np.ndarray, "T 3 3"],
    translation: Float[np.ndarray, "T 3"],
    centre: Float[np.ndarray, "T 3"],
    fps: float,
) -> Bool[np.ndarray, "T"]:
    """The runs of frames at the identity pose with a jump before and after; none if all frames are at the identity."""
    zero = (translation == 0).all(axis=-1) & (rotation == np.eye(3)).all(axis=(1, 2))
    blank = np.zeros_like(zero)
    if zero.all():
        return blank
    step = np.linalg.norm(np.diff(centre, axis=0), axis=-1) > max(SHORTEST_STEP, FASTEST / fps)
    frames = np.flatnonzero(zero)
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
        if len(run):
            blank[run] = step[max(run[0] - 1, 0)] if run[0] else step[run[-1]]
            if run[0] and run[-1] + 1 < len(zero):
                blank[run] &= step[run[-1]]
    return blank


def _filled(
    centre: Float[np.ndarray, "T 3"], rotation: Float[np.ndarray, "T 3 3"], observed: Bool[np.ndarray, "T"]
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 3 3"]]:
    """Poses with those that were not observed interpolated along lines and the shortest arcs, constant at the ends."""
    centre, rotation = centre.copy(), rotation.copy()
    right, lost = np.flatnonzero(observed), np.flatnonzero(~observed)
    centre[lost] = np.stack([np.interp(lost, right, centre[right, axis]) for axis in range(3)], axis=-1)
    if len(right) == 1:
        rotation[lost] = rotation[right]
    else:
        between = Slerp(right, Rotation.from_matrix(rotation[right]))
        rotation[lost] = between(np.clip(lost, right[0], right[-1])).as_matrix()
    return centre, rotation


def _rotation_jumps(rotation: Float[np.ndarray, "T 3 3"], fps: float) -> tuple[Bool[np.ndarray, "T"], float]:
    """The frames whose rotation jumps from the previous frame, and the largest such angle, radians."""
    cosine = (np.einsum("tab,tab->t", rotation[1:], rotation[:-1]) - 1) / 2
    angle = np.arccos(np.clip(cosine, -1, 1))
    jumping = angle > np.maximum(max(SMALLEST_ROTATION, FASTEST_ROTATION / fps), TYPICAL_STEPS * local_median(angle))
    return np.append(False, jumping), float(angle[jumping].max(initial=0.0))
