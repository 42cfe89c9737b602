"""The user's own BVH with its hands moved as the repair moved them: the same skeleton, offsets and channels.

`--like` is the user's file and `--bone-map` its map, as `toch convert` read them. Bones keep their lengths, as a BVH's
offsets do not change: the wrist is put at the repaired one and turned as the palm, each finger's bones are turned to
point as the repaired ones (the shortest turn: what a bone turns about itself stays as it was). Where the wrist has no
position channels the arm brings it there: elbow and shoulder turn, the elbow in its own plane; where there is no arm,
what the hand hangs from is moved. Everything else stays as it was. Channels that do not change keep their numbers.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.files import write_text
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.own_skeleton import FINGERS, palm_motion, with_own_bones
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.bvh import Joint, bone_map, hierarchy, motion, poses
from toch_jax.trackers.reading import METRES

UNCHANGED = 1e-6
"""Radians up to which a joint's rotation, and metres up to which a place, is left as it was."""
Turns = Float[np.ndarray, "T 3 3"]
Places = Float[np.ndarray, "T 3"]


@dataclass
class Take:
    """A skeleton and its motion, in the file's unit."""

    joints: list[Joint]
    rows: Float[np.ndarray, "T C"]

    def __post_init__(self) -> None:
        self.places, self.turns = poses(self.joints, self.rows)

    def above(self, joint: int) -> list[int]:
        """The joint's parents, the nearest first."""
        found = []
        while (joint := self.joints[joint].parent) >= 0:
            found.append(joint)
        return found

    def moved(self, extra: dict[int, Turns], place: dict[int, Places]) -> "Take":
        """The take with some joints turned in the world, and what is below them with them, and some put elsewhere."""
        rows = self.rows.copy()
        turned: list[np.ndarray] = []
        changed = np.zeros((len(rows), len(self.joints), 3))
        first = 0
        for index, joint in enumerate(self.joints):
            above = turned[joint.parent] if joint.parent >= 0 else np.tile(np.eye(3), (len(rows), 1, 1))
            old_above = self.turns[:, joint.parent] if joint.parent >= 0 else above
            own_extra = extra.get(index, above @ old_above.swapaxes(1, 2))
            turned.append(own_extra @ self.turns[:, index])
            channels = slice(first, first + len(joint.channels))
            first = channels.stop
            origin = changed[:, joint.parent] if joint.parent >= 0 else np.zeros((len(rows), 3))
            old_origin = self.places[:, joint.parent] if joint.parent >= 0 else origin
            local = np.einsum("tba,tb->ta", old_above, self.places[:, index] - old_origin)
            if index in place and joint.positions:
                local = np.einsum("tba,tb->ta", above, place[index] - origin)
                _set_places(rows[:, channels], joint, local)
            changed[:, index] = origin + np.einsum("tab,tb->ta", above, local)
            old = old_above.swapaxes(1, 2) @ self.turns[:, index]
            _set_angles(rows[:, channels], joint, old, above.swapaxes(1, 2) @ turned[index])
        return Take(self.joints, rows)


def _set_places(cells: Float[np.ndarray, "T c"], joint: Joint, local: Float[np.ndarray, "T 3"]) -> None:
    for axis, column in joint.positions.items():
        cells[:, column] = local[:, "XYZ".index(axis)]


def _set_angles(cells: Float[np.ndarray, "T c"], joint: Joint, old: Turns, new: Turns) -> None:
    """Set the rotation channels in the frames in which the rotation changes, to the angles nearest to the old ones."""
    away = Rotation.from_matrix(new @ old.swapaxes(1, 2)).magnitude() > UNCHANGED
    if len(joint.order) != 3 or not away.any():
        return
    columns = [column for column, channel in enumerate(joint.channels) if channel.endswith("rotation")]
    before = cells[:, columns][away]
    first = Rotation.from_matrix(new[away]).as_euler(joint.order, degrees=True)
    # three different axes have a second solution
    second = np.column_stack([first[:, 0] + 180, 180 - first[:, 1], first[:, 2] + 180])
    options = [each + 360 * np.round((before - each) / 360) for each in (first, second)]
    off = [np.abs(each - before).sum(axis=1, keepdims=True) for each in options]
    angles = np.where(off[0] <= off[1], *options)
    for number, column in enumerate(columns):
        cells[away, column] = angles[:, number]


def write_own_bvh(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the user's own take. Raises InputError, also without a bone map."""
    source, tracked = like_tracked(sequence, writing, "bvh")
    lines = [str(line) for line in source.content]
    stripped = [line.strip() for line in lines]
    joints, start = hierarchy(source.path, stripped)
    _, rows = motion(source.path, stripped[start:], sum(len(each.channels) for each in joints))
    names = [joint.name for joint in joints]
    hands = bone_map(Path(str(writing.bone_map)), names, ",".join(sequence.hand_side))
    unit, known = METRES[writing.unit], known_frames(sequence)
    take = Take(joints, rows)
    extra: dict[int, Turns] = {}
    place: dict[int, Places] = {}
    targets = {}
    for hand, (side, chosen) in enumerate(hands.items()):
        before = np.asarray(tracked.joints)[hand] / unit
        repaired = joints_of(sequence)[hand].astype(np.float64) / unit
        repaired = np.where(known[hand][:, None, None] & np.isfinite(repaired), repaired, np.nan_to_num(before))
        targets[side] = with_own_bones(before * unit, repaired * unit) / unit
        if 0 in chosen:
            others = [each[0] for other, each in hands.items() if other != side and 0 in each]
            _move(take, chosen, before, targets[side], others, extra, place)
    take = take.moved(extra, place)
    said = []
    for side, chosen in hands.items():
        off = np.linalg.norm(take.places[:, list(chosen.values())] - targets[side][:, list(chosen)], axis=-1)
        said.append(f"{side} hand: joints at most {1e3 * unit * off.max():.1f} mm from the repaired ones")
    first = next(number for number in range(start, len(lines)) if stripped[number].lower().startswith("frame time"))
    body = [" ".join(f"{number:.9g}" for number in row) for row in take.rows]
    write_text(path, "\n".join([*lines[: first + 1], *body]) + "\n")
    return (*said, *lost_remark(sequence, "are as they were"))


def _move(
    take: Take,
    chosen: dict[int, int],
    before: Float[np.ndarray, "T 21 3"],
    target: Float[np.ndarray, "T 21 3"],
    other_wrists: list[int],
    extra: dict[int, Turns],
    place: dict[int, Places],
) -> None:
    """Add how one hand's joints (`chosen`: the file's joint of each of OpenPose's) and its arm are turned and moved."""
    palm, wrist = palm_motion(before, target), chosen[0]
    if palm is None:
        return
    extra[wrist] = palm.rotation
    for finger in FINGERS:
        mapped = [joint for joint in finger if joint in chosen]
        turn = palm.rotation
        for joint, following in pairwise(mapped):
            bone = np.einsum("tab,tb->ta", turn, before[:, following] - before[:, joint])
            turn = shortest_turn(bone, target[:, following] - target[:, joint]) @ turn
            extra[chosen[joint]] = turn
    shift = target[:, 0] - take.places[:, wrist]
    arm = _arm(take, wrist)
    if take.joints[wrist].positions:
        place[wrist] = target[:, 0]
    elif arm is not None:
        extra.update(_bent(take, wrist, *arm, target[:, 0]))
    else:
        free = [
            joint
            for joint in take.above(wrist)
            if take.joints[joint].positions and not any(joint in take.above(other) for other in other_wrists)
        ]
        place.update({joint: take.places[:, joint] + shift for joint in free[:1]})


def _arm(take: Take, wrist: int) -> tuple[int, int] | None:
    """The elbow and the shoulder: the nearest joints above that turn, each away from the one below."""
    found: list[int] = []
    for joint in take.above(wrist):
        below = found[-1] if found else wrist
        away = np.linalg.norm(take.places[0, joint] - take.places[0, below])
        if len(take.joints[joint].order) == 3 and away > UNCHANGED:
            found.append(joint)
        if len(found) == 2:
            return found[0], found[1]
    return None


def _bent(take: Take, wrist: int, elbow: int, shoulder: int, target: Places) -> dict[int, Turns]:
    """The turns of elbow and shoulder that bring the wrist to its target, or as near as the arm reaches."""
    upper = take.places[:, shoulder] - take.places[:, elbow]
    lower = take.places[:, wrist] - take.places[:, elbow]
    reach = target - take.places[:, shoulder]
    first, second = np.linalg.norm(upper, axis=1), np.linalg.norm(lower, axis=1)
    wanted = np.linalg.norm(reach, axis=1).clip(np.abs(first - second), first + second)
    cosine = (first**2 + second**2 - wanted**2) / (2 * first * second)
    angle = np.arccos(cosine.clip(-1, 1)) - _angle(upper, lower)
    axis = np.cross(upper, lower)
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    # a straight arm bends about any axis across it
    across = np.cross(upper, np.eye(3)[np.abs(upper).argmin(axis=1)])
    axis = np.where(size > 1e-9 * (first * second)[:, None], axis, across)
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    bend = Rotation.from_rotvec(axis * angle[:, None])
    swing = shortest_turn(bend.apply(lower) - upper, reach)
    return {elbow: swing @ bend.as_matrix(), shoulder: swing}


def _angle(first: Places, second: Places) -> Float[np.ndarray, "T"]:
    return np.arctan2(np.linalg.norm(np.cross(first, second), axis=1), (first * second).sum(axis=1))


def shortest_turn(first: Places, second: Places) -> Turns:
    """The smallest rotation that takes one direction to another."""
    axis = np.cross(first, second)
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = _angle(first, second)[:, None]
    return Rotation.from_rotvec(axis * np.where(size > 1e-12, angle / size.clip(min=1e-12), 0.0)).as_matrix()
