"""Faults of a tracked hand that the tracker did not mark: missing joints; frames all zero, repeated, or outliers.

Metres, radians, world frame; joints in OpenPose order. `data` holds the arrays of the hands, (H, T, ...), by their
names without a prefix.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.hand.model import Side

LONGEST_JUMP = 0.25
"""Maximum duration of an outlier, seconds. If it is longer, the data do not show which side of the jump is right.
Chosen by hand."""
SHORTEST_STEP, FASTEST, TYPICAL_STEPS = 0.03, 1.5, 4.0
"""Limits for a jump between two frames, which exceeds all three: metres; metres per second; a multiple of the local
median. The quantity is the smaller of two differences: of the change from the median change around it, and of the
change from the mean of its two neighbours. A fast hand is far from the median (MyoDM: 74 mm at 30 fps) but nearer to
its neighbours (36 mm), because its speed changes over several frames. White noise is at most 3.4 times its median."""
WINDOW = 5
"""Entries before and after one in a local median; chosen by hand."""
AT_REST = 0.6
"""Largest ratio of the step next to a rest to the step one frame farther, for a hand that really stops or starts: a
third with constant acceleration. After a tracker has held its last pose the step next to it is longer.
Chosen by hand between the two."""
ANGLE_REACH, BEND_REACH = 0.1, 0.05
"""Approximate movement of the joints, metres per radian of the wrist and of a finger joint: of the order of an
adult's palm and of a finger."""
MANY_REPEATED = 0.4
"""Share of repeated frames above which they probably come from upsampling to a higher frame rate; chosen by hand."""
MOST_RANGES = 5
"""Ranges of frames listed in one line of text; chosen by hand."""
LEAST_JOINTS = 8
KNUCKLES, LEAST_KNUCKLES = (5, 9, 13, 17), 2
"""First joints of index, middle, ring and pinky. The wrist and two of these fix the pose of the palm. A frame without
them, or with fewer than LEAST_JOINTS joints in all, is lost. LEAST_JOINTS is chosen by hand."""
ENOUGH = f"the wrist, {LEAST_KNUCKLES} fingers' first joints and {LEAST_JOINTS} joints in all"
PREVIOUS = (0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Parent of each joint, towards the wrist; the wrist is its own."""


def mark_missing(joints: Float[np.ndarray, "H T 21 3"]) -> Float[np.ndarray, "H T 21 3"]:
    """The joints with NaN in all coordinates of each missing joint.

    A joint is missing if it is not finite, or if it is (0, 0, 0) and other joints of the frame are not. If the wrist is
    at the origin in every frame, the data are relative to the wrist, which is then not missing.
    """
    at_origin = (joints == 0).all(axis=-1)
    zeros = at_origin & ~at_origin.all(axis=-1, keepdims=True)
    zeros[at_origin[..., 0].all(axis=1), :, 0] = False
    missing = zeros | ~np.isfinite(joints).all(axis=-1)
    return np.where(missing[..., None], np.nan, joints)


def enough_joints(joints: Float[np.ndarray, "*batch 21 3"]) -> Bool[np.ndarray, "*batch"]:
    """Whether a frame has enough joints to fix the pose of the hand: the wrist, LEAST_KNUCKLES, LEAST_JOINTS."""
    is_given = np.isfinite(joints).all(axis=-1)
    palm = is_given[..., 0] & (is_given[..., KNUCKLES].sum(axis=-1) >= LEAST_KNUCKLES)
    return palm & (is_given.sum(axis=-1) >= LEAST_JOINTS)


def missing_notes(
    sides: tuple[Side, ...], joints: Float[np.ndarray, "H T 21 3"], observed: Bool[np.ndarray, "H T"]
) -> tuple[str, ...]:
    """A line of text for each hand with missing joints in observed frames."""
    notes = []
    all_missing = np.isnan(joints).any(axis=-1) & observed[..., None]
    for hand, (side, missing) in enumerate(zip(sides, all_missing, strict=True)):
        if missing.any():
            frames, never = int(missing.any(axis=-1).sum()), int(missing[observed[hand]].all(axis=0).sum())
            count = f"{int(missing.sum())} single joints are missing (NaN or all zero) in {frames} frames"
            absent = f", {never} of the 21 in all frames" if never else ""
            notes.append(f"hand {hand} ({side}): {count}{absent}: estimated from the other joints")
    return tuple(notes)


def bridge_joints(joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21 3"]:
    """The joints with missing ones interpolated linearly in time, constant at the ends.

    A joint that is missing in all frames continues the previous bone, in its direction and with its length.
    """
    filled, frames = joints.copy(), np.arange(len(joints))
    for joint in np.flatnonzero(np.isnan(joints).any(axis=(0, 2))):
        given = np.isfinite(joints[:, joint]).all(axis=-1)
        if given.any():
            for axis in range(3):
                filled[:, joint, axis] = np.interp(frames, frames[given], joints[given, joint, axis])
    for joint in np.flatnonzero(np.isnan(filled).any(axis=(0, 2))):
        start = PREVIOUS[joint]
        filled[:, joint] = 2 * filled[:, start] - filled[:, PREVIOUS[start]]
    return filled


def blank_frames(data: dict[str, np.ndarray]) -> Bool[np.ndarray, "H T"]:
    """The frames whose parameters are exactly zero or whose points are all equal; none if all frames of a hand are.

    Data sets mark frames without labels by zeros.
    """
    if "pose" in data:
        blank = np.all([(value == 0).all(axis=-1) for value in _moving(data)], axis=0)
    else:
        (points,) = _moving(data)
        blank = (points == points[:, :, :1]).all(axis=(2, 3))
    return blank & ~blank.all(axis=1, keepdims=True)


def wrong_frames(
    sides: tuple[Side, ...], data: dict[str, np.ndarray], observed: Bool[np.ndarray, "H T"], fps: float
) -> tuple[Bool[np.ndarray, "H T"], tuple[str, ...]]:
    """The observed frames of each hand that are blank, repeated or outliers, and a line of text on each kind.

    At least one observed frame of each hand is none of these.
    """
    blank = blank_frames(data) & observed
    wrong, notes = blank.copy(), []
    for hand, side in enumerate(sides):
        rows = np.concatenate([value[hand].reshape(observed.shape[1], -1) for value in _moving(data)], axis=-1)
        usable = observed[hand] & ~blank[hand]
        is_still = not _changes(rows[usable]).any() and usable.sum() > 1
        found = _together([jumps(points, usable, fps) for points in _tracks(data, hand)])
        usable &= ~found.wrong
        repeated = np.zeros_like(usable) if is_still else _repeated(rows, _travel(data, hand), usable)
        wrong[hand] |= found.wrong | repeated
        stays = found.steps & ~np.append(False, repeated[:-1])
        filled_up = repeated.sum() > MANY_REPEATED * usable.sum()
        why = " (were samples repeated to fill the frame rate?)" if filled_up else ""
        for which, what in (
            (blank[hand], "all zero or all one point: treated as lost"),
            (found.wrong, f"up to {found.away:.2f} m off the path of the frames around: treated as lost"),
            (repeated, f"the same to the bit as the frame before{why}: treated as lost"),
            (stays, f"up to {found.longest:.2f} m off the frame before, and it stays there: is that right?"),
        ):
            if which.any():
                notes.append(f"hand {hand} ({side}): {frame_ranges(which)} {what}")
        if is_still:
            notes.append(f"hand {hand} ({side}): all frames are the same to the bit: taken as a hand that rests")
    return wrong, tuple(notes)


class Jumps(NamedTuple):
    """The jumps in the path of points that move together."""

    wrong: Bool[np.ndarray, "T"]
    """Outliers: frames off the path, for at most LONGEST_JUMP, between two jumps or at an end of the clip."""
    away: float
    """Largest distance of these frames from the path, metres."""
    steps: Bool[np.ndarray, "T"]
    """Other frames that jump from the previous frame: the points stay where they jumped to."""
    longest: float
    """The largest of those changes, metres."""


def jumps(points: Float[np.ndarray, "T K 3"], observed: Bool[np.ndarray, "T"], fps: float) -> Jumps:
    """The jumps of K points that move together; distances are root mean squares over the points.

    Frames that are not observed are ignored. The path consists of the pieces without a jump that last longer than
    LONGEST_JUMP, and straight lines between them.
    """
    wrong, steps = np.zeros_like(observed), np.zeros_like(observed)
    frames = np.flatnonzero(observed)
    if len(frames) < 2:
        return Jumps(wrong, 0.0, steps, 0.0)
    gap = np.diff(frames)[:, None, None]
    change = np.diff(points[frames].astype(np.float64), axis=0)
    velocity = change / gap
    beside = np.pad(velocity, [(1, 1), (0, 0), (0, 0)], mode="reflect")
    # over a longer gap between observed frames a hand may move farther
    from_median, from_neighbours = (
        _length(change - gap * other) / np.sqrt(gap[:, 0, 0])
        for other in (local_median(velocity), (beside[:-2] + beside[2:]) / 2)
    )
    step = np.minimum(from_median, from_neighbours)
    bound = np.maximum(max(SHORTEST_STEP, FASTEST / fps), TYPICAL_STEPS * local_median(step))
    cuts = np.flatnonzero(step > bound)
    pieces = np.split(frames, cuts + 1)
    longest = max(1, min(int(LONGEST_JUMP * fps), len(frames) // 4))
    path = [piece for piece in pieces if len(piece) > longest]
    if not path or not len(cuts):
        return Jumps(wrong, 0.0, steps, 0.0)
    on_path, every = np.concatenate(path), np.arange(len(observed))
    flat = points.reshape(len(points), -1)
    line = np.stack([np.interp(every, on_path, each[on_path]) for each in flat.T], axis=-1).reshape(points.shape)
    away = _length(points - line)
    for number, piece in enumerate(pieces):
        beside = bound[cuts[max(number - 1, 0) : number + 1]]
        # before the first and after the last piece of the path the points may have moved on
        beyond = max(on_path[0] - piece[-1], piece[0] - on_path[-1], 1)
        if len(piece) <= longest and (away[piece] > beside.min() * beyond).all():
            wrong[piece] = True
    kept = ~wrong[frames[cuts]] & ~wrong[frames[cuts + 1]]
    lasting = cuts[kept & (gap[cuts, 0, 0] == 1)]
    steps[frames[lasting + 1]] = True
    sizes = _length(change[lasting])
    return Jumps(wrong, float(away[wrong].max(initial=0.0)), steps, float(sizes.max(initial=0.0)))


def _together(found: list[Jumps]) -> Jumps:
    """The jumps of several tracks of one hand as one: a frame is an outlier if it is one in any track."""
    wrong, away, steps, longest = zip(*found, strict=True)
    lost = np.any(wrong, axis=0)
    return Jumps(lost, max(away), np.any(steps, axis=0) & ~lost, max(longest))


def frame_ranges(found: Bool[np.ndarray, "T"]) -> str:
    """Text like "frame 7 is" or "frames 3, 7-9 are": the first MOST_RANGES ranges, and the total if there are more."""
    frames = np.flatnonzero(found)
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    text = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs[:MOST_RANGES])
    if len(frames) == 1:
        return f"frame {text} is"
    return f"frames {text}{f', ... ({len(frames)} in all)' if len(runs) > MOST_RANGES else ''} are"


def _repeated(
    rows: Float[np.ndarray, "T D"], travel: Float[np.ndarray, "T E"], observed: Bool[np.ndarray, "T"]
) -> Bool[np.ndarray, "T"]:
    """The observed frames that equal the previous observed frame, except where the hand really comes to rest (AT_REST).

    Such frames are held by the tracker, or samples repeated to fill a frame rate. `rows` are the values to compare,
    `travel` the same values in metres.
    """
    frames = np.flatnonzero(observed)
    fresh = np.append(0, 1 + np.flatnonzero(_changes(rows[frames])))
    step = np.linalg.norm(np.diff(travel[frames[fresh]].astype(np.float64), axis=0), axis=-1)
    repeated = np.zeros_like(observed)
    for number, (first, end) in enumerate(zip(fresh, np.append(fresh[1:], len(frames)), strict=True)):
        into, out = step[:number][::-1][:2], step[number:][:2]
        sides = [side for side in (into, out) if len(side) == 2]
        if not sides or any(near > AT_REST * farther for near, farther in sides):
            repeated[frames[first + 1 : end]] = True
    return repeated


def _length(vectors: Float[np.ndarray, "N K 3"]) -> Float[np.ndarray, "N"]:
    """Root mean square length of K vectors."""
    return np.sqrt((vectors**2).sum(axis=-1).mean(axis=-1))


def _changes(rows: Float[np.ndarray, "N D"]) -> Bool[np.ndarray, "N-1"]:
    """Whether each row differs from the previous row; NaN (a missing joint) equals NaN."""
    return ((rows[1:] != rows[:-1]) & ~(np.isnan(rows[1:]) & np.isnan(rows[:-1]))).any(axis=-1)


def _moving(data: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays in use: the parameters if given, else joints, else vertices."""
    if "pose" in data:
        return [data["global_orient"], data["pose"], data["transl"]]
    return [data["joints"] if "joints" in data else data["vertices"]]


def _travel(data: dict[str, np.ndarray], hand: int) -> Float[np.ndarray, "T E"]:
    """The values of `_moving` of one hand, scaled to metres; 0 for NaN."""
    if "pose" in data:
        angles = np.concatenate([data["global_orient"][hand], data["pose"][hand]], axis=-1)
        return np.nan_to_num(np.concatenate([data["transl"][hand], ANGLE_REACH * angles], axis=-1))
    (points,) = _moving(data)
    return np.nan_to_num(points[hand].reshape(points.shape[1], -1)) / np.sqrt(points.shape[2])


def _tracks(data: dict[str, np.ndarray], hand: int) -> list[Float[np.ndarray, "T K 3"]]:
    """Groups of points of a hand that move together, metres.

    From parameters: the wrist, its rotation and the finger pose, scaled to metres. Else the joints. Else the mean of
    the vertices, which may have no order.
    """
    if "pose" in data:
        rotations = Rotation.from_rotvec(data["global_orient"][hand].astype(np.float64)).as_matrix()
        wrist = data["transl"][hand][:, None]
        return [wrist, ANGLE_REACH * rotations, BEND_REACH * data["pose"][hand].reshape(len(wrist), -1, 3)]
    if "joints" in data:
        return [_without_gaps(data["joints"][hand].astype(np.float64))]
    return [data["vertices"][hand].mean(axis=1, keepdims=True)]


def _without_gaps(joints: Float[np.ndarray, "T J 3"]) -> Float[np.ndarray, "T J2 3"]:
    """The joints with missing ones (NaN) interpolated; joints missing in all frames are left out."""
    has_joint = ~np.isnan(joints).any(axis=2)
    every = np.arange(len(joints))
    filled = [
        np.stack([np.interp(every, every[found], joint[found, axis]) for axis in range(3)], axis=-1)
        for joint, found in zip(joints.swapaxes(0, 1), has_joint.T, strict=True)
        if found.any()
    ]
    return np.stack(filled, axis=1)


def local_median(values: Float[np.ndarray, "N *axes"]) -> Float[np.ndarray, "N *axes"]:
    """Median of each entry with the WINDOW entries before and after it."""
    if not len(values):
        return values
    padded = np.pad(values, [(WINDOW, WINDOW)] + [(0, 0)] * (values.ndim - 1), constant_values=np.nan)
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * WINDOW + 1, axis=0), axis=-1)
